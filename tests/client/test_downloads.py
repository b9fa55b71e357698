"""Poor lines: a download goes on where it broke off, and updates come once a day."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from simulators.hub import Hub, Reply
from simulators.publisher import Release, release
from simulators.tiny_detector import payload

from heatpool_client.connection import Unreachable
from heatpool_client.faults import ClientError
from heatpool_client.updating import DAY_S, is_due, note, read_watched, update_if_due

if TYPE_CHECKING:
    from simulators.faketime import FakeTime

    from heatpool_client.pool import Pool


@pytest.fixture
def released(hub: Hub) -> Release:
    """A release that scores."""
    hub.release = release(payload())
    return hub.release


def break_off(pool: Pool, hub: Hub, content: bytes, cut_at: int) -> None:
    """An update whose download ends early."""
    hub.scripted.append(Reply(200, msgspec.json.encode(pool.check())))
    hub.scripted.append(Reply(200, content, cut_at=cut_at))
    with pytest.raises(Unreachable):
        pool.update()


@pytest.mark.parametrize("ranges", [True, False], ids=["the rest", "all of it again"])
def test_a_download_goes_on_where_it_broke_off(
    pool: Pool,
    hub: Hub,
    released: Release,
    ranges: bool,  # noqa: FBT001 - a table
) -> None:
    """The server may send the rest or everything; the model is the same."""
    pool.register()
    hub.ranges = ranges
    break_off(pool, hub, released.blob, 1000)
    done = pool.update()
    assert hub.requests[-1].headers["range"] == "bytes=1000-"
    assert hub.requests[-1].headers["if-range"] == f'"{released.model_hash}"'
    assert (done.outcome, done.model_hash) == ("activated", released.model_hash)
    assert list(pool.store.folder.glob("*.part")) == []


def test_a_wrong_part_is_refused_once_and_then_loaded_anew(
    pool: Pool, hub: Hub, released: Release
) -> None:
    """What the line or the server mixed up does not verify, and is not kept."""
    pool.register()
    break_off(pool, hub, b"\0" * len(released.blob), 1000)
    with pytest.raises(ClientError, match="not accepted"):
        pool.update()
    assert pool.active() is None
    assert pool.update().outcome == "activated"


def test_a_part_beyond_the_end_is_forgotten(pool: Pool, hub: Hub, released: Release) -> None:
    """416: the next attempt begins anew."""
    pool.register()
    break_off(pool, hub, released.blob + b"\0" * 50, len(released.blob) + 50 - 1)
    with pytest.raises(Unreachable):
        pool.update()
    assert pool.update().outcome == "activated"


def test_the_part_of_another_release_is_removed(pool: Pool, hub: Hub, released: Release) -> None:
    """It would lie there for ever."""
    pool.register()
    break_off(pool, hub, released.blob, 1000)
    hub.release = release(payload(), seq=8)
    assert pool.update().outcome == "activated"
    assert list(pool.store.folder.glob("*.part")) == []


def test_updates_come_once_a_day_and_tell_what_is_new(
    pool: Pool, hub: Hub, released: Release, fake_time: FakeTime
) -> None:
    """Becoming eligible is news once; the day has a tenth of jitter."""
    assert released
    hub.eligible = False
    first = update_if_due(pool)
    assert update_if_due(pool) is None
    hub.eligible = True
    second = note(pool, pool.update())
    third = note(pool, pool.update())
    assert first is not None
    assert [one.became_eligible for one in (first, second, third)] == [False, True, False]
    assert [one.activated for one in (first, second, third)] == [False, True, False]
    assert third.watched.next_s - fake_time.now_s == pytest.approx(DAY_S)
    assert [is_due(third.watched, fake_time.now_s + days * DAY_S) for days in (0.99, 1.01, -9)] == [
        False, True, True,
    ]  # fmt: skip  # one list


@pytest.mark.parametrize("tells", [True, False])
def test_the_hub_says_what_changed_or_the_client_compares(
    pool: Pool, hub: Hub, released: Release, *, tells: bool
) -> None:
    """Both ways lead to the same news; the hub hears what it said before."""
    assert released
    hub.tells_events = tells
    found = []
    for hub.eligible in (False, True, True, False):
        done = pool.update()
        found.append((done.answer.event, note(pool, done).event))
    expected = [None, "became_eligible", None, "no_longer_eligible"]
    assert found == [(one if tells else None, one) for one in expected]
    asked = [one.query["was_eligible"] for one in hub.requests if "was_eligible" in one.query]
    assert asked == ["false", "false", "true", "true"]
    assert read_watched(pool.home).event == "no_longer_eligible"


def test_a_failed_update_is_tried_again_after_hours(
    pool: Pool, hub: Hub, released: Release, fake_time: FakeTime
) -> None:
    """And a clock that jumped back does not put it off for ever."""
    assert released
    hub.scripted.append(Reply(503))
    with pytest.raises(Unreachable):
        update_if_due(pool)
    assert read_watched(pool.home).problem == "unreachable"
    assert update_if_due(pool) is None
    fake_time.now_s -= 10 * DAY_S
    assert update_if_due(pool) is not None


def test_the_state_is_marked_as_not_to_be_backed_up(pool: Pool) -> None:
    """With the signature that tar, borg and restic look for."""
    pool.home.create()
    tag = (pool.home.root / "CACHEDIR.TAG").read_text("ascii")
    assert tag.startswith("Signature: 8a477f597d28d172789f06886806bc55")
    assert (pool.home.root / ".nobackup").exists()
