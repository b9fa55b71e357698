"""The fleet beside 312 monitored heat pumps (heatpumpmonitor.org): medians and spread.

The year in small is colder than the monitored homes' (mostly British) year, so the COP sits a
little lower; the share of Carnot, which weather does not move, must match closely.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from simulators.field import FIELD_FILE, Quantiles, column, field_quantiles, quantities, small_year

if TYPE_CHECKING:
    from heatpool_fleet.chance import Floats
    from heatpool_fleet.recording import Recording


@pytest.fixture(scope="module")
def year() -> list[list[Recording]]:
    """64 homes, a day of each month."""
    return small_year(64, 1.0)


@pytest.fixture(scope="module")
def figures(year: list[list[Recording]]) -> dict[str, Floats]:
    """The fleet's yearly figures."""
    return quantities(year)


@pytest.fixture(scope="module")
def field() -> dict[str, Quantiles]:
    """The field's quantiles; skips where they are missing."""
    known = field_quantiles()
    if known is None:
        pytest.skip(f"no field data: set HEATPOOL_DATA to a folder that holds {FIELD_FILE}")
    return known


@pytest.mark.parametrize(
    "quantity",
    [
        "combined_cop",
        "space_cop",
        "water_cop",
        "running_prc_carnot",
        "combined_starts_per_hour",
        "running_flowT_mean",
        "running_heat_mean",
    ],
)
def test_fleet_lies_where_the_field_does(
    figures: dict[str, Floats], field: dict[str, Quantiles], quantity: str
) -> None:
    """The median lies in the field's middle half, most homes in its middle 90 %."""
    ours, theirs = figures[quantity], field[quantity]

    assert theirs.p25 <= np.median(ours) <= theirs.p75
    assert np.mean((ours >= theirs.p05) & (ours <= theirs.p95)) >= 0.8


def test_homes_of_one_model_scatter_as_in_the_field(
    year: list[list[Recording]], figures: dict[str, Floats]
) -> None:
    """Share of Carnot by about 7 %, flow-return spread about 3.8 K and by about 20 %."""
    carnot = figures["running_prc_carnot"]
    running = column(year, "compressor_freq") > 0.0
    spread = column(year, "temp_flow") - column(year, "temp_return")
    mean_spread = (spread * running).sum(axis=1) / running.sum(axis=1)

    assert 0.04 < carnot.std() / carnot.mean() < 0.10
    assert 3.0 < np.median(mean_spread) < 4.8
    assert 0.13 < mean_spread.std() / mean_spread.mean() < 0.32
