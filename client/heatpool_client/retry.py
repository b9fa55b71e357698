"""When to ask again. Pure.

In: which attempt failed, what the server asked for, chance. Out: seconds to wait, or None to give
up for now. Guarantee: waits grow, are spread so that a fleet does not return as one, honour
Retry-After, and never add up to more than was allowed.

Equal jitter after "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015): half of the wait
is certain, so that a server that fails at once is not asked in a tight loop. Retry-After: RFC 9110,
10.2.3.
"""

from __future__ import annotations

from typing import Final, NamedTuple

WAIT_S_FIRST: Final = 1.0
WAIT_S_MAX: Final = 60.0  # of the client's own choice; the server may ask for longer
_DOUBLINGS_MAX: Final = 16  # 2**16 s is far above WAIT_S_MAX; keeps the power small
STATUS_TOO_MANY: Final = 429
STATUS_SERVER_ERROR: Final = 500


class Failure(NamedTuple):
    """What is known of a failed attempt."""

    attempt: int
    """1 for the first."""
    elapsed_s: float
    """Since the first attempt began."""
    retry_after_s: float | None
    """What the server asked for."""


def is_worth_repeating(status: int) -> bool:
    """Whether the same request may succeed later: 429 and 5xx."""
    return status == STATUS_TOO_MANY or status >= STATUS_SERVER_ERROR


def skew_s(date: str | None, now_s: float) -> float | None:
    """How far this clock is ahead of the `Date` of an answer (RFC 9110, 6.6.1); None: no date.

    Whole seconds, and the answer's way is in it: good enough for clocks that are off by minutes.
    """
    found_s = _date_s(date)
    return None if found_s is None else now_s - found_s


def wait_s(failure: Failure, budget_s: float, chance: float) -> float | None:
    """Seconds to wait before the next attempt; None if the budget does not allow it.

    Args:
        failure: the last attempt.
        budget_s: how long attempts and waits may take together.
        chance: uniform in [0, 1).
    """
    wait = backoff_s(failure.attempt, failure.retry_after_s, WAIT_S_FIRST, WAIT_S_MAX, chance)
    return wait if failure.elapsed_s + wait <= budget_s else None


def backoff_s(
    attempt: int, asked_s: float | None, first_s: float, longest_s: float, chance: float
) -> float:
    """Seconds to wait after the failure of `attempt` (1 for the first).

    Args:
        attempt: how many failed in a row.
        asked_s: what the server asked for.
        first_s: the longest wait after the first failure; it doubles.
        longest_s: the longest wait of our own choice.
        chance: uniform in [0, 1).
    """
    ceiling_s = min(longest_s, first_s * 2.0 ** min(attempt - 1, _DOUBLINGS_MAX))
    wait = ceiling_s * (1.0 + chance) / 2.0
    if asked_s is not None:  # never earlier than asked, and not all at that moment
        wait = max(wait, asked_s + min(ceiling_s, asked_s) * chance)  # 0 is no leave to hammer
    return wait


def retry_after_s(value: str | None, now_s: float) -> float | None:
    """The header as seconds from now; None if it is missing or makes no sense."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    found_s = _date_s(text)
    return None if found_s is None else max(0.0, found_s - now_s)


def _date_s(text: str | None) -> float | None:
    from datetime import UTC  # noqa: PLC0415 - servers usually say seconds
    from email.utils import parsedate_to_datetime  # noqa: PLC0415 - 14 ms at import

    try:
        date = parsedate_to_datetime(text or "")
        return date.replace(tzinfo=date.tzinfo or UTC).timestamp()
    except (ValueError, OverflowError):
        return None
