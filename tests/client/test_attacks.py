"""Attacks of the table in docs/modelhub.md on a real client, over HTTP, named by their rows.

Each: the code of the refusal, the files of the models unchanged, and the next good update succeeds.
"""

from __future__ import annotations

from array import array
from base64 import b64decode
from typing import TYPE_CHECKING

import msgspec
import pytest
from simulators import publisher as pub
from simulators.hub import Reply
from simulators.publisher import DAY_S, NOW_S, Release, release
from simulators.tiny_detector import payload, tiny

from heatpool_client.clock import SYSTEM
from heatpool_client.connection import Unreachable
from heatpool_client.faults import ClientError, Fault
from heatpool_contract import detector, sealed
from heatpool_contract.rejects import SealRefused
from heatpool_contract.sealed import BLOB_BYTES_USUAL_MAX, Floor

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulators.faketime import FakeTime
    from simulators.hub import Hub

    from heatpool_client.pool import Pool

TOP = 2**53 - 1


@pytest.fixture
def held(pool: Pool, hub: Hub) -> Release:
    """The release that this logger has: sequence 7."""
    hub.release = release(payload())
    assert pool.update().outcome == "activated"
    return hub.release


def files(pool: Pool) -> dict[str, bytes]:
    """All that is kept of models, but for the count of refusals."""
    return {
        path.name: path.read_bytes()
        for path in pool.store.folder.iterdir()
        if path.name not in {"refusals.json", "lock"}
    }


def models(pool: Pool) -> dict[str, bytes]:
    """Those of them that are models or say which one is active."""
    return {name: data for name, data in files(pool).items() if name.endswith(("raw", "json"))}


def bent(r_mass: list[int]) -> bytes:
    """The test's detector with other masses."""
    one = tiny()
    channel = one.modes[0].channels[0]
    forest = msgspec.structs.replace(channel.forests[0], r_mass=array("I", r_mass).tobytes())
    channel = msgspec.structs.replace(channel, forests=(forest,))
    mode = msgspec.structs.replace(one.modes[0], channels=(channel,))
    return detector.encode(msgspec.structs.replace(one, modes=(mode,)))


def refused(pool: Pool, code: str) -> None:
    """The update is refused with this code and changes nothing."""
    before = files(pool)
    with pytest.raises(ClientError) as caught:
        pool.update()
    reason = caught.value.__cause__
    assert isinstance(reason, SealRefused)
    assert reason.code == code
    assert files(pool) == before


def recovers(pool: Pool, hub: Hub, seq: int = 8, **changes: object) -> None:
    """The next good release is taken."""
    hub.served, hub.fresh = None, Release.fresh
    hub.release = release(payload(), seq=seq, **changes)  # type: ignore[arg-type]  # facts by name
    assert pool.update().outcome == "activated"


def trust_file(*signers: str, **changes: object) -> bytes:
    """A successor of the shipped trust file."""
    return pub.trust_file(msgspec.structs.replace(pub.TRUST, version=2, **changes), *signers)


def test_attack_04_forged_with_every_key_of_the_client(pool: Pool, hub: Hub, held: Release) -> None:
    """Whatever secret the client's files hold: signing with it makes no release."""
    keys = msgspec.json.decode(pool.home.identity.read_bytes(), type=dict[str, str | int | None])
    secrets = [b64decode(text) for text in keys.values() if isinstance(text, str)]
    assert len(secrets) == 2
    for seed in secrets:
        facts = msgspec.structs.replace(pub.FACTS, seq=8)
        blob = sealed.seal(payload(), facts, held.cek, seed[:24], [seed])
        hub.release = Release(blob, held.cek)
        refused(pool, "threshold")
    recovers(pool, hub)


def test_attack_06_rollback(pool: Pool, hub: Hub, held: Release) -> None:
    """An older release of ours, also after a restart and after the model was deleted."""
    old = release(payload(), seq=6)
    hub.release = old
    hub.fresh = lambda one: one.fresh(seq=7)  # even if the freshness statement looks away
    refused(pool, "rollback")
    for path in pool.store.folder.glob("*.raw"):
        path.unlink()
    with type(pool)(pool.home, pool.config, pool.environ, pool.clock) as restarted:
        refused(restarted, "rollback")
    assert pool.store.state().floor == Floor(1, 7)
    assert held.blob != old.blob
    recovers(pool, hub)


