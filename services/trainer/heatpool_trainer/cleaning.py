"""What is not learnt from: dead sensors and readings that follow one another too closely.

In: readings of one home. Out: the same without them, and how many values each rule took. Guaranteed:
pure, idempotent, nothing is filled in and nothing disappears uncounted. Error codes (0xFFFF, -1) and
other impossible values need no rule here: the limits of the field blank them at home and in training
alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from heatpool_trainer import features
from heatpool_trainer.native import Bools, Floats, Integers, compiled
from heatpool_trainer.readings import HomeSeries

if TYPE_CHECKING:
    from heatpool_trainer.catalogue import Catalogue

SECOND_MS = 1_000


class Cleaned(msgspec.Struct, frozen=True, kw_only=True):
    """Values taken out of one home, or of all."""

    not_finite: int = 0
    out_of_range: int = 0
    """Sent, and impossible for the sensor; blanked by the detector's own limits."""
    stuck: int = 0
    """The same value for longer than the sensor can mean it."""

    def __add__(self, other: Cleaned) -> Cleaned:
        return Cleaned(
            not_finite=self.not_finite + other.not_finite,
            out_of_range=self.out_of_range + other.out_of_range,
            stuck=self.stuck + other.stuck,
        )


def clean(series: HomeSeries, catalogue: Catalogue) -> tuple[HomeSeries, Cleaned]:
    """Blank infinities and stuck sensors; count those and what is out of range."""
    columns, infinite, outside, stuck = {}, 0, 0, 0
    for name, column in series.columns.items():
        columns[name] = np.where(np.isinf(column), np.nan, column)
        infinite += int(np.isinf(column).sum())
    for sensor in catalogue.sensors:
        for source in sensor.sources:
            sent = columns.get(source.name)
            if sent is None:
                continue
            alone = msgspec.structs.replace(sensor, sources=(source,))
            value = features.sent(
                alone, HomeSeries(series.home, series.timestamps_ms, {source.name: sent})
            )
            outside += int((~np.isnan(sent) & np.isnan(value)).sum())
            if sensor.stuck_s_min > 0:
                dead = _stuck(series.timestamps_ms, sent, sensor.stuck_s_min * SECOND_MS)
                columns[source.name] = np.where(dead, np.nan, sent)
                stuck += int(dead.sum())
    counters = Cleaned(not_finite=infinite, out_of_range=outside, stuck=stuck)
    return HomeSeries(series.home, series.timestamps_ms, columns), counters


@compiled
def _stuck(timestamps_ms: Integers, values: Floats, length_ms_min: float) -> Bools:
    """Whole runs of one repeated value that last too long; missing values neither end nor extend."""
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
