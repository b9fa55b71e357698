"""PURE: which models have new data, and when to train them.

In: subjects and sequences of the stream, a schedule. Out: news for each model, and which are due.
Guarantee: functions of their arguments; a message seen twice counts twice at most towards
"something is new", never towards the data, which come from the store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from heatpool_contract.identity import CANARY_SLUG

if TYPE_CHECKING:
    from collections.abc import Iterable

    from heatpool_contract.release import News

DAY_MS: Final = 86_400_000
RETRY_S_FIRST: Final = 30.0
RETRY_S_MAX: Final = 3600.0
FAILURES_COUNTED_MAX: Final = 16  # two to the power of it is far beyond `RETRY_S_MAX`
_TOKENS: Final = 3


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """An operator's rules."""

    quiet_s: float
    """News are complete once nothing more came for this long, ..."""
    interval_s_min: float
    """... and are not worth a training more often than this, ..."""
    interval_s_max: float
    """... but at the latest after this, however busy the stream."""
    messages_min: int = 1
    """That many are worth a training."""
    daily_at_s: int | None = None
    """Seconds since midnight UTC: then anything new is."""


def model_of(subject: str) -> str | None:
    """Slug in `telemetry.<model>.<installation>`."""
    tokens = subject.split(".")
    return tokens[1] if len(tokens) == _TOKENS else None


def missed(seen: int, seqs: Iterable[int]) -> int:
    """How many messages after `seen`, up to the newest of `seqs`, are not among them.

    Nought if nothing was ever seen: a stream may have a past that is none of the trainer's.
    """
    new = {seq for seq in seqs if seq > seen}
    return max(new) - seen - len(new) if seen and new else 0


def counted(seen: Iterable[tuple[str, int]]) -> dict[str, tuple[int, int]]:
    """Number of messages and newest sequence by model, of (subject, stream sequence)."""
    found: dict[str, tuple[int, int]] = {}
    for subject, seq in seen:
        model = model_of(subject)
        if model is not None and model != CANARY_SLUG:
            messages, last = found.get(model, (0, 0))
            found[model] = (messages + 1, max(seq, last))
    return found


def noted(before: News, messages: int, seq_last: int, now_ms: int) -> News:
    """News after more messages."""
    return msgspec.structs.replace(
        before,
        messages=before.messages + messages,
        seq_last=max(before.seq_last, seq_last),
        seen_ms=now_ms,
    )


def is_due(news: News, now_ms: int, schedule: Schedule) -> bool:
    """Whether the model is to be trained now.

    Asked for by an operator; or once a day if there is anything new since the last training; or
    for the amount of what is new.
    """
    since_training_s = (now_ms - news.trained_ms) / 1000
    if since_training_s < pause_s(news.failures):
        return False
    if news.requested_ms > news.trained_ms:
        return True
    if news.messages == 0:
        return False
    if news.trained_ms and schedule.daily_at_s is not None:
        midnight_ms = now_ms // DAY_MS * DAY_MS
        if news.trained_ms < midnight_ms + schedule.daily_at_s * 1000 <= now_ms:
            return True
    if news.messages < schedule.messages_min or since_training_s < schedule.interval_s_min:
        return False
    return (now_ms - news.seen_ms) / 1000 >= schedule.quiet_s or (
        news.trained_ms > 0 and since_training_s >= schedule.interval_s_max
    )


def pause_s(failures: int) -> float:
    """How long to wait after this many trainings in a row that broke off."""
    return min(RETRY_S_FIRST * 2.0 ** (failures - 1), RETRY_S_MAX) if failures else 0.0


def after_training(before: News, current: News, began_ms: int, *, failed: bool) -> News:
    """News that remain: what came while the training ran, or all if it broke off."""
    if failed:
        failures = min(current.failures + 1, FAILURES_COUNTED_MAX)
        # What was asked for stays asked for.
        requested_ms = began_ms + 1 if before.requested_ms > before.trained_ms else 0
        return msgspec.structs.replace(
            current,
            trained_ms=began_ms,
            failures=failures,
            requested_ms=max(current.requested_ms, requested_ms),
        )
    again = current.requested_ms > began_ms
    return msgspec.structs.replace(
        current,
        messages=max(0, current.messages - before.messages),
        trained_ms=began_ms,
        failures=0,
        requested_ms=current.requested_ms if again else 0,
        accepted=current.accepted if again else (),
    )
