"""A home's recording: columns over time, and the records a logger would post.

In: times and named columns. Out: JSON-able records. Guarantee: a record holds every column; a
value is a plain float, or an int where the sensor has no decimals.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from heatpool_contract.telemetry import TIMESTAMP_FIELD
from heatpool_fleet.chance import Floats
from heatpool_fleet.faults import Fault
from heatpool_fleet.homes import HomeSpec
from heatpool_fleet.sensors import CATALOGUE

if TYPE_CHECKING:
    from collections.abc import Iterator

_WHOLE: Final = frozenset(
    sensor.name for sensors in CATALOGUE.values() for sensor in sensors if not sensor.kind.decimals
)


class Recording(msgspec.Struct, frozen=True, eq=False):
    """What one home's logger stored."""

    home: HomeSpec
    timestamps_s: Floats
    """Seconds since the epoch, equally spaced, shape (records,)."""
    columns: dict[str, Floats]
    """By sensor name (`sensors.CATALOGUE`), each of shape (records,)."""
    fault: Fault | None

    @property
    def samples(self) -> int:
        """Number of values: records times columns."""
        return self.timestamps_s.size * len(self.columns)

    def records(self, begin: int = 0, end: int | None = None) -> Iterator[dict[str, float]]:
        """Records `begin` to `end` (exclusive) as loggers post them, `timestamp` first."""
        part = slice(begin, end)
        names = (TIMESTAMP_FIELD, *self.columns)
        values = [self.timestamps_s[part].tolist()]
        for name, column in self.columns.items():
            chosen = column[part]
            values.append((chosen.astype(np.int64) if name in _WHOLE else chosen).tolist())
        for row in zip(*values, strict=True):
            yield dict(zip(names, row, strict=True))