def test_attack_07_fast_forward_and_recovery(pool: Pool, hub: Hub, held: Release) -> None:
    """The whole drill: a stolen release key runs ahead, is revoked, and the pool comes back."""
    hub.release = release(payload(), seq=TOP)  # signed with the stolen, valid key
    assert pool.update().outcome == "activated"
    hub.release = release(payload(), seq=8)
    refused(pool, "fresh_rollback")  # the owner cannot go on: nothing is above the thief's number

    hub.trusts["2"] = trust_file(epoch=2, release=pub.role("release 2"))
    refused(pool, "fresh_rollback")  # the trust file is followed, the old epoch is over
    assert pool.trust().version == 2
    hub.release = release(payload(), signers=("release 1",), epoch=2, seq=TOP)  # the thief again
    refused(pool, "threshold")
    recovers(pool, hub, seq=1, epoch=2, signers=("release 2",))
    assert pool.store.state().floor == Floor(2, 1)
    assert held.model_hash != hub.release.model_hash


def test_attack_08_freeze(pool: Pool, hub: Hub, held: Release, fake_time: FakeTime) -> None:
    """An old statement replayed for 18 days: refused as stale, the model goes on working."""
    frozen = held.fresh()
    hub.fresh = lambda _one: frozen
    fake_time.now_s += 18 * DAY_S
    refused(pool, "fresh_expired")
    assert pool.active() is not None
    fake_time.now_s -= 18 * DAY_S
    recovers(pool, hub)


def test_attack_11_mix_and_match(pool: Pool, hub: Hub, held: Release) -> None:
    """Manifest of one with the box of another; one's file under the other's name or key."""
    one, other = release(payload(), seq=8), release(payload(), seq=9)
    parts, strange = sealed.parse(one.blob), sealed.parse(other.blob)
    hub.release = Release(sealed.join(msgspec.structs.replace(parts, box=strange.box)), one.cek)
    refused(pool, "ciphertext")
    hub.release, hub.served = one, other.blob
    refused(pool, "hash")
    hub.served, hub.release = None, Release(one.blob, other.cek)
    refused(pool, "aead")
    recovers(pool, hub, seq=held.blob[0] % 2 + 9)


def test_attack_12_other_heat_pump(pool: Pool, hub: Hub, held: Release) -> None:
    """A good release of another model under our address."""
    hub.release = release(payload(), model="other", seq=9)
    hub.fresh = lambda one: one.fresh(model=pub.MODEL)
    refused(pool, "wrong_model")
    recovers(pool, hub)
    assert held


@pytest.mark.parametrize(
    ("file", "code"),
    [
        (lambda: trust_file("root 4", "root 5", root=pub.role("root 4", "root 5")), "threshold"),
        (lambda: trust_file("root 1"), "threshold"),
        (lambda: pub.trust_file(msgspec.structs.replace(pub.TRUST, version=3)), "version"),
        (lambda: pub.trust_file(pub.TRUST), "version"),
        (lambda: trust_file(epoch=3), "epoch"),
        (lambda: b"no trust", "malformed"),
    ],
    ids=["new-keys-alone", "one-of-two", "skip", "replay", "epoch-jump", "nonsense"],
)
def test_attack_19_forged_trust_from_the_hub(
    pool: Pool, hub: Hub, held: Release, file: Callable[[], bytes], code: str
) -> None:
    """A hub that hands out a successor which is none: kept out, also from the disk."""
    hub.trusts["2"] = file()
    refused(pool, f"trust_{code}")
    assert pool.trust() == pub.TRUST
    hub.trusts.clear()
    recovers(pool, hub)
    assert held


def test_attack_09_expiry_boundary(
    pool: Pool, hub: Hub, held: Release, fake_time: FakeTime
) -> None:
    """The second it names is too late, the one before is not."""
    hub.release = release(payload(), seq=8, expires_s=NOW_S + 60)
    fake_time.now_s += 60
    refused(pool, "expired")
    fake_time.now_s -= 1
    assert pool.update().outcome == "activated"
    recovers(pool, hub, seq=9)
    assert held


