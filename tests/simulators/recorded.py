"""Recordings of simulated homes as the trainer gets them, and a plan small enough for tests."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from heatpool_fleet.homes import make_homes
from heatpool_fleet.simulation import simulate
from heatpool_trainer.plan import TrainingPlan
from heatpool_trainer.readings import HomeSeries, select

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from heatpool_fleet.faults import Fault

JANUARY_S: Final = 1_767_571_200.0  # 2026-01-05
DAY_MS: Final = 86_400_000
PLAN: Final = TrainingPlan(
    model="aero_slm", seeds=(1,), trees=40, samples_per_home_max=500, vectors_per_home_max=300
)


def record(
    indices: Sequence[int],
    days: float,
    *,
    seed: int = 3,
    start_s: float = JANUARY_S,
    faults: Mapping[int, Fault] | None = None,
) -> list[HomeSeries]:
    """Recordings of homes of one fleet, a reading a minute."""
    homes = [home for home in make_homes(max(indices) + 1, 3) if home.index in indices]
    return [
        HomeSeries(
            f"{one.home.index:032x}", (one.timestamps_s * 1000).astype(np.int64), one.columns
        )
        for one in simulate(homes, start_s, days, 60.0, seed, faults)
    ]


def disturbed(series: HomeSeries) -> HomeSeries:
    """With gaps, missing values, error codes and readings too close to the last."""
    chance = np.random.default_rng(5)
    size = series.timestamps_ms.size
    columns = {name: column.copy() for name, column in series.columns.items()}
    columns["cop_current"][chance.random(size) < 0.3] = math.nan
    columns["pressure_low"][4_000:9_000] = math.nan
    columns["temp_outdoor"][chance.random(size) < 0.01] = 3276.7
    times_ms = series.timestamps_ms + chance.integers(0, 20_000, size)
    whole = HomeSeries(series.home, times_ms, columns)
    kept = chance.random(size) > 0.05
    kept[6_000:6_400] = False
    return select(whole, kept)
