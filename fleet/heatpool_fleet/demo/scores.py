"""The file that `heatpool score` wrote -> arrays."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from numpy.typing import NDArray

from heatpool_fleet.chance import Floats

if TYPE_CHECKING:
    from pathlib import Path


class Scores(msgspec.Struct, frozen=True, eq=False):
    """One row a scored reading, shape (n,) each."""

    timestamp_s: Floats
    smoothed: Floats
    threshold: Floats
    channel: NDArray[np.str_]
    """`mode/channel` that leads."""
    over: Floats
    """1 where the score has been over its threshold for its debounce time."""

    def between(self, first_s: float, until_s: float) -> Scores:
        """Rows in [first, until)."""
        rows = (self.timestamp_s >= first_s) & (self.timestamp_s < until_s)
        return self.of(rows)

    def of(self, rows: NDArray[np.bool_]) -> Scores:
        """Some of the rows."""
        return Scores(
            self.timestamp_s[rows],
            self.smoothed[rows],
            self.threshold[rows],
            self.channel[rows],
            self.over[rows],
        )


def read_scores(path: Path) -> Scores:
    """Scores of the leading channel."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))

    def column(name: str) -> Floats:
        return np.array([row[name] for row in rows], dtype=np.float64)

    return Scores(
        column("timestamp"),
        column("smoothed"),
        column("threshold"),
        np.array([f"{row['mode']}/{row['channel']}" for row in rows], dtype=np.str_),
        np.array([row["over"] == "True" for row in rows], dtype=np.float64),
    )


def auc(healthy: Floats, faulty: Floats) -> float:
    """Chance that a faulty score is above a healthy one; ties count half (Mann-Whitney)."""
    ordered = np.sort(healthy)
    below = np.searchsorted(ordered, faulty, side="left")
    not_above = np.searchsorted(ordered, faulty, side="right")
    return float((below + not_above).mean() / 2 / healthy.size)
