"""An operator's hand on releases, with a hub beside that serves them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec
import pytest
from simulators import publisher as pub
from simulators.running_hub import RunningHub, contributor, pointer, served

from heatpool_contract import sealed
from heatpool_contract.grants import open_content_key
from heatpool_contract.sealed import Expected, Floor
from heatpool_deploy import model_admin
from heatpool_deploy.model_admin import Desk, ModelAdminError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from nats.aio.client import Client

    from heatpool_chassis.lifecycle import Lifecycle

GOOD, BAD = pub.release(), pub.release(b"a detector that cries wolf", seq=8)
DESK = Desk(pub.TRUST, pub.secret("release 1"), pub.secret("hub"), os.urandom)


@pytest.fixture
async def hub(bus: Client, life: Lifecycle) -> AsyncIterator[RunningHub]:
    """A hub that serves a bad release with a good predecessor."""
    running = RunningHub(bus, life)
    await running.start()
    await running.enter(pub.HOME, contributor())
    good = await running.publish(GOOD)
    await running.upload(BAD)
    trial = msgspec.structs.replace(pointer(served(BAD), good), canary_share=0.1)
    await running.point(trial)
    await running.until(lambda: running.visible_hash() == BAD.model_hash)
    yield running
    await running.stop()


async def test_withdrawal_rolls_forward(hub: RunningHub) -> None:
    """The old payload under a higher number: also a home with the bad release takes it."""
    after = await model_admin.withdraw(hub.bus, pub.MODEL, DESK, pub.NOW_S)

    await hub.until(lambda: hub.visible_hash() == after.current.model_hash)
    answer = (await hub.check()).json()
    blob = (await hub.download()).content
    expected = Expected(
        model_hash=answer["model_hash"],
        model=pub.MODEL,
        engine=pub.ENGINE,
        client_version=pub.CLIENT_VERSION,
        floor=Floor(1, 8),
    )
    verified = sealed.verify(blob, expected, pub.TRUST, pub.NOW_S)
    assert verified.manifest.seq == 9
    key = open_content_key(after.current.cek_sealed, pub.secret("hub"), after.current.model_hash)
    assert sealed.open_payload(verified, key) == pub.PAYLOAD
    assert (await hub.download(hash=BAD.model_hash)).status_code == 409


async def test_withdrawal_signs_only_what_was_signed(hub: RunningHub) -> None:
    """A file that somebody with access to the Object Store put there gets no signature."""
    forged = pub.release(b"a detector of somebody else", signers=("thief",))
    await hub.upload(forged)
    await hub.point(pointer(served(BAD), served(forged)))

    with pytest.raises(ModelAdminError, match="threshold"):
        await model_admin.withdraw(hub.bus, pub.MODEL, DESK, pub.NOW_S)


async def test_share_goes_up_only(hub: RunningHub) -> None:
    """Down would offer homes what they refuse as a rollback."""
    with pytest.raises(ModelAdminError, match="withdraw it instead"):
        await model_admin.share(hub.bus, pub.MODEL, 0.05)

    assert (await model_admin.share(hub.bus, pub.MODEL, 1.0)).canary_share == 1.0
    assert [one.canary_share for one in await model_admin.listed(hub.bus)] == [1.0]


async def test_what_is_not_there_is_said(hub: RunningHub) -> None:
    """No model, no predecessor."""
    with pytest.raises(ModelAdminError, match="no release of nothing"):
        await model_admin.share(hub.bus, "nothing", 1.0)
    await hub.point(pointer(served(BAD)))
    with pytest.raises(ModelAdminError, match="no predecessor"):
        await model_admin.withdraw(hub.bus, pub.MODEL, DESK, pub.NOW_S)
