"""First look at every home: what it sends, how often, in which ranges.

In: one home at a time. Out: a small `Survey`. Guaranteed: a survey depends on its home alone, so
that homes may be looked at in any order and a removed home leaves no trace in the others'.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from heatpool_trainer import features

if TYPE_CHECKING:
    from heatpool_contract.detector import Source
    from heatpool_trainer.catalogue import Catalogue, Sensor
    from heatpool_trainer.native import Floats
    from heatpool_trainer.readings import HomeSeries

TAIL: Final = 0.005  # share of readings on each side that may be nonsense
COUNTER_RISES_MIN: Final = 0.999  # share of steps that do not fall, of an energy counter


class Span(msgspec.Struct, frozen=True):
    """Usual range of an unknown field in one home."""

    low: float
    high: float
    counter: bool
    """Only ever rises, such as a meter: no state of the machine."""


class Sent(msgspec.Struct, frozen=True):
    """What one source of a sensor of the catalogue gives."""

    coverage: float
    """Share of readings with a value in range."""
    peak: float
    """Quantile .995, in the sensor's unit."""


class Survey(msgspec.Struct, frozen=True, kw_only=True):
    """One home at a glance."""

    home: str
    from_ms: int
    to_ms: int
    readings: int
    interval_ms: int
    sources: dict[str, tuple[Sent, ...]]
    """By sensor of the catalogue, one for each of its sources."""
    others: dict[str, Span]
    """Fields that no sensor of the catalogue claims, and that have values in most readings."""


def survey(series: HomeSeries, catalogue: Catalogue, coverage_min: float) -> Survey | None:
    """Look at one home; None if it has fewer than two readings."""
    size = series.timestamps_ms.size
    if size < 2:  # noqa: PLR2004 - an interval needs two
        return None
    claimed = {source.name for sensor in catalogue.sensors for source in sensor.sources}
    others = {}
    for name, column in series.columns.items():
        finite = column[np.isfinite(column)]
        if name not in claimed and finite.size >= coverage_min * size:
            others[name] = _span(finite)
    return Survey(
        home=series.home,
        from_ms=int(series.timestamps_ms[0]),
        to_ms=int(series.timestamps_ms[-1]),
        readings=size,
        interval_ms=int(np.median(np.diff(series.timestamps_ms))),
        sources={
            sensor.name: tuple(_sent(sensor, source, series) for source in sensor.sources)
            for sensor in catalogue.sensors
        },
        others=others,
    )


def _sent(sensor: Sensor, source: Source, series: HomeSeries) -> Sent:
    values = features.sent(msgspec.structs.replace(sensor, sources=(source,)), series)
    finite = values[~np.isnan(values)]
    if not finite.size:
        return Sent(0.0, 0.0)
    return Sent(finite.size / values.size, float(np.quantile(finite, 1.0 - TAIL)))


def _span(finite: Floats) -> Span:
    low, high = np.quantile(finite, (TAIL, 1.0 - TAIL))
    steps = np.diff(finite)
    moving = steps[steps != 0.0]
    rises = moving.size > 0 and float(np.mean(moving > 0.0)) >= COUNTER_RISES_MIN
    return Span(float(low), float(high), rises and finite[-1] > finite[0])
