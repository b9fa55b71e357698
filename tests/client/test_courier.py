"""Rounds of sending: what leaves the spool, what stays, what is set aside, when to come again."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import msgspec
import pytest
from simulators.hub import Hub, Reply, json, refusal
from simulators.publisher import NOW_S

from heatpool_client import consent
from heatpool_client.courier import read_notes, send_waiting
from heatpool_client.faults import ClientError, Fault
from heatpool_client.submission import Row, Sender, body, frozen_body, submissions
from heatpool_contract import telemetry
from heatpool_contract.answers import KeysAnswer
from heatpool_contract.refusals import Refusal

if TYPE_CHECKING:
    from simulators.faketime import FakeTime

    from heatpool_client.pool import Pool


def fill(pool: Pool, count: int, start: int = 0) -> None:
    """Records that wait, a minute apart."""
    pool.spool.append(
        (
            (NOW_S - 60 * (start + count - i)) * 1000,
            msgspec.json.encode({"timestamp": NOW_S - 60 * (start + count - i), "a": start + i}),
        )
        for i in range(count)
    )


def bodies(hub: Hub) -> list[telemetry.Submission]:
    """What was sent, without the time of sending."""
    decoded = (telemetry.decode(gzip.decompress(one.body)) for one in hub.requests)
    return [msgspec.structs.replace(one, sent_at=None) for one in decoded]


def test_frozen_records_make_the_same_bytes(pool: Pool) -> None:
    """As a submission that is encoded whole."""
    rows = [Row(float(i), {"a": i + 0.5, "on": True}) for i in range(3)]
    (made,) = submissions(rows, pool.sender)
    raw = [msgspec.json.encode(record) for record in made.data]
    sender = Sender(pool.config.installation, pool.config.model, pool.config.version)
    assert frozen_body(sender, raw, 12.5) == body(made, 12.5)


def test_thirty_days_are_sent_at_once_in_requests_below_ten_megabytes(pool: Pool, hub: Hub) -> None:
    """43,200 readings of 40 fields: a day a request, each once."""
    wide = {f"field_{i}": 20.5 + i for i in range(40)}
    pool.spool.append(
        (
            (NOW_S - 60 * (43_200 - i)) * 1000,
            msgspec.json.encode({"timestamp": NOW_S - 60 * (43_200 - i), **wide}),
        )
        for i in range(43_200)
    )
    done = send_waiting(pool)
    assert (done.requests, done.records, done.waiting) == (30, 43_200, 0)
    assert len({record["timestamp"] for one in hub.submissions for record in one.data}) == 43_200
    assert max(len(gzip.decompress(one.body)) for one in hub.requests) < 10_000_000


def test_an_answer_lost_on_the_way_is_repeated_as_the_same_request(pool: Pool, hub: Hub) -> None:
    """The pool knows it, and nothing is stored twice."""
    fill(pool, 5)
    hub.scripted.append(Reply(hang_up=True))
    first = send_waiting(pool)
    fill(pool, 3, start=5)
    second = send_waiting(pool, at_once=True)
    assert (first.problem, first.records) == ("unreachable", 0)
    assert (second.records, second.waiting, second.problem) == (8, 0, None)
    sent = bodies(hub)
    assert sent[0] == sent[1]
    assert [one.headers.get("retry-attempt") for one in hub.requests] == [None, "1", None]


@pytest.mark.parametrize(
    "failure",
    [
        Reply(hang_up=True),
        Reply(500, b"<html>oops</html>"),
        refusal(Refusal.BUS_UNAVAILABLE),
        Reply(429),
        Reply(200, b"<html>log in to our hotspot</html>"),
        json(KeysAnswer(status="bound"), 202),
        Reply(302, b"", {"location": "https://other.example/"}),
    ],
    ids=["hang up", "500", "503", "429", "garbage", "202", "redirect"],
)
def test_what_may_pass_is_waited_for(
    pool: Pool, hub: Hub, fake_time: FakeTime, failure: Reply
) -> None:
    """Nothing is lost or sent elsewhere; waits double up to an hour; asking early does nothing."""
    fill(pool, 2)
    waits = []
    for _ in range(9):
        hub.scripted.append(failure)
        waits.append(send_waiting(pool).wait_s)
        assert send_waiting(pool).wait_s == pytest.approx(waits[-1])
        fake_time.now_s += waits[-1]
    assert len(hub.requests) == 9
    assert waits[:3] == pytest.approx([22.5, 45.0, 90.0])
    assert waits[-1] == pytest.approx(2700.0)
    assert send_waiting(pool).records == 2
    assert read_notes(pool.home).failures == 0


def test_retry_after_is_obeyed_across_restarts(pool: Pool, hub: Hub, fake_time: FakeTime) -> None:
    """It is written down, but no server can silence a logger for ever."""
    fill(pool, 1)
    hub.scripted.append(refusal(Refusal.BUS_UNAVAILABLE, retry_after_s=7200))
    assert 7200 <= send_waiting(pool).wait_s <= 7215
    fake_time.now_s += 7000
    assert send_waiting(pool).requests == 0
    fake_time.now_s -= 10_000_000
    assert send_waiting(pool).wait_s <= 86_400


@pytest.mark.parametrize(
    ("code", "stops"),
    [
        (Refusal.BODY_MISSHAPEN, False),
        (Refusal.TOKEN_WRONG, True),
        (Refusal.INSTALLATION_GONE, True),
    ],
)
def test_what_will_never_be_taken_is_set_aside(
    pool: Pool,
    hub: Hub,
    code: Refusal,
    stops: bool,  # noqa: FBT001 - a table
) -> None:
    """With the server's reason; the others go on unless it concerns the sender."""
    fill(pool, 1440)
    fill(pool, 2, start=1440)
    hub.scripted.append(refusal(code))
    done = send_waiting(pool)
    (aside,) = pool.spool.waiting().set_aside
    assert (aside.records, aside.reason.code) == (1440, code)
    assert aside.reason.detail != aside.reason.detail_de
    assert (done.refused_batches, done.records) == (1, 0 if stops else 2)
    assert len(hub.requests) == (1 if stops else 2)
    assert (done.problem is None) == (not stops)