def test_attack_13_endless_data(pool: Pool, hub: Hub, held: Release) -> None:
    """A body beyond the cap: given up there, nothing of it stays on disk."""
    hub.release = release(payload(), seq=8)
    hub.served = hub.release.blob + bytes(2 * BLOB_BYTES_USUAL_MAX)
    before = files(pool)
    with pytest.raises(ClientError) as caught:
        pool.update()
    assert caught.value.code is Fault.ANSWER_GARBLED
    assert files(pool) == before
    recovers(pool, hub)
    assert held


def test_attack_64_poisoned_part(pool: Pool, hub: Hub, held: Release) -> None:
    """Added row: a wrong beginning, cut off, is resumed once, refused, and not kept."""
    hub.release = release(payload(), seq=8)
    hub.scripted.extend([None, Reply(200, held.blob, cut_at=100)])
    before = models(pool)
    with pytest.raises(Unreachable):
        pool.update()
    assert models(pool) == before
    with pytest.raises(ClientError) as caught:
        pool.update()
    reason = caught.value.__cause__
    assert isinstance(reason, SealRefused)
    assert (reason.code, models(pool)) == ("hash", before)
    recovers(pool, hub)


def test_attack_14_slow_retrieval(pool: Pool, hub: Hub, held: Release, fake_time: FakeTime) -> None:
    """Below a kilobyte a second it is given up; what came stays apart from the models."""
    hub.release = release(payload(), seq=8)
    hub.scripted.extend([None, Reply(200, hub.release.blob, drip_s=0.005)])
    clock = fake_time.clock()._replace(monotonic_s=lambda: SYSTEM.monotonic_s() * 200)
    config = msgspec.structs.replace(pool.config, exchange_s_max=3000.0)
    before = models(pool)
    with (
        type(pool)(pool.home, config, {}, clock) as slow,
        pytest.raises(Unreachable, match=r"slow|deadline"),
    ):
        slow.update()
    assert models(pool) == before
    recovers(pool, hub)
    assert held


@pytest.mark.parametrize(
    ("hostile", "code"),
    [
        (b"cos\nsystem\n(S'true'\ntR.", "payload"),
        (payload()[:-1], "payload"),
        (bent(r_mass=[100, 90, 0]), "payload"),
        (bent(r_mass=[100, 100]), "payload"),
        (bent(r_mass=[100, 0, 100]), "self_test"),
    ],
    ids=["pickle", "cut", "masses that do not add up", "short array", "other scores"],
)
def test_attack_16_and_24_hostile_payload(
    pool: Pool, hub: Hub, held: Release, hostile: bytes, code: str
) -> None:
    """Signed in due form by a trainer gone wrong: refused before it is built, or for its scores."""
    hub.release = release(hostile, seq=8)
    refused(pool, code)
    recovers(pool, hub)
    assert held


def test_attack_53_endless_trust_chain(pool: Pool, hub: Hub, held: Release) -> None:
    """Added row: a chain of good files is walked once and stored; the end is where the hub ends."""
    for version in range(2, 6):
        trust = msgspec.structs.replace(pub.TRUST, version=version)
        hub.trusts[str(version)] = pub.trust_file(trust)
    recovers(pool, hub)
    assert pool.trust().version == 5
    assert held


def test_attack_54_withdrawn_trial_offered_again(pool: Pool, hub: Hub, held: Release) -> None:
    """Added row: a home that tried sequence 9 is not talked back to 8, and takes 10."""
    hub.release = release(payload(), seq=9)
    pool.update()
    hub.release = release(payload(), seq=8)
    refused(pool, "fresh_rollback")
    recovers(pool, hub, seq=10)
    assert held


def test_attack_38_thief_of_the_hub_makes_no_model(pool: Pool, hub: Hub, held: Release) -> None:
    """With every secret of the hub: freshness statements, content keys, but no release."""
    for name in ("timestamp 1", "hub", "fleet"):
        hub.release = release(payload("other"), signers=(name,), seq=8)
        refused(pool, "threshold")
    recovers(pool, hub)
    assert held
