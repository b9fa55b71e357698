"""Rows to the pool, one request after the other, as fast as wanted.

In: rows, a way to send a submission. Out: `Totals` after each request. Guarantee: what was posted,
accepted, rejected and dropped is counted; if a request fails, the totals say where to go on.

An old recording is brought to today by adding the same number of seconds to every row.
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, Final

import msgspec

from heatpool_client.submission import Row, submissions
from heatpool_contract.telemetry import TIMESTAMP_FIELD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from heatpool_client.clock import Clock
    from heatpool_client.submission import Sender
    from heatpool_client.upload import Count, Stored
    from heatpool_contract.telemetry import Submission

RECEIPTS_MAX: Final = 20  # enough to ask how the last day is doing


class Totals(msgspec.Struct, kw_only=True):
    """What has happened so far."""

    requests: int = 0
    duplicates: int = 0
    """Requests that the pool had already."""
    records_posted: int = 0
    records_accepted: int = 0
    records_rejected: int = 0
    samples_posted: int = 0
    samples_accepted: int = 0
    rejections: dict[str, int] = {}
    """Records by reason."""
    values_dropped: dict[str, int] = {}
    """Values of accepted records by reason."""
    first_s: float | None = None
    last_s: float | None = None
    """Times of the first and last row posted, as posted."""
    rows_done: int = 0
    """Rows of the file that need not be read again: `--skip` of a second run."""
    receipts: list[str] = []
    """Of the last requests, at most `RECEIPTS_MAX`."""


def replay(
    rows: Iterable[Row],
    sender: Sender,
    send: Callable[[Submission], Stored],
    records_max: int,
    pace: Pace,
) -> Iterator[Totals]:
    """Send rows and yield the totals after each request (the same object every time).

    Args:
        rows: in the order of time, if a speed is wanted.
        sender: whose they are.
        send: stores one submission or raises.
        records_max: of one request.
        pace: how fast.

    Raises:
        ClientError: what `rows` and `send` raise; the totals yielded last still hold.
    """
    totals = Totals()
    numbers: deque[int] = deque()
    for submission in submissions(_noting(rows, numbers), sender, records_max):
        pace.wait(submission)
        _add(totals, submission, send(submission))
        for _ in submission.data:
            totals.rows_done = numbers.popleft()
        yield totals


class Pace:
    """Sleeps so that recorded time passes `speed` times as fast as the clock."""

    def __init__(self, speed: float | None, clock: Clock) -> None:
        """`speed` None: no waiting at all."""
        self._speed = speed
        self._clock = clock
        self._start: tuple[float, float] | None = None

    def wait(self, submission: Submission) -> None:
        """Sleep until the last record of the submission is due."""
        if self._speed is None:
            return
        due_s = _time(submission, -1)
        now_s = self._clock.monotonic_s()
        if self._start is None:
            self._start = (now_s, _time(submission, 0))
        start_s, first_s = self._start
        ahead_s = (due_s - first_s) / self._speed - (now_s - start_s)
        if ahead_s > 0:
            self._clock.sleep(ahead_s)


def shifted(rows: Iterable[Row], shift_s: float) -> Iterator[Row]:
    """The rows, `shift_s` seconds later."""
    for row in rows:
        yield Row(row.timestamp_s + shift_s, row.values, row.number) if shift_s else row


def shift_to_s(last_s: float, now_s: float) -> float:
    """Whole seconds that bring `last_s` to just before `now_s`."""
    return math.floor(now_s - last_s)


def _noting(rows: Iterable[Row], numbers: deque[int]) -> Iterator[Row]:
    """Remember the numbers of rows that wait for their request: `submissions` looks one ahead."""
    for row in rows:
        numbers.append(row.number)
        yield row


def _add(totals: Totals, submission: Submission, stored: Stored) -> None:
    totals.requests += 1
    totals.duplicates += stored.duplicate
    totals.records_posted += len(submission.data)
    totals.records_accepted += stored.processed
    totals.records_rejected += stored.rejected
    totals.samples_posted += sum(len(record) - 1 for record in submission.data)
    totals.samples_accepted += stored.samples
    _count(totals.rejections, stored.rejections)
    _count(totals.values_dropped, stored.values_dropped)
    times = [_time(submission, index) for index in range(len(submission.data))]
    totals.first_s = min(times) if totals.first_s is None else min(totals.first_s, *times)
    totals.last_s = max(times) if totals.last_s is None else max(totals.last_s, *times)
    if stored.receipt is not None:
        totals.receipts = [*totals.receipts, stored.receipt][-RECEIPTS_MAX:]


def _count(into: dict[str, int], counts: Iterable[Count]) -> None:
    for one in counts:
        into[one.reason] = into.get(one.reason, 0) + one.count


def _time(submission: Submission, index: int) -> float:
    value = submission.data[index][TIMESTAMP_FIELD]
    return float(value) if isinstance(value, float | int) else 0.0
