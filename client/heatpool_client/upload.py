"""Submissions to the edge, repeated until they are stored or refused.

In: a `Submission`. Out: the edge's answer. Guarantee: 200 and a readable answer mean stored;
429, 5xx and network errors are repeated within the budget, nothing else is; a repeat is the same
content, which the pool stores once.
"""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Final

import msgspec

from heatpool_client import retry
from heatpool_client.config import SUBMIT_PATH
from heatpool_client.connection import Unreachable, refusal
from heatpool_client.faults import ClientError, Fault
from heatpool_client.submission import body

if TYPE_CHECKING:
    from heatpool_client.clock import Clock
    from heatpool_client.connection import Answer, Connection
    from heatpool_contract.telemetry import Submission

STATUS_OK: Final = 200
STATUS_ERROR: Final = 400
GZIP_LEVEL: Final = 6  # numbers shrink to a fifth; 9 takes twice the time for 1 % on a Pi
_ATTEMPT_MAX: Final = 999  # as far as the edge counts
_HEADERS: Final = {"content-type": "application/json", "content-encoding": "gzip"}


class Count(msgspec.Struct, frozen=True):
    """How often something was rejected, and where first."""

    reason: str
    count: int
    first_index: int = 0


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """`answers.SubmitAnswer` as a logger reads it.

    Codes are text and all but `processed` has a default: older and newer edges know other codes
    and members, and an answer that is not understood must not make stored data look lost.
    """

    processed: int
    """Records stored."""
    rejected: int = 0
    """Records not stored."""
    rejections: list[Count] = []
    """Rejected records by reason."""
    values_dropped: list[Count] = []
    """Single values left out of records that were stored, by reason."""
    samples: int = 0
    """Values stored."""
    duplicate: bool = False
    """The pool had this request already; nothing was stored twice."""
    receipt: str | None = None
    clock_skew_s: float | None = None
    """How far this clock is ahead of the pool's, by the pool's own measure."""


def deliver(connection: Connection, content: bytes, attempt: int, clock: Clock) -> Stored:
    """Send the bytes of one request once.

    Args:
        connection: to the edge.
        content: before gzip.
        attempt: how often it was tried before; the edge spreads repeats by it.
        clock: for `Retry-After` as a date.

    Raises:
        Unreachable: not now.
        Refused: the edge will never take it.
        ClientError: `redirected`, `answer_garbled`.
    """
    packed = gzip.compress(content, GZIP_LEVEL, mtime=0)
    answer = _post(connection, packed, attempt, clock)
    stored = _read(connection, answer)
    if stored.clock_skew_s is None:
        skew_s = retry.skew_s(answer.headers.get("date"), clock.now_s())
        stored = msgspec.structs.replace(stored, clock_skew_s=skew_s)
    return stored


def submit(
    connection: Connection, submission: Submission, retry_s_max: float, clock: Clock
) -> Stored:
    """Send one request until it is stored.

    Args:
        connection: to the edge.
        submission: at most 20,000 records.
        retry_s_max: how long attempts and waits may take together; 0 = one attempt.
        clock: time, sleep and chance.

    Raises:
        Unreachable: not now; keep the submission.
        Refused: the edge will never take it.
        ClientError: `redirected`, `answer_garbled`.
    """
    start_s = clock.monotonic_s()
    attempt = 0
    while True:
        attempt += 1
        try:
            return deliver(connection, body(submission, clock.now_s()), attempt - 1, clock)
        except Unreachable as error:
            failure = retry.Failure(attempt, clock.monotonic_s() - start_s, error.retry_after_s)
            wait_s = retry.wait_s(failure, retry_s_max, clock.chance())
            if wait_s is None:
                raise
        clock.sleep(wait_s)


def _post(connection: Connection, content: bytes, attempt: int, clock: Clock) -> Answer:
    headers = _HEADERS | ({"retry-attempt": str(min(attempt, _ATTEMPT_MAX))} if attempt else {})
    answer = connection.ask("POST", SUBMIT_PATH, headers=headers, content=content)
    if retry.is_worth_repeating(answer.status):
        asked_s = retry.retry_after_s(answer.headers.get("retry-after"), clock.now_s())
        said = refusal(answer).problem
        raise Unreachable(f"status {answer.status}, {said.code}", asked_s)
    if answer.status >= STATUS_ERROR:
        raise refusal(answer)
    return answer


def _read(connection: Connection, answer: Answer) -> Stored:
    if answer.status != STATUS_OK:  # 202 or 204 do not say that anything was stored
        raise ClientError(
            Fault.ANSWER_GARBLED, connection.base_url, f"status {answer.status} to a submission"
        )
    try:
        return msgspec.json.decode(answer.body, type=Stored)
    except ValueError as error:  # a captive portal says 200, too
        raise ClientError(Fault.ANSWER_GARBLED, connection.base_url, error) from error
