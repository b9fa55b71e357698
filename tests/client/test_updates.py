"""From check to active model, through real HTTP and the real verification."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from simulators.hub import Hub, Reply, refusal
from simulators.publisher import DAY_S, NOW_S, TRUST, Release, box_public, release, trust_file
from simulators.tiny_detector import payload

from heatpool_client import setup
from heatpool_client.clock import SYSTEM
from heatpool_client.connection import Refused, Unreachable
from heatpool_client.faults import ClientError, Fault
from heatpool_client.pool import Pool
from heatpool_client.setup import believe
from heatpool_contract.refusals import Refusal
from heatpool_contract.sealed import BLOB_BYTES_USUAL_MAX

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulators.faketime import FakeTime

    from heatpool_client.config import Config
    from heatpool_client.home import Home

CHECK, DOWNLOAD = "/api/v1/model/check", "/api/v1/model/download"


@pytest.fixture
def released(hub: Hub) -> Release:
    """A release that scores."""
    hub.release = release(payload())
    return hub.release


def rejected(pool: Pool) -> str:
    """The code of the check that failed."""
    with pytest.raises(ClientError) as caught:
        pool.update()
    assert caught.value.code is Fault.MODEL_REJECTED
    return str(caught.value.facts[0]).split(":")[0]


def test_the_first_update_registers_loads_and_activates(
    pool: Pool, hub: Hub, released: Release
) -> None:
    """Keys first, since a grant is sealed to them; then the model scores."""
    done = pool.update()
    assert done.outcome == "activated"
    assert done.fresh
    assert (done.model_hash, done.bytes_loaded) == (released.model_hash, len(released.blob))
    assert hub.paths() == [hub.requests[0].path, CHECK, DOWNLOAD]
    assert hub.requests[0].method == "PUT"
    assert hub.requests[2].query["hash"] == released.model_hash
    active = pool.active()
    assert active is not None
    assert pool.scorer().detector == active.detector


def test_a_current_model_is_not_loaded_again(pool: Pool, hub: Hub, released: Release) -> None:
    """The check names what is there, and only the freshness statement is taken."""
    pool.update()
    hub.requests.clear()
    done = pool.update()
    assert (done.outcome, done.fresh) == ("current", True)
    assert hub.paths() == [CHECK]
    assert hub.requests[0].query["current_hash"] == released.model_hash


def test_again_loads_what_is_current(pool: Pool, hub: Hub, released: Release) -> None:
    """For a file that the owner mistrusts."""
    pool.update()
    assert pool.update(again=True).bytes_loaded == len(released.blob)
    assert hub.paths().count(DOWNLOAD) == 2


def test_a_newer_release_replaces_the_older(pool: Pool, hub: Hub, released: Release) -> None:
    """And the way back is closed."""
    pool.update()
    hub.release = release(payload(), seq=8)
    assert pool.update().model_hash == hub.release.model_hash
    hub.release = released
    assert rejected(pool) == "fresh_rollback"


def test_who_does_not_contribute_keeps_what_is_active(
    pool: Pool, hub: Hub, released: Release
) -> None:
    """Not eligible: no download, the old model goes on."""
    pool.update()
    hub.eligible = False
    hub.requests.clear()
    done = pool.update()
    assert (done.outcome, done.model_hash) == ("not_eligible", released.model_hash)
    assert hub.paths() == [CHECK]
    assert pool.active() is not None


def test_a_pool_without_a_model_says_so(pool: Pool) -> None:
    """Eligible, and nothing there yet."""
    assert pool.update().outcome == "no_model"
    with pytest.raises(ClientError) as caught:
        pool.scorer()
    assert caught.value.code is Fault.NO_MODEL


def test_a_release_published_between_check_and_download_is_fetched(
    pool: Pool, hub: Hub, released: Release
) -> None:
    """409 leads to one new check."""
    pool.register()
    newer = release(payload(), seq=8)
    answers = hub.fresh

    def publish_meanwhile(current: Release) -> bytes:
        hub.release = newer
        return answers(current)

    hub.fresh = publish_meanwhile
    done = pool.update()
    assert (done.outcome, done.model_hash) == ("activated", newer.model_hash)
    assert hub.paths()[1:] == [CHECK, DOWNLOAD, CHECK, DOWNLOAD]
    assert released.model_hash != newer.model_hash


def test_a_release_that_is_never_served_is_a_refusal(
    pool: Pool, hub: Hub, released: Release
) -> None:
    """After the second attempt it is the hub's problem."""
    pool.register()
    check = Reply(200, msgspec.json.encode(pool.check()))
    hub.scripted.extend([check, refusal(Refusal.HASH_NOT_SERVED)] * 2)
    with pytest.raises(Refused) as caught:
        pool.update()
    assert caught.value.status == 409
    assert pool.check().model_hash == released.model_hash


def _forged(hub: Hub) -> None:
    hub.release = release(payload(), signers=("release 2",))


def _swapped(hub: Hub) -> None:
    hub.served = release(payload(), seq=6).blob


def _cut(hub: Hub) -> None:
    hub.served = release(payload()).blob[:-1]


def _foreign_grant(hub: Hub) -> None:
    hub.grant_key = box_public("somebody else")


def _stale(hub: Hub) -> None:
    hub.fresh = lambda one: one.fresh(issued_s=NOW_S - 3 * DAY_S, expires_s=NOW_S - DAY_S)


