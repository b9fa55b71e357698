"""PURE: which models have new data, and when to train them.

In: subjects and sequences of the stream. Out: news for each model, and which are due. Guarantee:
functions of their arguments; a message seen twice counts twice at most towards "something is new",
never towards the data, which come from the store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from heatpool_contract.identity import CANARY_SLUG
from heatpool_contract.release import News

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

RETRY_S_FIRST: Final = 30.0
RETRY_S_MAX: Final = 3600.0
FAILURES_COUNTED_MAX: Final = 16  # two to the power of it is far beyond `RETRY_S_MAX`
_TOKENS: Final = 3


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


def fold(
    known: Mapping[str, News], seen: Iterable[tuple[str, int]], now_ms: int
) -> dict[str, News]:
    """News of the models among `seen` (subject, stream sequence), after them."""
    changed: dict[str, News] = {}
    for subject, seq in seen:
        model = model_of(subject)
        if model is None or model == CANARY_SLUG:
            continue
        before = changed.get(model) or known.get(model)
        changed[model] = News(
            model=model,
            messages=(before.messages if before else 0) + 1,
            seq_last=max(seq, before.seq_last if before else 0),
            seen_ms=now_ms,
            trained_ms=before.trained_ms if before else 0,
            failures=before.failures if before else 0,
        )
    return changed


def is_due(
    news: News, now_ms: int, *, quiet_s: float, interval_s_min: float, interval_s_max: float
) -> bool:
    """Whether the model is to be trained now."""
    if news.messages == 0:
        return False
    since_training_s = (now_ms - news.trained_ms) / 1000
    if since_training_s < max(interval_s_min, pause_s(news.failures)):
        return False
    return (now_ms - news.seen_ms) / 1000 >= quiet_s or (
        news.trained_ms > 0 and since_training_s >= interval_s_max
    )


def pause_s(failures: int) -> float:
    """How long to wait after this many trainings in a row that broke off."""
    return min(RETRY_S_FIRST * 2.0 ** (failures - 1), RETRY_S_MAX) if failures else 0.0


def after_training(before: News, current: News, began_ms: int, *, failed: bool) -> News:
    """News that remain: what came while the training ran, or all if it broke off."""
    if failed:
        return msgspec.structs.replace(
            current, trained_ms=began_ms, failures=min(current.failures + 1, FAILURES_COUNTED_MAX)
        )
    return msgspec.structs.replace(
        current, messages=current.messages - before.messages, trained_ms=began_ms, failures=0
    )
