"""Recordings to the pool: counted, paced, shifted, resumable."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulators.hub import Hub, refusal

from heatpool_client.faults import ClientError
from heatpool_client.replay import Pace, Totals, replay, shift_to_s, shifted
from heatpool_client.submission import Row, Sender
from heatpool_client.upload import Count, Stored
from heatpool_contract.identity import InstallationId
from heatpool_contract.refusals import Refusal

if TYPE_CHECKING:
    from simulators.faketime import FakeTime

    from heatpool_client.pool import Pool
    from heatpool_contract.telemetry import Submission

SENDER = Sender(InstallationId("3f2b8c1e-5d4a-4b6f-8a9c-0d1e2f3a4b5c"), "AERO SLM", "1.2.3")


def minutes(count: int, start_s: float = 0.0) -> list[Row]:
    """One row a minute with two values."""
    return [Row(start_s + 60.0 * i, {"a": float(i), "b": True}, i + 1) for i in range(count)]


def accept(submission: Submission) -> Stored:
    """A pool that takes all."""
    samples = sum(len(record) - 1 for record in submission.data)
    return Stored(processed=len(submission.data), samples=samples, receipt="1-2")


def run(rows: list[Row], fake_time: FakeTime, speed: float | None, batch: int = 10) -> Totals:
    """The last totals."""
    last = Totals()
    for totals in replay(rows, SENDER, accept, batch, Pace(speed, fake_time.clock())):
        last = totals
    return last


def test_everything_posted_is_counted(fake_time: FakeTime) -> None:
    """Requests, records, samples, times, receipts."""
    totals = run(minutes(25), fake_time, None)
    assert totals == Totals(
        requests=3,
        records_posted=25,
        records_accepted=25,
        samples_posted=50,
        samples_accepted=50,
        first_s=0.0,
        last_s=24 * 60.0,
        rows_done=25,
        receipts=["1-2"] * 3,
    )
    assert fake_time.slept == []


def test_rejections_add_up_over_requests(fake_time: FakeTime) -> None:
    """By reason, records apart from values."""

    def picky(submission: Submission) -> Stored:
        return Stored(
            processed=len(submission.data) - 1,
            rejected=1,
            rejections=[Count("timestamp_too_old", 1)],
            values_dropped=[Count("value_out_of_range", 2)],
            duplicate=True,
        )

    pace = Pace(None, fake_time.clock())
    *_, totals = replay(minutes(20), SENDER, picky, 10, pace)
    assert totals.rejections == {"timestamp_too_old": 2}
    assert totals.values_dropped == {"value_out_of_range": 4}
    assert (totals.records_accepted, totals.records_rejected, totals.duplicates) == (18, 2, 2)


def test_sixty_times_faster_takes_a_sixtieth(fake_time: FakeTime) -> None:
    """29 minutes of rows are sent within 29 seconds, each batch when its last row is due."""
    run(minutes(30), fake_time, 60.0)
    assert fake_time.slept == [9.0, 10.0, 10.0]


def test_a_slow_pool_is_not_waited_for_twice(fake_time: FakeTime) -> None:
    """Time spent on sending counts; late batches are sent at once."""

    def slow(submission: Submission) -> Stored:
        fake_time.now_s += 12.0
        return accept(submission)

    for _ in replay(minutes(30), SENDER, slow, 10, Pace(60.0, fake_time.clock())):
        pass
    assert fake_time.slept == [9.0]


def test_an_interrupted_replay_says_where_to_go_on(pool: Pool, hub: Hub) -> None:
    """`rows_done` of the last totals, as `--skip`, leaves out nothing and repeats nothing."""
    rows = minutes(30)
    hub.scripted.clear()
    done = 0
    with pytest.raises(ClientError):  # noqa: PT012 - the failure comes from within the loop
        for totals in pool.send(rows, records_max=7):
            done = totals.rows_done
            if totals.requests == 2:
                hub.scripted.append(refusal(Refusal.TOKEN_WRONG))
    assert done == 14
    for _ in pool.send(rows[done:], records_max=7):
        pass
    times = [record["timestamp"] for one in hub.submissions for record in one.data]
    assert times == [row.timestamp_s for row in rows]


@given(st.lists(st.floats(0, 2e9), min_size=1, max_size=20), st.floats(1.7e9, 2e9))
def test_a_shift_to_now_keeps_all_distances(times: list[float], now_s: float) -> None:
    """The newest row ends within the last second before now; the others keep their distance."""
    rows = [Row(time_s, {"a": 1.0}, 7) for time_s in times]
    shift_s = shift_to_s(max(times), now_s)
    moved = list(shifted(rows, shift_s))
    newest_s = max(row.timestamp_s for row in moved)
    assert now_s - 1.001 < newest_s <= now_s + 1e-6
    assert shift_s == int(shift_s)
    assert all(
        after.timestamp_s == before.timestamp_s + shift_s
        for before, after in zip(rows, moved, strict=True)
    )
    assert all(row.number == 7 for row in moved)
