"""PURE: which records and values of a submission are taken, and in which shape.

In: the records as sent, the edge's clock. Out: dense frames and the tallies of what was left out.
Guarantee: every record is counted exactly once, as taken or under one reason; every value of a
frame is a finite number; records are never changed, only left out.

Rows become columns group by group: records that share their field names are transposed by `zip`
and checked column by column, which runs in C; only a group with a stray value is taken apart.
"""

from __future__ import annotations

import math
from itertools import chain, compress, starmap
from typing import TYPE_CHECKING

import msgspec

from heatpool_contract.answers import Tally
from heatpool_contract.frames import Frame
from heatpool_contract.refusals import Refusal
from heatpool_contract.telemetry import (
    FIELDS_PER_REQUEST_MAX,
    VALUE_ABS_MAX,
    Record,
    Value,
)
from heatpool_ingest.dense import Dense, plan_of
from heatpool_ingest.grouping import Counts, Group, Rows, groups_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


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
    dense = Dense()
    first = 0
    for records in slices:
        for shape, group in groups_of(records, first, now_s, rejected):
            _fold(shape, group, dense, rejected, dropped)
        if dense.different_names > FIELDS_PER_REQUEST_MAX:
            raise RequestRefusedError(Refusal.FIELDS_TOO_MANY, limit=FIELDS_PER_REQUEST_MAX)
        first += len(records.values if isinstance(records, Rows) else records)
    frames = dense.frames()
    return Admitted(
        frames=frames,
        records=sum([len(frame.timestamps_ms) for frame in frames]),
        samples=sum([len(frame.timestamps_ms) * len(frame.columns) for frame in frames]),
        rejections=rejected.tallies(),
        values_dropped=dropped.tallies(),
    )


def _fold(
    shape: tuple[str, ...], group: Group, dense: Dense, rejected: Counts, dropped: Counts
) -> None:
    """Add the group's usable columns to the frame of their names."""
    names, pick, unusable = plan_of(shape)
    picked = pick(group.columns)
    columns = _numbers(picked)
    if columns is None:
        nonsense = [_numbers([column]) is None for column in picked]
        for column, is_nonsense in zip(picked, nonsense, strict=True):
            if is_nonsense and any(_fault(value) is None for value in column):
                _fold_one_by_one(shape, group, dense, rejected, dropped)
                return
        for column in compress(picked, nonsense):
            for index, value in zip(group.indexes, column, strict=True):
                dropped.add(_fault(value) or Refusal.VALUE_NOT_NUMERIC, index)
        good = [not is_nonsense for is_nonsense in nonsense]
        names = tuple(compress(names, good))
        columns = _numbers(list(compress(picked, good)))
    if unusable:
        dropped.add(Refusal.FIELD_NAME_INVALID, group.indexes[0], unusable * len(group.rows))
    if columns:
        dense.add(names, group.indexes, group.timestamps_ms, columns)
    else:
        for index in group.indexes:
            rejected.add(Refusal.RECORD_WITHOUT_VALUES, index)


def _fold_one_by_one(
    shape: tuple[str, ...], group: Group, dense: Dense, rejected: Counts, dropped: Counts
) -> None:
    """As `_fold`, for a group in which a column has good and bad values."""
    plan = plan_of(shape)
    for index, stamp, row in zip(group.indexes, group.timestamps_ms, group.rows, strict=True):
        if plan.unusable:
            dropped.add(Refusal.FIELD_NAME_INVALID, index, plan.unusable)
        names: list[str] = []
        values: list[list[float]] = []
        for name, value in zip(plan.names, plan.pick(tuple(row)), strict=True):
            fault = _fault(value)
            if fault is not None or not isinstance(value, int | float):
                dropped.add(fault or Refusal.VALUE_NOT_NUMERIC, index)
                continue
            names.append(name)
            values.append([int(value) if isinstance(value, bool) else value])
        if names:
            dense.add(tuple(names), [index], [stamp], values)
        else:
            rejected.add(Refusal.RECORD_WITHOUT_VALUES, index)


def _numbers(columns: Sequence[tuple[Value, ...]]) -> list[list[float]] | None:
    """The columns with booleans as 0 and 1; None if a value of them is not to be taken.

    Mostly one pass in C over each: there is no Euclidean length of what is no number, and it is
    never less than the largest.
    """
    found: Sequence[tuple[float, ...]] = columns  # type: ignore[assignment]  # that is the question
    try:
        short = max(starmap(math.hypot, found), default=0.0) <= VALUE_ABS_MAX
    except (TypeError, OverflowError):  # no number; an integer that no float can hold
        return None
    if not short and any(map(_fault, chain.from_iterable(found))):
        return None
    return [
        [int(value) if isinstance(value, bool) else value for value in column]
        if bool in map(type, column)
        else list(column)
        for column in found
    ]


def _fault(value: Value) -> Refusal | None:
    """Why a value is not taken; None if it is."""
    if not isinstance(value, int | float):
        return Refusal.VALUE_NOT_NUMERIC
    if not -VALUE_ABS_MAX <= value <= VALUE_ABS_MAX:
        return Refusal.VALUE_OUT_OF_RANGE
    return None
