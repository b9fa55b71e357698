"""Series of one home -> readings: one row per timestamp, one column per field.

In: what the store exports, one series per field, in any order. Out: a `HomeSeries` with strictly
ascending timestamps; NaN where a field has no value. Guaranteed: homes are never mixed, no gap is
filled, of duplicates the last is kept, and the order of the input changes nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from heatpool_trainer.native import Bools, Floats, Integers, compiled

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from heatpool_contract.detector import Detector


class HomeSeries(msgspec.Struct, frozen=True, eq=False):
    """All readings of one home in the training window."""

    home: str
    """Its pseudonym; decides order and folds."""
    timestamps_ms: Integers
    """Shape (n,), strictly ascending."""
    columns: dict[str, Floats]
    """By the logger's field name, shape (n,) each; NaN = no value."""


def pivot(home: str, series: Iterable[tuple[str, Integers, Floats]]) -> HomeSeries:
    """Join the series of one home on their timestamps.

    Args:
        home: pseudonym.
        series: field name, timestamps in ms, values; a field may come in several pieces, the later
            piece wins where they overlap.
    """
    parts = list(series)
    if not parts:
        return HomeSeries(home, np.empty(0, np.int64), {})
    first = parts[0][1]
    if all(np.array_equal(part[1], first) for part in parts) and bool(np.all(np.diff(first) > 0)):
        timestamps_ms = first.copy()  # as loggers send them: all fields of a reading together
    else:
        timestamps_ms = np.unique(np.concatenate([part[1] for part in parts]))
    columns: dict[str, Floats] = {}
    for name, times_ms, values in parts:
        column = columns.setdefault(name, np.full(timestamps_ms.size, np.nan))
        column[np.searchsorted(timestamps_ms, times_ms)] = values
    return HomeSeries(home, timestamps_ms, dict(sorted(columns.items())))


def joined(home: str, parts: Sequence[HomeSeries]) -> HomeSeries:
    """Consecutive parts of one recording as one."""
    names = sorted({name for part in parts for name in part.columns})
    sizes = [part.timestamps_ms.size for part in parts]
    columns = {name: np.full(sum(sizes), np.nan) for name in names}
    start = 0
    for part, size in zip(parts, sizes, strict=True):
        for name, column in part.columns.items():
            columns[name][start : start + size] = column
        start += size
    timestamps_ms = [part.timestamps_ms for part in parts]
    return HomeSeries(home, np.concatenate([np.empty(0, np.int64), *timestamps_ms]), columns)


def thinned(series: HomeSeries, detector: Detector) -> HomeSeries:
    """Without readings that come too soon, as the scorer passes them over."""
    spacing_ms, interval_ms = detector.spacing_ms_min, detector.interval_ms
    return select(series, _spaced(series.timestamps_ms, spacing_ms, interval_ms))


def select(series: HomeSeries, rows: Bools | slice) -> HomeSeries:
    """Some of the readings."""
    columns = {name: column[rows] for name, column in series.columns.items()}
    return HomeSeries(series.home, series.timestamps_ms[rows], columns)


def segments(series: HomeSeries, parts: int) -> Iterator[HomeSeries]:
    """Consecutive parts of one recording, each as a home of its own."""
    edges = [series.timestamps_ms.size * part // parts for part in range(parts + 1)]
    for part in range(parts):
        piece = select(series, slice(edges[part], edges[part + 1]))
        yield msgspec.structs.replace(piece, home=f"{series.home}/{part}")


@compiled
def _spaced(timestamps_ms: Integers, spacing_ms_min: int, interval_ms: int) -> Bools:
    kept = np.zeros(timestamps_ms.size, np.bool_)
    if spacing_ms_min == 0:
        return ~kept
    last = due = timestamps_ms[:1].sum() - interval_ms
    for i in range(timestamps_ms.size):
        now = timestamps_ms[i]
        if now - last >= spacing_ms_min and now >= due - spacing_ms_min:
            kept[i] = True
            due = max(due + interval_ms, now + interval_ms - spacing_ms_min)
            last = now
    return kept
