"""What is not learnt from: infinities and dead sensors; and how much is not believed anyway.

In: readings of one home. Out: the same without them, and how many values each rule took.
Guaranteed: pure, idempotent, nothing is filled in, nothing disappears uncounted. Error codes
(0xFFFF, -1) and other impossible values need no rule here: the limits of a detector's fields blank
them at home and in training alike; `impossible` counts them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from heatpool_trainer import features
from heatpool_trainer.native import Bools, Floats, Integers, compiled
from heatpool_trainer.readings import HomeSeries

if TYPE_CHECKING:
    from heatpool_contract.detector import Detector
    from heatpool_trainer.catalogue import Catalogue

SECOND_MS: Final = 1_000


class Cleaned(msgspec.Struct, frozen=True, kw_only=True):
    """Values taken out of one home, or of all."""

    not_finite: int = 0
    stuck: int = 0
    """The same value for longer than the sensor can mean it."""
    impossible: int = 0
    """Sent, and outside of the limits of the sensor."""

    def __add__(self, other: Cleaned) -> Cleaned:
        return Cleaned(
            not_finite=self.not_finite + other.not_finite,
            stuck=self.stuck + other.stuck,
            impossible=self.impossible + other.impossible,
        )


def clean(series: HomeSeries, catalogue: Catalogue) -> tuple[HomeSeries, Cleaned]:
    """Blank infinities and stuck sensors, and count them."""
    columns = {
        name: np.where(np.isinf(column), np.nan, column) for name, column in series.columns.items()
    }
    infinite = sum(int(np.isinf(column).sum()) for column in series.columns.values())
    lengths_ms = {
        source.name: sensor.stuck_s_min * SECOND_MS
        for sensor in catalogue.sensors
        for source in sensor.sources
        if sensor.stuck_s_min > 0
    }
    stuck = 0
    for name, length_ms in lengths_ms.items():
        if name in columns:
            dead = _stuck(series.timestamps_ms, columns[name], length_ms)
            columns[name] = np.where(dead, np.nan, columns[name])
            stuck += int(dead.sum())
    counters = Cleaned(not_finite=infinite, stuck=stuck)
    return HomeSeries(series.home, series.timestamps_ms, columns), counters


def impossible(detector: Detector, series: HomeSeries) -> int:
    """Values that the detector's own limits blank."""
    count = 0
    for field in detector.fields:
        believed = features.sent(field, series)
        carried = np.zeros(believed.size, np.bool_)
        for source in field.sources:
            if source.name in series.columns:
                carried |= ~np.isnan(series.columns[source.name])
        count += int((carried & np.isnan(believed)).sum())
    return count


@compiled
def _stuck(timestamps_ms: Integers, values: Floats, length_ms_min: float) -> Bools:
    """Runs of one repeated value that last too long; missing values neither end nor extend them."""
    dead = np.zeros(values.size, np.bool_)
    start = -1
    last = -1
    for i in range(values.size + 1):
        if i < values.size and np.isnan(values[i]):
            continue
        if i < values.size and start >= 0 and values[i] == values[start]:
            last = i
            continue
        if start >= 0 and timestamps_ms[last] - timestamps_ms[start] >= length_ms_min:
            for k in range(start, last + 1):
                dead[k] = not np.isnan(values[k])
        start = i
        last = i
    return dead
