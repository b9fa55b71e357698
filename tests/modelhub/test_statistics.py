"""Statistics over homes: what is shown, and that no home can be read from it."""

from __future__ import annotations

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heatpool_contract.community import Snapshot
from heatpool_modelhub.statistics import Rules, next_snapshot, percentile, quantile

RULES = Rules(homes_min=15)
FRESH = Snapshot(model="aero", window="7d", metric="cop", day=20_000, stats=None)
VALUES = st.floats(0.5, 12)


def homes(count: int, base: float = 3.0) -> dict[str, float]:
    """So many homes of nearly the same kind."""
    return {f"{number:032x}": base + number * 0.01 for number in range(count)}


@pytest.mark.parametrize(("count", "is_shown"), [(0, False), (14, False), (15, True), (16, True)])
def test_nothing_is_shown_below_fifteen_homes(count: int, is_shown: bool) -> None:  # noqa: FBT001 - a parameter
    """K is a lower bound of everything."""
    assert (next_snapshot(None, FRESH, homes(count), RULES).stats is not None) is is_shown


def test_home_that_dominates_is_in_no_average() -> None:
    """16 % of the sum is one home's: the average goes, the median stays."""
    values = homes(20) | {"f" * 32: 0.16 / 0.84 * sum(homes(20).values()) + 0.1}

    stats = next_snapshot(None, FRESH, values, RULES).stats

    assert stats is not None
    assert stats.avg is None
    assert stats.median == 3.1


@pytest.mark.parametrize(
    ("count", "quartiles", "ends"),
    [
        (15, False, False),
        (19, False, False),
        (20, True, False),
        (99, True, False),
        (100, True, True),
    ],
)
def test_quantile_needs_five_homes_beyond_it(
    count: int,
    quartiles: bool,  # noqa: FBT001 - a parameter
    ends: bool,  # noqa: FBT001 - a parameter
) -> None:
    """Quartiles from 20 homes on, 5 % and 95 % from 100; never minimum and maximum."""
    stats = next_snapshot(None, FRESH, homes(count), RULES).stats

    assert stats is not None
    assert (stats.p25 is not None, stats.p75 is not None) == (quartiles, quartiles)
    assert (stats.p5 is not None, stats.p95 is not None) == (ends, ends)
    assert stats.n == count // 5 * 5


@pytest.mark.parametrize(("change", "is_new"), [(0, True), (1, False), (2, False), (3, True)])
@pytest.mark.parametrize("is_join", [True, False])
def test_difference_of_two_snapshots_shows_no_home(
    change: int,
    is_new: bool,  # noqa: FBT001 - a parameter
    is_join: bool,  # noqa: FBT001 - a parameter
) -> None:
    """With one or two homes more or less, yesterday's figures stay as they are."""
    few, many = homes(30), homes(30 + change)
    last = next_snapshot(None, FRESH, few if is_join else many, RULES)
    tomorrow = msgspec.structs.replace(FRESH, day=20_001)

    after = next_snapshot(last, tomorrow, many if is_join else few, RULES)

    assert after.day == (20_001 if is_new else 20_000)
    assert is_new or after is last


def test_changes_add_up_against_what_was_published() -> None:
    """One home more every day: every third day there are new figures."""
    last = next_snapshot(None, FRESH, homes(30), RULES)
    days = []
    for day in range(1, 10):
        last = next_snapshot(
            last, msgspec.structs.replace(FRESH, day=20_000 + day), homes(30 + day), RULES
        )
        days.append(last.day - 20_000)

    assert days == [0, 0, 3, 3, 3, 6, 6, 6, 9]


def test_shrinking_below_k_ends_what_was_shown() -> None:
    """No figure of it is left."""
    last = next_snapshot(None, FRESH, homes(15), RULES)

    after = next_snapshot(last, FRESH, homes(14), RULES)

    assert (after.stats, after.quantiles) == (None, ())


def test_a_day_below_k_does_not_open_the_way_to_a_difference() -> None:
    """Fifteen homes, fourteen, fifteen with another one: compared with what was seen last."""
    shown = next_snapshot(None, FRESH, homes(15), RULES)
    hidden = next_snapshot(shown, FRESH, homes(14), RULES)

    swapped = next_snapshot(hidden, FRESH, homes(14) | {"e" * 32: 3.0}, RULES)
    same = next_snapshot(hidden, FRESH, homes(15), RULES)
    others = next_snapshot(hidden, FRESH, homes(17), RULES)

    assert swapped.stats is None
    assert same.stats == shown.stats
    assert others.stats is None  # two more than were shown
    assert next_snapshot(others, FRESH, homes(18), RULES).stats is not None


@given(st.lists(VALUES, min_size=15, max_size=200), VALUES)
def test_no_published_figure_depends_on_the_outermost_home(values: list[float], own: float) -> None:
    """Replacing the largest value by any larger one moves nothing but the average."""
    named = {f"{number:032x}": value for number, value in enumerate(values)}
    top = max(named, key=lambda home: named[home])
    one = next_snapshot(None, FRESH, named, RULES).stats
    other = next_snapshot(None, FRESH, named | {top: named[top] + own}, RULES).stats

    assert one is not None
    assert other is not None
    assert msgspec.structs.replace(one, avg=0) == msgspec.structs.replace(other, avg=0)


@given(st.lists(VALUES, min_size=15, max_size=200), VALUES, VALUES)
def test_percentile_grows_with_the_value_and_stays_off_the_ends(
    values: list[float], one: float, other: float
) -> None:
    """Monotone, in steps of 5, with at least 5 homes beyond it on either side."""
    named = {f"{number:032x}": value for number, value in enumerate(values)}
    snapshot = next_snapshot(None, FRESH, named, RULES)
    low, high = (percentile(snapshot, value) for value in sorted((one, other)))

    assert low is not None
    assert high is not None
    assert low <= high
    assert low % 5 == high % 5 == 0
    assert high / 100 <= max(0.5, 1 - 5 / snapshot.stats.n) + 1e-9  # type: ignore[union-attr]  # shown


@given(st.lists(st.one_of(VALUES, st.just(math.nan), st.just(math.inf)), max_size=60))
def test_any_values_give_finite_figures(values: list[float]) -> None:
    """What is no number is no home."""
    named = {f"{number:032x}": value for number, value in enumerate(values)}
    snapshot = next_snapshot(None, FRESH, named, RULES)

    assert (snapshot.stats is None) == (sum(map(math.isfinite, values)) < 15)
    assert all(map(math.isfinite, snapshot.quantiles))


def test_quantiles_are_those_of_the_book() -> None:
    """Linear interpolation; the ends are the ends."""
    assert [quantile([1.0, 2.0, 4.0], share) for share in (0, 0.25, 0.5, 0.75, 1)] == [
        1.0, 1.5, 2.0, 3.0, 4.0,
    ]  # fmt: skip
