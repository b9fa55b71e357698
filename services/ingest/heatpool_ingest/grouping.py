"""PURE: records with the same names, whose time is good, as columns.

In: records as sent, the edge's clock. Out: groups of columns, and the tallies of records that were
left out. Guarantee: a record is in one group or counted under one reason.

Rows become columns in C: neighbours mostly have the same names (`groupby`), a group is transposed
by `zip`, and its times are checked one by one only if the oldest or the newest is doubtful.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Final, NamedTuple

from heatpool_contract.answers import Tally
from heatpool_contract.refusals import Refusal
from heatpool_contract.telemetry import (
    FIELDS_PER_RECORD_MAX,
    FUTURE_S_MAX,
    RETENTION_DAYS,
    TIMESTAMP_FIELD,
    Record,
    Value,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

_DAY_MS: Final = 86_400_000
_SECONDS_PLAUSIBLE_MAX: Final = 1e11  # the year 5138; what is larger counts milliseconds
_NUMBERS: Final = frozenset({int, float})


class Rows(NamedTuple):
    """Records that are known to have the same members: their values, in the order of the names."""

    names: tuple[str, ...]
    values: list[tuple[Value, ...]]


class Counts:
    """Tallies by reason, in order of first occurrence."""

    def __init__(self) -> None:
        self._found: dict[Refusal, tuple[int, int]] = {}

    def add(self, reason: Refusal, index: int, count: int = 1) -> None:
        """Count records or values under a reason."""
        known, first = self._found.get(reason, (0, index))
        self._found[reason] = (known + count, min(first, index))

    def tallies(self) -> list[Tally]:
        """What was counted."""
        return [Tally(reason, count, first) for reason, (count, first) in self._found.items()]


class Group:
    """Records with the same members in the same order."""

    def __init__(self) -> None:
        self.indexes: list[int] = []
        self.timestamps_ms: list[int] = []
        self.rows: list[Iterable[Value]] = []
        self.columns: list[tuple[Value, ...]] = []
        """Of the rows, once their timestamps are known to be good."""


def groups_of(
    records: Sequence[Record | None] | Rows, first: int, now_s: float, rejected: Counts
) -> Iterator[tuple[tuple[str, ...], Group]]:
    """Names and columns of the records that have a good time; `first` is the index of the first."""
    for shape, sent in _grouped(records, first, rejected).items():
        group = _stamped(shape, sent, now_s, rejected)
        if group is not None:
            yield shape, group


def timestamp_ms(value: Value, now_s: float) -> int | Refusal:
    """Seconds since 1970 to milliseconds, or why not."""
    if value is None:
        return Refusal.TIMESTAMP_MISSING
    if type(value) not in _NUMBERS or not isinstance(value, int | float):
        return Refusal.TIMESTAMP_INVALID
    if not -_SECONDS_PLAUSIBLE_MAX < value < _SECONDS_PLAUSIBLE_MAX:
        return Refusal.TIMESTAMP_INVALID
    found_ms = round(value * 1000)
    if found_ms > (now_s + FUTURE_S_MAX) * 1000:
        return Refusal.TIMESTAMP_IN_FUTURE
    if found_ms < now_s * 1000 - RETENTION_DAYS * _DAY_MS:
        return Refusal.TIMESTAMP_TOO_OLD
    return found_ms


def _grouped(
    records: Sequence[Record | None] | Rows, first: int, rejected: Counts
) -> dict[tuple[str, ...], Group]:
    """Records by their names. Neighbours mostly have the same: runs of them are taken in C."""
    groups: dict[tuple[str, ...], Group] = {}
    if isinstance(records, Rows):
        alike = groups[records.names] = Group()
        alike.rows += records.values
        alike.indexes += range(first, first + len(records.values))
        return groups
    index = first
    key: Callable[[Record | None], tuple[str, ...] | None] = _shape
    if None not in records:
        key = tuple  # type: ignore[assignment]  # the same of a dict, in C
    for shape, run in groupby(records, key):
        if shape is None:
            index += _reject_all(run, Refusal.RECORD_TOO_LARGE, index, rejected)
            continue
        rows = list(map(dict.values, run))  # type: ignore[arg-type]  # None has no shape
        group = groups.get(shape)
        if group is None:
            group = groups[shape] = Group()
        group.rows += rows
        group.indexes += range(index, index + len(rows))
        index += len(rows)
    return groups


def _shape(record: Record | None) -> tuple[str, ...] | None:
    return None if record is None else tuple(record)


def _reject_all(records: Iterable[object], reason: Refusal, first: int, rejected: Counts) -> int:
    count = sum(1 for _record in records)
    rejected.add(reason, first, count)
    return count


def _stamped(shape: tuple[str, ...], group: Group, now_s: float, rejected: Counts) -> Group | None:
    """The records of a group that have a good timestamp, as columns."""
    if TIMESTAMP_FIELD not in shape:
        _reject_all(group.rows, Refusal.TIMESTAMP_MISSING, group.indexes[0], rejected)
        return None
    at = shape.index(TIMESTAMP_FIELD)
    group.columns = list(zip(*group.rows, strict=True))
    stamps = group.columns[at]
    if set(map(type, stamps)) <= _NUMBERS:
        numbers: list[float] = list(stamps)  # type: ignore[arg-type]  # checked above
        # Well inside of the window, whichever way the milliseconds round.
        oldest_s = now_s - RETENTION_DAYS * _DAY_MS / 1000 + 1
        if min(numbers) > oldest_s and max(numbers) < now_s + FUTURE_S_MAX - 1:
            group.timestamps_ms = [round(stamp * 1000) for stamp in numbers]
            return _narrow(shape, group, rejected)
    good = Group()
    for index, row, stamp in zip(group.indexes, group.rows, stamps, strict=True):
        found = timestamp_ms(stamp, now_s)
        if isinstance(found, Refusal):
            rejected.add(found, index)
        else:
            good.indexes.append(index)
            good.rows.append(row)
            good.timestamps_ms.append(found)
    good.columns = list(zip(*good.rows, strict=True))
    return _narrow(shape, good, rejected)


def _narrow(shape: tuple[str, ...], group: Group, rejected: Counts) -> Group | None:
    """The group, unless nothing is left of it or its records are too wide."""
    if not group.rows:
        return None
    if len(shape) > FIELDS_PER_RECORD_MAX + 1:
        _reject_all(group.rows, Refusal.RECORD_FIELDS_TOO_MANY, group.indexes[0], rejected)
        return None
    return group
