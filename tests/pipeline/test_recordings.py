"""Real recordings through the running services: a release from the healthy part, scores."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from heatpool_fleet.demo import recordings as told

if TYPE_CHECKING:
    from pathlib import Path

    from pool import Pool

pytestmark = [pytest.mark.pipeline, pytest.mark.slow, pytest.mark.timeout(600)]


def test_skab_runs_are_told_apart_by_a_release_trained_through_the_pool(
    whole_pool: Pool, recordings: Path, tmp_path: Path
) -> None:
    """The mean AUC over all runs is far above the 0.65 of the predecessor's detector."""
    rows = list(told.skab(whole_pool.stack, recordings, tmp_path))
    areas = [row.auc for row in rows if row.auc is not None]

    assert len(rows) == len(areas) == len(list((recordings / "skab").glob("*/*.csv")))
    assert np.mean(areas) >= 0.75


def test_faulty_days_of_an_air_handling_unit_stand_out_from_good_ones(
    whole_pool: Pool, recordings: Path, tmp_path: Path
) -> None:
    """A machine that is no heat pump trains without code: LBNL MZVAV-2-2, day by day."""
    rows = list(told.lbnl(whole_pool.stack, recordings, tmp_path))
    good = [row.over_healthy for row in rows if row.over_healthy is not None]
    faulty = [row.over_faulty for row in rows if row.over_faulty is not None]

    assert len(good) >= 3
    assert len(faulty) >= 10
    assert np.mean(faulty) > np.mean(good)
