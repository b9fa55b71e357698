"""Exports of many homes on disk, so that a training can go through them again and again.

In: readings of one home at a time. Out: an iterable of homes. Guarantee: one home in memory; the
folder disappears with the training; what is read back is what was written, bit by bit (npy files
without object arrays, which would run code when loaded).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from heatpool_trainer.readings import HomeSeries

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_TIMES = "timestamps_ms"


class Spool:
    """Homes in a folder, in the order in which they were added."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._homes: list[str] = []

    def __len__(self) -> int:
        return len(self._homes)

    def add(self, series: HomeSeries) -> int:
        """Write a home; its number of values that are not missing."""
        folder = self._folder / series.home
        (folder / "columns").mkdir(parents=True)
        np.save(folder / _TIMES, series.timestamps_ms, allow_pickle=False)
        values = 0
        for name, column in series.columns.items():
            np.save(folder / "columns" / name, column, allow_pickle=False)
            values += int(np.isfinite(column).sum())
        self._homes.append(series.home)
        return values

    def __iter__(self) -> Iterator[HomeSeries]:
        for home in self._homes:
            folder = self._folder / home
            yield HomeSeries(
                home,
                np.load(folder / f"{_TIMES}.npy", allow_pickle=False),
                {
                    path.stem: np.load(path, allow_pickle=False)
                    for path in sorted((folder / "columns").glob("*.npy"))
                },
            )
