"""Pointers: who tries a release first."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from heatpool_contract.release import is_canary

HOMES = [f"{number:032x}" for number in range(4000)]
HASH = "ab" * 32


@given(st.floats(0, 1), st.floats(0, 1), st.text("0123456789abcdef", min_size=32, max_size=32))
def test_raising_the_share_takes_nobody_out(one: float, other: float, home: str) -> None:
    """Who tries a release among the first 5 % is also among the first 50 %."""
    low, high = sorted((one, other))

    assert is_canary(home, HASH, low) <= is_canary(home, HASH, high)


def test_share_is_met_and_each_release_has_other_homes() -> None:
    """5 % of homes, give or take; nought is nobody and one is everybody."""
    first = {home for home in HOMES if is_canary(home, HASH, 0.05)}
    second = {home for home in HOMES if is_canary(home, "cd" * 32, 0.05)}

    assert 150 < len(first) < 250
    assert len(first & second) < 50
    assert not any(is_canary(home, HASH, 0.0) for home in HOMES)
    assert all(is_canary(home, HASH, 1.0) for home in HOMES)
