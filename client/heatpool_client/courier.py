"""One round of sending: everything that waits, batch by batch, until all is stored or it is late.

In: the spool, a connection. Out: an emptier spool, `Notes`, when to come again. Guarantee: a batch
leaves the spool only when the pool said that it is stored; 429, 5xx and the network are waited for;
any other 4xx sets the batch aside with the server's reason; too large ones are halved. No sleeping
here: whoever calls decides how to wait.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from heatpool_client import pausing, retry, upload
from heatpool_client.connection import Refused, Unreachable
from heatpool_client.faults import ClientError
from heatpool_client.home import alone, read_private, write_private
from heatpool_client.submission import frozen_body
from heatpool_client.waiting import Batch, Reason

if TYPE_CHECKING:
    from heatpool_client.home import Home
    from heatpool_client.pool import Pool
    from heatpool_client.upload import Stored

STATUS_SPLIT: Final = (413, 408)
"""Too large, or too slow to arrive: smaller ones may do."""
STATUS_OWN: Final = (401, 403, 404, 410)
"""Said to this installation, not to the batch: the next one would hear the same."""
BACKOFF_S_FIRST: Final = 30.0
BACKOFF_S_MAX: Final = 3600.0
SKEW_S_MAX: Final = 60.0  # beyond it a warning; at 300 s in the future records are refused
RECEIPTS_MAX: Final = 20


class Notes(msgspec.Struct, kw_only=True):
    """How sending went, in `sending.json`."""

    last_try_s: float | None = None
    last_stored_s: float | None = None
    failures: int = 0
    """In a row."""
    not_before_s: float = 0.0
    """Server and backoff ask to wait until then."""
    problem: str | None = None
    """Code of the last failure; None after a success."""
    problem_text: str = ""
    problem_text_de: str = ""
    clock_skew_s: float | None = None
    """This clock minus the pool's, when it was measured last."""
    receipts: list[str] = []
    """Of the last requests."""


class Round(msgspec.Struct, kw_only=True):
    """What one round did."""

    requests: int = 0
    records: int = 0
    """Stored."""
    samples: int = 0
    duplicates: int = 0
    rejected: dict[str, int] = {}
    """Records that the pool left out, by reason."""
    values_dropped: dict[str, int] = {}
    refused_batches: int = 0
    waiting: int = 0
    """Records that still wait, set aside ones included."""
    wait_s: float = 0.0
    """Until the next round."""
    busy: bool = False
    """Another process is sending."""
    problem: str | None = None


def send_waiting(pool: Pool, *, at_once: bool = False) -> Round:
    """Send what waits.

    Args:
        pool: the installation.
        at_once: also if the server or the backoff asked to wait longer; not during a pause.

    Raises:
        ClientError: no consent, no token, `spool_unusable`, `state_unusable`.
    """
    done = Round()
    notes = read_notes(pool.home)
    now_s = pool.clock.now_s()
    if pausing.paused_until(pool.home, now_s) is not None:  # looked at often: it can end early
        return Round(wait_s=BACKOFF_S_FIRST * 2, problem=pausing.PAUSED)
    interval_s = pool.config.interval_s * (0.9 + 0.2 * pool.clock.chance())
    asked_s = min(notes.not_before_s - now_s, 86_400.0)  # a clock that jumped back
    if asked_s > 0 and not at_once:
        return Round(wait_s=asked_s, problem=notes.problem)
    with alone(pool.home.root / "send.lock") as mine:
        if not mine:
            return Round(wait_s=min(BACKOFF_S_FIRST, interval_s), busy=True)
        pool.edge()  # consent and token, before anything is frozen
        pool.spool.drop_old()
        failure = _send_all(pool, done, notes)
        _note(pool, notes, failure)
        done.waiting = pool.spool.waiting().records
    done.problem = notes.problem
    done.wait_s = max(notes.not_before_s - now_s, 0.0) if notes.failures else interval_s
    return done


def read_notes(home: Home) -> Notes:
    """How sending went; empty notes if there are none that can be read."""
    try:
        return msgspec.json.decode(read_private(home.sending) or b"{}", type=Notes)
    except (ValueError, ClientError):  # worth a fresh start, not a failure
        return Notes()


def _send_all(pool: Pool, done: Round, notes: Notes) -> ClientError | None:
    """The failure that ended the round, or None."""
    config = pool.config
    while batch := pool.spool.due(pool.sender, config.batch_records_max, config.order):
        now_s = pool.clock.now_s()
        notes.last_try_s = now_s
        content = frozen_body(batch.sender, batch.records, now_s)
        try:
            stored = upload.deliver(pool.edge(), content, batch.attempts, pool.clock)
        except Refused as refused:
            if refused.status in STATUS_SPLIT and len(batch.records) > 1:
                pool.spool.split(batch)
                continue
            pool.spool.refuse(batch, _reason(refused, now_s))
            done.refused_batches += 1
            if refused.status in STATUS_OWN:
                return refused
        except ClientError as failure:  # the network, a captive portal, a withdrawn consent
            return failure
        else:
            _store(pool, batch, stored, done)
            notes.last_stored_s = now_s
            notes.clock_skew_s = stored.clock_skew_s
            if stored.receipt is not None:
                notes.receipts = [*notes.receipts, stored.receipt][-RECEIPTS_MAX:]
    return None


def _store(pool: Pool, batch: Batch, stored: Stored, done: Round) -> None:
    counts = {
        "sent_requests": 1,
        "sent_records": stored.processed,
        "sent_samples": stored.samples,
        "duplicates": int(stored.duplicate),
    }
    for one in stored.rejections:
        counts[f"rejected.{one.reason}"] = one.count
        done.rejected[one.reason] = done.rejected.get(one.reason, 0) + one.count
    for one in stored.values_dropped:
        counts[f"value_dropped.{one.reason}"] = one.count
        done.values_dropped[one.reason] = done.values_dropped.get(one.reason, 0) + one.count
    pool.spool.done(batch, counts)
    done.requests += 1
    done.records += stored.processed
    done.samples += stored.samples
    done.duplicates += stored.duplicate


def _note(pool: Pool, notes: Notes, failure: ClientError | None) -> None:
    if failure is None:
        notes.failures, notes.not_before_s, notes.problem = 0, 0.0, None
        notes.problem_text = notes.problem_text_de = ""
    else:
        asked_s = failure.retry_after_s if isinstance(failure, Unreachable) else None
        longest_s = min(BACKOFF_S_MAX, pool.config.interval_s)
        notes.failures += 1
        wait_s = retry.backoff_s(
            notes.failures, asked_s, BACKOFF_S_FIRST, longest_s, pool.clock.chance()
        )
        notes.not_before_s = pool.clock.now_s() + wait_s
        notes.problem = str(failure.code)
        notes.problem_text, notes.problem_text_de = failure.text("en"), failure.text("de")
    write_private(pool.home.sending, msgspec.json.encode(notes) + b"\n")


def _reason(refused: Refused, now_s: float) -> Reason:
    problem = refused.problem
    return Reason(
        status=refused.status,
        code=problem.code,
        detail=problem.detail,
        detail_de=problem.detail_de or problem.detail,
        at_s=int(now_s),
    )
