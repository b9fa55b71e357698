"""The drill for a stolen release key, with the operator's commands, a real hub, a real client.

The thief has the release key and writes to the hub's buckets, hence speaks for the pool until the
root keys take the word from him.
"""

from __future__ import annotations

import asyncio
import os
from base64 import b64decode
from typing import TYPE_CHECKING

import msgspec
import pytest
from click.testing import CliRunner
from simulators import publisher as pub
from simulators.faketime import FakeTime
from simulators.running_hub import (
    MODEL_NAME,
    TOKEN,
    RunningHub,
    contributor,
    name_of,
    pointer,
    served,
    settings,
)
from simulators.tiny_detector import payload

from heatpool_chassis.settings import Secret
from heatpool_client import consent, setup
from heatpool_client.consent import CONSENT_VERSION
from heatpool_client.faults import ClientError
from heatpool_client.home import Home
from heatpool_client.pool import Pool
from heatpool_contract import grants, sealed
from heatpool_contract.dsse import public_key_of
from heatpool_contract.sealed import Floor
from heatpool_deploy import ceremony, keys
from heatpool_deploy.key_commands import publish as publish_trust

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from nats.aio.client import Client

    from heatpool_chassis.lifecycle import Lifecycle


TOP = 2**53 - 1  # the greatest sequence that a manifest can name


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The pool's keys."""
    keys.make_keys(tmp_path / "keys", os.urandom, pub.NOW_S)
    return tmp_path / "keys"


@pytest.fixture
async def hub(bus: Client, life: Lifecycle, folder: Path) -> AsyncIterator[RunningHub]:
    """A hub with the keys of that pool, which asks signatures of all."""
    chosen = settings(
        identity="require",
        hub_private_key=Secret((folder / keys.HUB_PRIVATE).read_text()),
        timestamp_key=Secret((folder / keys.TIMESTAMP_SEED).read_text()),
    )
    running = RunningHub(bus, life, chosen)
    await running.start()
    yield running
    await running.stop()


@pytest.fixture
def pool(tmp_path: Path, hub: RunningHub, folder: Path) -> Iterator[Pool]:
    """A home that has agreed and knows the pool's first trust file."""
    time, home = FakeTime(), Home(tmp_path / "home")
    choices = setup.Choices(
        settings={"server": f"http://127.0.0.1:{hub.port}", "model": MODEL_NAME},
        token=TOKEN,
        trust=(folder / keys.TRUST_FILE).read_bytes(),
    )
    config = setup.initialise(home, choices, time.now_s, os.urandom)
    consent.grant(
        home, CONSENT_VERSION, time.now_s, language="de", means="option", client_version="0.1.0"
    )
    with Pool(home, config, {}, time.clock()) as opened:
        yield opened


async def test_stolen_release_key_is_revoked_and_the_pool_comes_back(
    hub: RunningHub, pool: Pool, folder: Path, nats_url: str
) -> None:
    """Theft, fast-forward, revocation, publication, the thief again, a good release."""
    stolen = _seed(folder / keys.RELEASE_SEED)
    await asyncio.to_thread(_publish_trust, folder, nats_url)
    await _enrol(hub, pool)
    await _release(hub, folder, stolen, seq=7)
    assert await _update(pool) == "activated"
    await _release(hub, folder, stolen, seq=TOP)  # the thief's: valid in every respect
    assert await _update(pool) == "activated"
    await _release(hub, folder, stolen, seq=8)
    before = _files(pool)
    assert await _update(pool) == "fresh_rollback"  # nothing of ours is above the thief's number
    assert _files(pool) == before

    ceremony.rotate(folder, "release", os.urandom, pub.NOW_S, new_epoch=True)
    published = await asyncio.to_thread(_publish_trust, folder, nats_url)
    assert "trust.2.json" in published
    await hub.until(lambda: hub.parts.trust.find(2) is not None)
    for epoch in (1, 2):  # the thief still writes to the hub's buckets
        await _release(hub, folder, stolen, seq=TOP - epoch, epoch=epoch)
        before = _files(pool)
        assert await _update(pool) == ("fresh_rollback" if epoch == 1 else "threshold")
        assert _files(pool) == before
    assert (pool.trust().version, pool.trust().epoch) == (2, 2)
    await _release(hub, folder, _seed(folder / keys.RELEASE_SEED), seq=1, epoch=2)
    assert await _update(pool) == "activated"
    assert pool.store.state().floor == Floor(2, 1)
    assert await _update(pool) == "current"


async def _enrol(hub: RunningHub, pool: Pool) -> None:
    """The home registers its keys with its first question, then contributes."""
    assert await _update(pool) == "not_eligible"
    home = pool.config.installation
    bound = hub.parts.registry.find(name_of(home))
    assert bound is not None
    await hub.enter(home, contributor(ed25519=bound.ed25519, x25519=bound.x25519))


async def _release(hub: RunningHub, folder: Path, seed: bytes, *, seq: int, epoch: int = 1) -> None:
    """Sign, upload, point, wait until it is served."""
    facts = msgspec.structs.replace(pub.FACTS, seq=seq, epoch=epoch)
    cek, nonce = os.urandom(32), os.urandom(sealed.NONCE_BYTES)
    one = pub.Release(sealed.seal(payload(), facts, cek, nonce, [seed]), cek)
    public = b64decode((folder / keys.HUB_PUBLIC).read_text())
    await hub.upload(one)
    cek_sealed = grants.seal_content_key(public, one.cek, one.model_hash)
    await hub.point(pointer(served(one, cek_sealed=cek_sealed)))
    await hub.until(lambda: hub.visible_hash() == one.model_hash)


async def _update(pool: Pool) -> str:
    """What came of it: the outcome, or the code of the check that failed."""
    try:
        return (await asyncio.to_thread(pool.update)).outcome
    except ClientError as error:
        return str(error.facts[0]).split(":")[0]


def _publish_trust(folder: Path, nats_url: str) -> str:
    """`heatpoolctl keys publish`."""
    environment = {"HEATPOOL_CTL_NATS_URL": nats_url}
    done = CliRunner().invoke(publish_trust, ["--keys", str(folder)], env=environment)
    assert done.exit_code == 0, done.output
    return done.output


def _files(pool: Pool) -> dict[str, bytes]:
    return {
        path.name: path.read_bytes()
        for path in pool.store.folder.iterdir()
        if path.name not in {"refusals.json", "lock"}
    }


def _seed(path: Path) -> bytes:
    seed = b64decode(path.read_text())
    assert public_key_of(seed)
    return seed
