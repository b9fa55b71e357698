"""The training window of one heat-pump model, home by home, out of VictoriaMetrics.

In: a model's slug, whole days. Out: homes, then the readings of one home at a time. Guarantee: one
home in memory; homes in the order of their pseudonyms; a home's series are joined by timestamp
before anything else sees them, because the export is series by series; a day that is taken from the
day store has the count and the sum of every series that VictoriaMetrics has now.

A day is (midnight, midnight], as the store's own windows are: then its fingerprint covers it.
"""

from __future__ import annotations

import itertools
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from heatpool_chassis.victoria import times
from heatpool_trainer.readings import HomeSeries, joined, pivot, select

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from heatpool_chassis.victoria import Victoria
    from heatpool_trainer.day_store import DayStore
    from heatpool_trainer.native import Floats, Integers

SERIES_PREFIX: Final = "heatpump_"
DAY_MS: Final = 86_400_000
_NOT_READINGS: Final = "heatpump_(batch_samples|info)"
_RUN_DAYS_MAX: Final = 30  # 43,200 minutes: a line of an export stays below a megabyte
_FINGERPRINT_BYTES: Final = 12


class Window(msgspec.Struct, frozen=True):
    """Whole days, by number since 1970: the first, and the one after the last."""

    first: int
    end: int

    @classmethod
    def until(cls, now_ms: int, days: int) -> Window:
        """The last `days`, today included."""
        end = now_ms // DAY_MS + 1
        return cls(end - days, end)


class Home(msgspec.Struct, frozen=True):
    """A home with data of this model in the window."""

    installation: str
    samples: int


class Fetched(msgspec.Struct, frozen=True, eq=False):
    """Readings of a home, and where their days came from."""

    series: HomeSeries
    days_kept: int
    days_exported: int


async def homes(store: Victoria, model: str, window: Window) -> list[Home]:
    """Homes of the model, ordered by pseudonym."""
    window_s = (window.end - window.first) * DAY_MS // 1000
    found = await store.query(
        f'sum(sum_over_time(heatpump_batch_samples{{model="{model}"}}[{window_s}s]))'
        " by (installation)",
        at_s=window.end * DAY_MS / 1000,
    )
    return sorted(
        (Home(point.metric["installation"], int(float(point.value[1]))) for point in found),
        key=lambda home: home.installation,
    )


async def readings(
    store: Victoria, model: str, installation: str, window: Window, kept: DayStore | None = None
) -> Fetched:
    """All readings of one home in the window."""
    # Before the export: what arrives in between makes the fingerprint differ next time.
    fingerprints = await _fingerprints(store, model, installation, window)
    days: dict[int, HomeSeries] = {}
    if kept is not None:
        kept.keep(model, installation, fingerprints)
        for day, fingerprint in fingerprints.items():
            found = kept.get(model, installation, day, fingerprint)
            if found is not None:
                days[day] = found
    missing = sorted(fingerprints.keys() - days.keys())
    for first, end in _runs(missing):
        series = await _exported(store, model, installation, first, end)
        for day, part in _days(series):
            if not first <= day < end:
                continue
            days[day] = part
            if kept is not None:
                kept.put(model, day, fingerprints[day], part)
    series = joined(installation, [days[day] for day in sorted(days)])
    return Fetched(series, len(fingerprints) - len(missing), len(missing))


async def _fingerprints(
    store: Victoria, model: str, installation: str, window: Window
) -> dict[int, str]:
    """Count and sum of every series by day, of the days that have any, as one short text."""
    selector = _selector(model, installation)
    found = await store.query_range(
        f'(label_set(count_over_time({selector}[1d]) keep_metric_names, "of", "count"),'
        f' label_set(sum_over_time({selector}[1d]) keep_metric_names, "of", "sum"))',
        (window.first + 1) * DAY_MS / 1000,
        window.end * DAY_MS / 1000,
        DAY_MS / 1000,
        cached=False,
    )
    parts: dict[int, list[str]] = {}
    for series in found:
        name = f"{series.metric['__name__']} {series.metric['of']}"
        for at_s, value in series.values:
            day = int(at_s * 1000) // DAY_MS - 1
            parts.setdefault(day, []).append(f"{name} {value}")
    return {
        day: blake2b("\n".join(sorted(lines)).encode(), digest_size=_FINGERPRINT_BYTES).hexdigest()
        for day, lines in parts.items()
    }


async def _exported(
    store: Victoria, model: str, installation: str, first: int, end: int
) -> HomeSeries:
    parts: list[tuple[str, Integers, Floats]] = []
    written, times_ms = b"", np.empty(0, np.int64)
    # VictoriaMetrics 1.79.5 leaves out a block that begins at the very end.
    start_ms, end_ms = first * DAY_MS + 1, end * DAY_MS + 1
    async for line in store.export_lines(_selector(model, installation), start_ms, end_ms):
        if bytes(line.timestamps) != written:  # else those of the series before, and read already
            written = bytes(line.timestamps)
            times_ms = np.array(times(line), np.int64)
        name = line.metric["__name__"].removeprefix(SERIES_PREFIX)
        parts.append((name, times_ms, np.array(line.values, np.float64)))
    # The store exports in no promised order; pivot lets the later piece win.
    parts.sort(key=lambda part: (part[0], int(part[1][0]) if part[1].size else 0))
    return pivot(installation, parts)


def _selector(model: str, installation: str) -> str:
    return (
        f'{{__name__=~"{SERIES_PREFIX}.+",__name__!~"{_NOT_READINGS}",'
        f'installation="{installation}",model="{model}"}}'
    )


def _runs(days: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Consecutive days, first and end, none longer than an export should be."""
    start = 0
    for number in range(1, len(days) + 1):
        if (
            number == len(days)
            or days[number] != days[number - 1] + 1
            or number - start == _RUN_DAYS_MAX
        ):
            yield days[start], days[number - 1] + 1
            start = number


def _days(series: HomeSeries) -> Iterable[tuple[int, HomeSeries]]:
    """A recording cut at midnight, without columns that are empty that day."""
    of_day = (series.timestamps_ms - 1) // DAY_MS
    edges = [0, *(np.flatnonzero(np.diff(of_day)) + 1).tolist(), of_day.size]
    for start, end in itertools.pairwise(edges):
        if end > start:
            part = select(series, slice(start, end))
            columns = {
                name: column for name, column in part.columns.items() if not np.isnan(column).all()
            }
            yield (
                int(of_day[start]),
                HomeSeries(series.home, part.timestamps_ms, columns),
            )
