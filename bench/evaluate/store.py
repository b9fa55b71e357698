"""Recordings and results on disk, so that a part runs once and the next starts from it.

In: recordings of the fleet, results of parts. Out: the same again. Guarantee: readings come back
exactly (they are decimal numbers of few digits, kept as whole numbers), a file is there whole or
not at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

import msgspec
import numpy as np

from heatpool_trainer.readings import HomeSeries

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from heatpool_trainer.native import Floats

SCALE: Final = 100.0  # no sensor of the fleet's plain scheme has more than two decimals
SHORT_MAX: Final = np.iinfo(np.int16).max

Result = TypeVar("Result", bound=msgspec.Struct)


def write_bytes(path: Path, raw: bytes) -> None:
    """Write a file that is never seen half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(path.suffix + ".partial")
    partial.write_bytes(raw)
    partial.replace(path)


def save_result(path: Path, result: msgspec.Struct) -> None:
    """Keep what a part found, as JSON."""
    write_bytes(path, msgspec.json.format(msgspec.json.encode(result), indent=1))


def load_result(path: Path, kind: type[Result]) -> Result | None:
    """What a part found, if it has run."""
    return msgspec.json.decode(path.read_bytes(), type=kind) if path.exists() else None


def save_series(path: Path, homes: Sequence[HomeSeries]) -> None:
    """Recordings of equal length and columns into one compressed file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = {
        name: _whole(np.array([home.columns[name] for home in homes])) for name in homes[0].columns
    }
    partial = path.with_suffix(".partial.npz")
    np.savez_compressed(
        partial,
        allow_pickle=False,
        names=np.array([home.home for home in homes]),
        timestamps_ms=homes[0].timestamps_ms,
        **{f"c_{name}": column for name, column in columns.items()},
    )
    partial.replace(path)


def load_series(path: Path) -> list[HomeSeries]:
    """Recordings of a file."""
    with np.load(path, allow_pickle=False) as file:
        names = [str(name) for name in file["names"]]
        times_ms = file["timestamps_ms"]
        columns = {key.removeprefix("c_"): file[key] for key in file.files if key.startswith("c_")}
    return [
        HomeSeries(
            name,
            times_ms,
            {field: values[place] / SCALE for field, values in columns.items()},
        )
        for place, name in enumerate(names)
    ]


class Files:
    """Homes over several files, iterated again and again, one file in memory at a time."""

    def __init__(self, paths: Sequence[Path]) -> None:
        """Remember the files."""
        self._paths = tuple(paths)

    def __iter__(self) -> Iterator[HomeSeries]:
        """The homes of all files in order."""
        for path in self._paths:
            yield from load_series(path)


def _whole(values: Floats) -> np.ndarray[tuple[int, ...], np.dtype[np.signedinteger]]:
    scaled = np.round(values * SCALE)
    fits = bool(np.abs(scaled).max(initial=0.0) <= SHORT_MAX)
    return scaled.astype(np.int16 if fits else np.int32)
