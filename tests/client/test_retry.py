"""When a request is repeated: waits, budgets, Retry-After."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heatpool_client.retry import WAIT_S_MAX, Failure, is_worth_repeating, retry_after_s, wait_s

NOW_S = 1_795_219_200.0  # Sat, 21 Nov 2026 00:00:00 GMT


@given(
    st.integers(1, 10_000),
    st.floats(0, 1e6),
    st.none() | st.floats(0, 1e9),
    st.floats(0, 1, exclude_max=True),
)
def test_wait_is_never_earlier_than_asked_nor_beyond_the_budget(
    attempt: int, elapsed_s: float, asked_s: float | None, chance: float
) -> None:
    """Whatever fails, a wait respects Retry-After and fits into what is left."""
    wait = wait_s(Failure(attempt, elapsed_s, asked_s), 300.0, chance)
    if wait is None:
        return
    assert elapsed_s + wait <= 300.0
    assert wait >= max(asked_s or 0.0, 0.5)
    if asked_s is None:
        assert wait <= WAIT_S_MAX


def test_waits_double_up_to_the_longest() -> None:
    """1, 2, 4 ... 60 seconds at full chance."""
    waits = [wait_s(Failure(attempt, 0, None), 1e9, 1.0) for attempt in range(1, 10)]
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_equal_failures_wait_differently() -> None:
    """Chance spreads a fleet over half of the wait."""
    assert wait_s(Failure(4, 0, None), 1e9, 0.0) == 4
    assert wait_s(Failure(4, 0, None), 1e9, 0.5) == 6


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("7", 7.0),
        (" 0 ", 0.0),
        ("Sat, 21 Nov 2026 00:01:00 GMT", 60.0),
        ("Sat, 21 Nov 2026 00:01:00 -0000", 60.0),
        ("Fri, 20 Nov 2026 00:00:00 GMT", 0.0),
        ("-3", None),
        ("soon", None),
        ("", None),
        ("1" * 400, 111_111_111.0),
    ],
)
def test_retry_after_is_read_as_seconds_or_date(header: str | None, seconds: float | None) -> None:
    """RFC 9110, 10.2.3, and nonsense is as if there were none."""
    assert retry_after_s(header, NOW_S) == seconds


@given(st.text(max_size=40))
def test_no_retry_after_header_is_an_error(header: str) -> None:
    """A hostile header is a wait or nothing."""
    seconds = retry_after_s(header, NOW_S)
    assert seconds is None or seconds >= 0


@pytest.mark.parametrize("status", [429, 500, 502, 503, 599])
def test_busy_servers_are_asked_again(status: int) -> None:
    """429 and every 5xx."""
    assert is_worth_repeating(status)


@pytest.mark.parametrize("status", [200, 204, 301, 400, 401, 403, 404, 408, 409, 410, 413, 422])
def test_verdicts_are_not_questioned(status: int) -> None:
    """The same request would get the same answer."""
    assert not is_worth_repeating(status)