def _frozen(hub: Hub) -> None:
    hub.fresh = lambda one: one.fresh(model_hash="0" * 64)


def _other_model(hub: Hub) -> None:
    hub.release = release(payload("other"), model="other")


def _no_detector(hub: Hub) -> None:
    hub.release = release(b"no detector")


@pytest.mark.parametrize(
    ("attack", "code"),
    [
        (_forged, "threshold"),
        (_swapped, "hash"),
        (_cut, "hash"),
        (_foreign_grant, "grant_sealed"),
        (_stale, "fresh_expired"),
        (_frozen, "fresh_other_release"),
        (_other_model, "fresh_wrong_model"),
        (_no_detector, "payload"),
    ],
)
def test_attacks_change_nothing_and_the_next_good_update_succeeds(
    pool: Pool, hub: Hub, released: Release, attack: Callable[[Hub], None], code: str
) -> None:
    """The reason is named and counted, and nothing was activated."""
    attack(hub)
    assert rejected(pool) == code
    assert pool.active() is None
    assert pool.store.refusals().code == code
    hub.release, hub.served, hub.grant_key, hub.fresh = released, None, None, Release.fresh
    assert pool.update().outcome == "activated"


def test_a_download_ends_at_the_cap(pool: Pool, hub: Hub, released: Release) -> None:
    """Endless data: a byte above the cap is an error, whatever the length says."""
    hub.served = released.blob + bytes(BLOB_BYTES_USUAL_MAX)
    with pytest.raises(ClientError) as caught:
        pool.update()
    assert caught.value.code is Fault.ANSWER_GARBLED
    assert pool.active() is None


def test_a_download_that_drips_is_given_up(
    pool: Pool, hub: Hub, released: Release, fake_time: FakeTime
) -> None:
    """Slow retrieval: below a kilobyte a second it ends, long before all is there."""
    pool.register()
    hub.scripted.append(Reply(200, msgspec.json.encode(pool.check())))
    hub.scripted.append(Reply(200, released.blob, drip_s=0.005))
    clock = fake_time.clock()._replace(monotonic_s=lambda: SYSTEM.monotonic_s() * 200)
    config = msgspec.structs.replace(pool.config, exchange_s_max=3000.0)
    with (
        Pool(pool.home, config, {}, clock) as slow,
        pytest.raises(Unreachable, match=r"slow|deadline"),
    ):
        slow.update()


@pytest.mark.parametrize(
    "change",
    [{"key_grant": None}, {"key_grant": "!"}, {"fresh": "ä"}],
    ids=["no grant", "grant", "fresh"],
)
def test_answers_that_contradict_themselves_are_garbled(
    pool: Pool, hub: Hub, released: Release, change: dict[str, object]
) -> None:
    """Eligible without a key, or keys that are no base64."""
    pool.register()
    answer = msgspec.structs.replace(pool.check(), **change)
    hub.scripted.append(Reply(200, msgspec.json.encode(answer)))
    with pytest.raises(ClientError) as caught:
        pool.update()
    assert caught.value.code is Fault.ANSWER_GARBLED
    assert pool.check().model_hash == released.model_hash


@pytest.mark.parametrize(
    ("reply", "fault"),
    [
        (refusal(Refusal.STORE_UNAVAILABLE, retry_after_s=5), Fault.UNREACHABLE),
        (refusal(Refusal.INSTALLATION_ID_INVALID), Fault.REFUSED),
        (Reply(204), Fault.ANSWER_GARBLED),
        (Reply(200, b"<html>"), Fault.ANSWER_GARBLED),
        (Reply(307, headers={"location": "https://evil.example"}), Fault.REDIRECTED),
    ],
)
def test_a_check_fails_like_everything_else(
    pool: Pool, hub: Hub, reply: Reply, fault: Fault
) -> None:
    """Later, never, or not the pool at all."""
    pool.register()
    hub.scripted.append(reply)
    with pytest.raises(ClientError) as caught:
        pool.update()
    assert caught.value.code is fault


def test_without_a_trust_file_nothing_is_fetched(
    pool: Pool, hub: Hub, home: Home, released: Release
) -> None:
    """Nothing could be believed."""
    home.trust_first.unlink()
    with pytest.raises(ClientError) as caught:
        pool.update()
    assert caught.value.code is Fault.TRUST_MISSING
    assert hub.requests == []
    assert believe(home, [trust_file(TRUST)]) == TRUST
    assert pool.update().model_hash == released.model_hash


def test_a_clock_without_battery_still_opens_a_model(
    pool: Pool, released: Release, fake_time: FakeTime
) -> None:
    """1970 is known to be wrong: the program was built later."""
    fake_time.now_s = 100.0
    assert pool.update().model_hash == released.model_hash


def test_a_foreign_config_never_opens_our_models(
    home: Home, agreed: Config, hub: Hub, fake_time: FakeTime, released: Release
) -> None:
    """The models of another heat pump are another folder."""
    with Pool(home, agreed, {}, fake_time.clock()) as pool:
        pool.update()
    other = msgspec.structs.replace(agreed, model="Other")
    with Pool(home, other, {}, fake_time.clock()) as pool:
        assert pool.active() is None
    assert hub.release is released
    assert setup.read_trust(home.trust_first) == trust_file(TRUST)
