"""Readings of homes as files: one for each home of a training, read again and again.

In: readings of one home. Out: a `StoredHome` that reads them back, bit by bit. Guarantee: one home
in memory; plain arrays, nothing that runs code when loaded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from heatpool_trainer.readings import HomeSeries

if TYPE_CHECKING:
    from pathlib import Path


class _Columns(msgspec.Struct, frozen=True):
    """Little-endian arrays."""

    timestamps_ms: bytes
    columns: dict[str, bytes]


_decoder = msgspec.msgpack.Decoder(_Columns)


class MalformedSeriesError(Exception):
    """Bytes that `encode` did not write."""


class StoredHome(msgspec.Struct, frozen=True):
    """A home in a file."""

    home: str
    path: str

    def load(self) -> HomeSeries:
        """All its readings."""
        with open(self.path, "rb") as file:  # noqa: PTH123 - a path object a home and pass is slow
            return decode(self.home, file.read())


def store(series: HomeSeries, folder: Path) -> StoredHome:
    """Write a home into the folder."""
    path = folder / series.home
    path.write_bytes(encode(series))
    return StoredHome(series.home, str(path))


def encode(series: HomeSeries) -> bytes:
    """Readings to bytes; equal readings give equal bytes."""
    return msgspec.msgpack.encode(
        _Columns(
            series.timestamps_ms.astype("<i8").tobytes(),
            {name: series.columns[name].astype("<f8").tobytes() for name in sorted(series.columns)},
        )
    )


def decode(home: str, raw: bytes) -> HomeSeries:
    """What `encode` wrote.

    Raises:
        MalformedSeriesError: it did not.
    """
    try:
        found = _decoder.decode(raw)
        timestamps_ms = np.frombuffer(found.timestamps_ms, "<i8").astype(np.int64)
        columns = {
            name: np.frombuffer(column, "<f8").astype(np.float64)
            for name, column in found.columns.items()
        }
    except ValueError as error:
        raise MalformedSeriesError(str(error)) from error
    if any(column.size != timestamps_ms.size for column in columns.values()):
        raise MalformedSeriesError("columns of different lengths")
    return HomeSeries(home, timestamps_ms, columns)
