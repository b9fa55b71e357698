"""What is counted once a day, and which models may be named."""

from __future__ import annotations

from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heatpool_contract import census as contract
from heatpool_contract.census import DAYS_MAX
from heatpool_modelhub.census import EMPTY, next_census, shown_homes
from heatpool_modelhub.eligibility import Pool
from heatpool_modelhub.statistics import CHANGE_MIN, Rules

RULES = Rules(15)


def pools(**homes: int) -> dict[str, Pool]:
    """Models with so many homes."""
    return {model: Pool(count, 1_000 * count) for model, count in homes.items()}


def seen(*counts: int) -> list[int | None]:
    """What a reader sees of one model, day by day; None: its name is not there."""
    census, shown = EMPTY, []
    for day, count in enumerate(counts):
        census = next_census(census, day, pools(rare=count, common=40), RULES)
        named = {one.model: one for one in census.models if one.is_shown}
        shown.append(shown_homes(named["rare"].homes) if "rare" in named else None)
    return shown


def test_a_model_is_named_from_the_least_number_on() -> None:
    """With 14 homes it is among the others; the number has steps of five."""
    assert seen(14, 15, 19, 22) == [None, 15, 15, 20]


def test_one_or_two_homes_that_come_or_go_are_not_seen() -> None:
    """19 to 20 and back is one home: the figure of the last publication stands."""
    assert seen(19, 20, 21, 22, 20, 19) == [15, 15, 15, 20, 20, 15]


def test_below_the_least_number_a_name_goes_at_once_and_comes_back_late() -> None:
    """15, 14, 16 would show one home and two; back it comes with three more than was seen."""
    assert seen(15, 14, 16, 17, 18) == [15, None, None, None, 15]


def test_growth_is_one_value_a_day_for_four_hundred_days() -> None:
    """Run twice, a day is there once; the oldest days go; sums have two digits."""
    census = EMPTY
    for day in range(DAYS_MAX + 5):
        for _ in range(2):
            census = next_census(census, day, pools(a=day + 1), RULES)

    assert [one.day for one in census.days] == list(range(5, DAYS_MAX + 5))
    assert (census.days[-1].homes, census.days[-1].points) == (405, 400_000)
    assert len(contract.encode(census)) < 25_000
    assert contract.decode(contract.encode(census)) == census
    with pytest.raises(contract.MalformedCensusError):
        contract.decode(b"{}")


@given(st.lists(st.integers(0, 40), min_size=2, max_size=12))
def test_no_two_days_that_differ_show_fewer_than_three_homes(counts: list[int]) -> None:
    """Whatever comes and goes: two different published counts are at least three homes apart."""
    census, published = EMPTY, []
    for day, count in enumerate(counts):
        census = next_census(census, day, pools(rare=count), RULES)
        for one in census.models:
            if one.is_shown:
                assert count >= RULES.homes_min
                published.append(one.homes)

    steps = [abs(a - b) for a, b in pairwise(published)]
    assert all(step == 0 or step >= CHANGE_MIN for step in steps)


def test_the_entry_holds_counts_and_names_of_models_alone() -> None:
    """No list of homes, no hash of one: nothing that an erasure would have to take out."""
    census = next_census(EMPTY, 1, pools(common=20, rare=3), RULES)

    assert msgspec.to_builtins(census) == {
        "days": ({"day": 1, "homes": 23, "points": 23_000},),
        "models": ({"model": "common", "homes": 20, "is_shown": True},),
        "others": 3,
    }