def test_too_large_requests_are_halved_until_they_fit(pool: Pool, hub: Hub) -> None:
    """413 splits; every record arrives once."""
    fill(pool, 100)
    hub.records_max = 30
    done = send_waiting(pool)
    assert (done.records, done.refused_batches) == (100, 0)
    assert sorted(len(one.data) for one in hub.submissions) == [25, 25, 25, 25]
    hub.records_max = 0
    fill(pool, 1)
    assert send_waiting(pool).refused_batches == 1


def test_partial_rejections_are_counted_by_reason(pool: Pool, hub: Hub) -> None:
    """And kept in the spool's totals."""
    fill(pool, 3)
    hub.rejected_index = 1
    done = send_waiting(pool)
    assert done.rejected == {"timestamp_in_future": 1}
    counts = pool.spool.waiting().counts
    assert (counts["rejected.timestamp_in_future"], counts["sent_records"]) == (1, 2)


@pytest.mark.parametrize("said", [True, False], ids=["in the answer", "by the Date header"])
def test_a_wrong_clock_is_noticed(pool: Pool, hub: Hub, said: bool) -> None:  # noqa: FBT001 - a table
    """The edge's own measure counts before that of HTTP."""
    fill(pool, 1)
    hub.skew_s = 3600.0 if said else None
    hub.date_s = NOW_S - 3600.0
    send_waiting(pool)
    assert read_notes(pool.home).clock_skew_s == 3600.0


def test_a_withdrawal_in_the_middle_ends_the_round(
    pool: Pool, hub: Hub, fake_time: FakeTime
) -> None:
    """No request goes out after it."""
    fill(pool, 3000)
    usual = hub.answer

    def withdraw_after_the_first(seen: object) -> Reply:
        consent.withdraw(pool.home, fake_time.now_s)
        return usual(seen)  # type: ignore[arg-type]  # as it came

    hub.answer = withdraw_after_the_first  # type: ignore[method-assign]  # the world changes
    assert send_waiting(pool).problem == "consent_missing"
    assert len(hub.requests) == 1
    with pytest.raises(ClientError) as caught:
        send_waiting(pool, at_once=True)
    assert caught.value.code is Fault.CONSENT_MISSING
