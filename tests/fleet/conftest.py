"""Recordings that several tests of the fleet look at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from simulators.field import small_year

from heatpool_fleet.homes import make_homes
from heatpool_fleet.simulation import simulate

if TYPE_CHECKING:
    from heatpool_fleet.recording import Recording

JANUARY_S = 1_768_003_200.0  # 2026-01-10


@pytest.fixture(scope="session")
def year() -> list[list[Recording]]:
    """24 homes, two days of each month: a year in small."""
    return small_year(24)


@pytest.fixture(scope="session")
def winter() -> list[Recording]:
    """Six homes in three winter days."""
    return simulate(make_homes(6, 7), JANUARY_S, 3.0, 60.0, 7)
