"""Real recordings through the same running services: a release from the healthy part, then scores.

SKAB (waico/SKAB 0.9): a water circuit with pump and valves. The first 400 rows of each run are the
published training part; the rest is scored row by row against its labels.
"""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import numpy as np
import pytest
from owner import Owner, wait_for_release

from heatpool_fleet.demo.scores import auc, read_scores

if TYPE_CHECKING:
    from pathlib import Path

    from pool import Pool

pytestmark = [pytest.mark.pipeline, pytest.mark.slow, pytest.mark.timeout(600)]
TRAINING_ROWS = 400


def test_skab_runs_are_told_apart_by_a_release_trained_through_the_pool(
    whole_pool: Pool, recordings: Path, tmp_path: Path
) -> None:
    """The mean AUC over all runs is far above the 0.65 of the predecessor's detector."""
    runs = sorted((recordings / "skab").glob("*/*.csv"))
    owner = Owner(whole_pool, tmp_path / "home", "SKAB")
    owner.init()
    for number, run in enumerate(runs):
        sent = owner.send(
            str(run), *_columns(), "--limit", str(TRAINING_ROWS), "--shift", "now",
            *(("--installation-id", _home(number)) if number else ()),
        )  # fmt: skip
        assert sent == (TRAINING_ROWS, TRAINING_ROWS * 8)

    release = wait_for_release(whole_pool)
    opened = owner.run("update")
    areas = [_area(owner, run, tmp_path / f"{number}.csv") for number, run in enumerate(runs)]

    assert release["installations"] == len(runs)
    assert opened["outcome"] == "activated"
    assert np.mean(areas) >= 0.75


def _columns() -> tuple[str, ...]:
    return ("--time-column", "datetime", "--drop", "anomaly", "--drop", "changepoint")


def _home(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012x}"


def _area(owner: Owner, run: Path, output: Path) -> float:
    """AUC of the scores after the training part against the labels of their rows."""
    owner.run("score", str(run), *_columns(), "--output", str(output))
    with run.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    table = read_scores(output)
    stamps = np.array([np.datetime64(row["datetime"]) for row in rows]).astype("datetime64[s]")
    labels = np.array([float(row["anomaly"]) for row in rows])
    index = np.searchsorted(stamps.astype(np.float64), table.timestamp_s)
    later = index >= TRAINING_ROWS
    faulty = labels[index] > 0
    return auc(table.smoothed[later & ~faulty], table.smoothed[later & faulty])
