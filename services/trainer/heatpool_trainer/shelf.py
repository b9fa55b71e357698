"""What the channels see of homes, in files: of a whole fleet it is more than memory should hold.

In: `HomeInputs`. Out: a `StoredInputs` that reads any part of it back, bit by bit. Guarantee: plain
arrays, nothing that runs code when loaded; what has been read is held by the reader alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec
import numpy as np

from heatpool_trainer.cross_fit import HomeInputs, Inputs

if TYPE_CHECKING:
    from pathlib import Path

ITEM_BYTES: Final = 8  # of a timestamp, of a number


class _Place(msgspec.Struct, frozen=True):
    """Where one channel's inputs are: timestamps, then vectors row by row."""

    offset: int
    rows: int
    features: int
    starts: tuple[int, ...]


class StoredInputs(msgspec.Struct, frozen=True):
    """As `HomeInputs`, in a file."""

    fold: int
    to_ms: int
    path: str
    places: list[list[dict[str, _Place]]]

    @property
    def models(self) -> int:
        """Number of them."""
        return len(self.places)

    def seen(self, model: int, mode: int, kind: str) -> Inputs:
        """What one channel sees under one model."""
        place = self.places[model][mode][kind]
        with open(self.path, "rb") as file:  # noqa: PTH123 - a path object for each is slow
            file.seek(place.offset)
            times_ms = np.fromfile(file, np.int64, place.rows)
            vectors = np.fromfile(file, np.float64, place.rows * place.features)
        return Inputs(times_ms, vectors.reshape(place.rows, place.features), place.starts)

    def rows(self, model: int, mode: int, kind: str) -> int:
        """How many vectors that are."""
        return self.places[model][mode][kind].rows


AnyInputs: TypeAlias = HomeInputs | StoredInputs


def store(name: str, home: HomeInputs, folder: Path) -> StoredInputs:
    """Write what is seen of a home, or of a part of it, into the folder."""
    path = folder / f"{name.replace('/', '-')}.inputs"
    places: list[list[dict[str, _Place]]] = []
    offset = 0
    with path.open("wb") as file:
        for modes in home.inputs:
            places.append([])
            for kinds in modes:
                places[-1].append({})
                for kind, one in kinds.items():
                    rows, features = one.vectors.shape
                    places[-1][-1][kind] = _Place(offset, rows, features, one.starts)
                    one.timestamps_ms.tofile(file)
                    one.vectors.tofile(file)
                    offset += rows * (features + 1) * ITEM_BYTES
    return StoredInputs(home.fold, home.to_ms, str(path), places)
