"""Dead sensors and infinities are not learnt from, and every value taken out is counted."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest

from heatpool_trainer.cleaning import Cleaned, clean, impossible
from heatpool_trainer.readings import HomeSeries

if TYPE_CHECKING:
    from heatpool_trainer.catalogue import Catalogue
    from heatpool_trainer.plan import Candidate

MINUTE_MS = 60_000


def home(**columns: list[float]) -> HomeSeries:
    """One reading a minute."""
    size = len(next(iter(columns.values())))
    return HomeSeries(
        "home",
        np.arange(size, dtype=np.int64) * MINUTE_MS,
        {name: np.array(values) for name, values in columns.items()},
    )


def test_a_pressure_that_stands_still_for_hours_is_a_dead_sensor(catalogue: Catalogue) -> None:
    """The whole run is blanked, what moves before and after it stays."""
    values = [8.0, 8.1] + [9.0] * 181 + [8.2]

    found, counters = clean(home(pressure_high=values), catalogue)

    assert counters == Cleaned(stuck=181)
    assert np.isnan(found.columns["pressure_high"]).sum() == 181
    assert found.columns["pressure_high"][[0, 1, -1]].tolist() == [8.0, 8.1, 8.2]


def test_a_run_just_short_of_the_limit_stays(catalogue: Catalogue) -> None:
    """180 minutes lie between 181 readings; 179 are normal."""
    found, counters = clean(home(pressure_high=[9.0] * 180 + [8.2]), catalogue)

    assert counters == Cleaned()
    assert not np.isnan(found.columns["pressure_high"]).any()


def test_missing_values_neither_end_nor_lengthen_a_run(catalogue: Catalogue) -> None:
    """A sensor that is dead between two outages is dead."""
    values = [9.0] * 100 + [math.nan] * 50 + [9.0] * 100

    _, counters = clean(home(pressure_low=values), catalogue)

    assert counters.stuck == 200


def test_status_and_unknown_fields_may_stand_still(catalogue: Catalogue) -> None:
    """A pump may heat all day."""
    _, counters = clean(home(status=[1.0] * 3_000, curve=[0.6] * 3_000), catalogue)

    assert counters == Cleaned()


def test_infinities_are_blanked_and_counted(catalogue: Catalogue) -> None:
    """They would poison sums and are no measurement."""
    found, counters = clean(home(x=[1.0, math.inf, -math.inf, math.nan]), catalogue)

    assert counters == Cleaned(not_finite=2)
    assert np.isnan(found.columns["x"]).tolist() == [False, True, True, True]


def test_cleaning_twice_is_cleaning_once(catalogue: Catalogue) -> None:
    """What was taken out once is not found again."""
    once, _ = clean(home(pressure_high=[9.0] * 300, x=[math.inf] * 300), catalogue)

    again, counters = clean(once, catalogue)

    assert counters == Cleaned()
    for name, column in once.columns.items():
        assert np.array_equal(again.columns[name], column, equal_nan=True)


@pytest.mark.parametrize(("sent", "count"), [(0xFFFF, 1), (-41.0, 1), (-40.0, 0), (math.nan, 0)])
def test_error_codes_are_impossible_values(candidate: Candidate, sent: float, count: int) -> None:
    """They are counted by the limits of the payload, which blank them at home as well."""
    assert impossible(candidate.detector, home(temp_outdoor=[sent, 3.0])) == count


def test_counters_of_homes_add_up() -> None:
    """A report is the sum of its homes."""
    assert Cleaned(stuck=1, impossible=2) + Cleaned(stuck=3, not_finite=4) == Cleaned(
        stuck=4, impossible=2, not_finite=4
    )
