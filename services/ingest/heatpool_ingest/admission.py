"""PURE: which records and values of a submission are taken, and in which shape.

In: the records as sent, the edge's clock. Out: dense frames and the tallies of what was left out.
Guarantee: every record is counted exactly once, as taken or under one reason; every value of a
frame is a finite number; records are never changed, only left out.

Rows become columns group by group: records that share their field names are transposed by `zip`
and checked column by column, which runs in C; only a group with a stray value is taken apart.
"""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Final

import msgspec

from heatpool_contract.answers import Tally
from heatpool_contract.frames import Frame
from heatpool_contract.refusals import Refusal
from heatpool_contract.telemetry import (
    FIELD_CHARS_MAX,
    FIELD_NAME,
    FIELDS_PER_REQUEST_MAX,
    TIMESTAMP_FIELD,
    VALUE_ABS_MAX,
    Record,
    Value,
)
from heatpool_ingest.grouping import Counts, Group, Rows, groups_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

NAMES_CACHED_MAX: Final = 4096  # loggers of a pool share their names; 400 KB at most
_NUMERIC: Final = frozenset({int, float, bool})


class RequestRefusedError(Exception):
    """The request as a whole is not taken."""

    def __init__(
        self,
        refusal: Refusal,
        *,
        detail: str | None = None,
        limit: int | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(refusal)
        self.refusal = refusal
        self.detail = detail
        self.limit = limit
        self.retry_after_s = retry_after_s


class Admitted(msgspec.Struct, frozen=True):
    """What is taken of a submission."""

    frames: list[Frame]
    records: int
    samples: int
    rejections: list[Tally]
    values_dropped: list[Tally]


def admit(slices: Iterable[Sequence[Record | None] | Rows], now_s: float) -> Admitted:
    """Frames and tallies of all records, seen at `now_s` (seconds since 1970).

    A slice is let go before the next is asked for; None is a record that was too large to read.

    Raises:
        RequestRefusedError: more than `FIELDS_PER_REQUEST_MAX` different fields.
    """
    rejected, dropped = Counts(), Counts()
    dense: dict[tuple[str, ...], _Columns] = {}
    names: set[str] = set()
    first = 0
    for records in slices:
        known = len(dense)
        for shape, group in groups_of(records, first, now_s, rejected):
            _fold(shape, group, dense, rejected, dropped)
        for shape in islice(dense, known, None):
            names.update(shape)
        if len(names) > FIELDS_PER_REQUEST_MAX:
            raise RequestRefusedError(Refusal.FIELDS_TOO_MANY, limit=FIELDS_PER_REQUEST_MAX)
        first += len(records.values if isinstance(records, Rows) else records)
    frames = [columns.frame(shape) for shape, columns in dense.items()]
    return Admitted(
        frames=frames,
        records=sum(len(frame.timestamps_ms) for frame in frames),
        samples=sum(len(frame.timestamps_ms) * len(frame.columns) for frame in frames),
        rejections=rejected.tallies(),
        values_dropped=dropped.tallies(),
    )


@lru_cache(maxsize=NAMES_CACHED_MAX)
def _is_field(name: str) -> bool:
    return FIELD_NAME.fullmatch(name) is not None


def _usable(name: str) -> bool:
    """Whether a field may have this name; what is too long is not kept in the cache either."""
    return len(name) <= FIELD_CHARS_MAX and _is_field(name)


class _Columns:
    """Dense columns that grow; becomes a `Frame`."""

    def __init__(self, width: int) -> None:
        self.timestamps_ms: list[int] = []
        self.columns: list[list[float]] = [[] for _ in range(width)]

    def frame(self, shape: tuple[str, ...]) -> Frame:
        return Frame(self.timestamps_ms, dict(zip(shape, self.columns, strict=True)))


def _fold(
    shape: tuple[str, ...],
    group: Group,
    dense: dict[tuple[str, ...], _Columns],
    rejected: Counts,
    dropped: Counts,
) -> None:
    """Add the group's usable columns to the frame of their names."""
    names: list[str] = []
    columns: list[list[float]] = []
    left_out: list[tuple[Refusal, int, int]] = []  # not counted yet: one by one counts for itself
    for name, column in zip(shape, group.columns, strict=True):
        if name == TIMESTAMP_FIELD:
            continue
        if not _usable(name):
            left_out.append((Refusal.FIELD_NAME_INVALID, group.indexes[0], len(column)))
            continue
        clean = _clean(column)
        if clean is None:
            if any(_fault(value) is None for value in column):
                _fold_one_by_one(shape, group, dense, rejected, dropped)
                return
            for index, value in zip(group.indexes, column, strict=True):
                left_out.append((_fault(value) or Refusal.VALUE_NOT_NUMERIC, index, 1))
            continue
        names.append(name)
        columns.append(clean)
    for reason, index, count in left_out:
        dropped.add(reason, index, count)
    if names:
        _extend(dense, tuple(names), group.timestamps_ms, columns)
    else:
        for index in group.indexes:
            rejected.add(Refusal.RECORD_WITHOUT_VALUES, index)


def _fold_one_by_one(
    shape: tuple[str, ...],
    group: Group,
    dense: dict[tuple[str, ...], _Columns],
    rejected: Counts,
    dropped: Counts,
) -> None:
    """As `_fold`, for a group in which a column has good and bad values."""
    for index, stamp, row in zip(group.indexes, group.timestamps_ms, group.rows, strict=True):
        names: list[str] = []
        values: list[list[float]] = []
        for name, value in zip(shape, row, strict=True):
            if name == TIMESTAMP_FIELD:
                continue
            fault = _fault(value) if _usable(name) else Refusal.FIELD_NAME_INVALID
            if fault is not None or not isinstance(value, int | float):
                dropped.add(fault or Refusal.VALUE_NOT_NUMERIC, index)
                continue
            names.append(name)
            values.append([int(value) if isinstance(value, bool) else value])
        if names:
            _extend(dense, tuple(names), [stamp], values)
        else:
            rejected.add(Refusal.RECORD_WITHOUT_VALUES, index)


def _extend(
    dense: dict[tuple[str, ...], _Columns],
    names: tuple[str, ...],
    timestamps_ms: list[int],
    columns: list[list[float]],
) -> None:
    found = dense.get(names)
    if found is None:
        found = dense[names] = _Columns(len(names))
    found.timestamps_ms.extend(timestamps_ms)
    for whole, part in zip(found.columns, columns, strict=True):
        whole.extend(part)


def _clean(column: tuple[Value, ...]) -> list[float] | None:
    """The column as numbers, or None if a value is none. Checks run in C, column by column."""
    kinds = set(map(type, column))
    if not kinds <= _NUMERIC:
        return None
    numbers: list[float] = list(map(int, column) if kinds == {bool} else column)  # type: ignore[arg-type]  # checked above
    if kinds != {bool} and bool in kinds:
        numbers = [int(value) if isinstance(value, bool) else value for value in numbers]
    return numbers if _in_range(numbers) else None


def _in_range(numbers: list[float]) -> bool:
    """Whether all are: their Euclidean length, one pass in C, is never less than the largest."""
    try:
        if math.hypot(*numbers) <= VALUE_ABS_MAX:
            return True
    except OverflowError:  # an integer that no float can hold
        return False
    return max(numbers) <= VALUE_ABS_MAX and min(numbers) >= -VALUE_ABS_MAX


def _fault(value: Value) -> Refusal | None:
    """Why a value is not taken; None if it is."""
    if not isinstance(value, int | float):
        return Refusal.VALUE_NOT_NUMERIC
    if not -VALUE_ABS_MAX <= value <= VALUE_ABS_MAX:
        return Refusal.VALUE_OUT_OF_RANGE
    return None
