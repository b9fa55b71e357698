"""The file that `heatpool score` wrote -> arrays."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from heatpool_fleet.chance import Floats

if TYPE_CHECKING:
    from pathlib import Path


class Scores(msgspec.Struct, frozen=True, eq=False):
    """One row a scored reading, shape (n,) each."""

    timestamp_s: Floats
    smoothed: Floats
    threshold: Floats
    over: Floats
    """1 where the score has been over its threshold for its debounce time."""

    def between(self, first_s: float, until_s: float) -> Scores:
        """Rows in [first, until)."""
        rows = (self.timestamp_s >= first_s) & (self.timestamp_s < until_s)
        return Scores(
            self.timestamp_s[rows], self.smoothed[rows], self.threshold[rows], self.over[rows]
        )


def read_scores(path: Path) -> Scores:
    """Scores of the leading channel."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = [
            (row["timestamp"], row["smoothed"], row["threshold"], row["over"] == "True")
            for row in csv.DictReader(file)
        ]
    table = np.array(rows, dtype=np.float64).reshape(-1, 4)
    return Scores(table[:, 0], table[:, 1], table[:, 2], table[:, 3])


def auc(healthy: Floats, faulty: Floats) -> float:
    """Chance that a faulty score is above a healthy one; ties count half (Mann-Whitney)."""
    ordered = np.sort(healthy)
    below = np.searchsorted(ordered, faulty, side="left")
    not_above = np.searchsorted(ordered, faulty, side="right")
    return float((below + not_above).mean() / 2 / healthy.size)
