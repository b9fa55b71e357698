"""Columns of anybody's table to fields of the pool. Pure.

In: the names in a header, what the owner wants. Out: which column becomes which field. Guarantee:
every field's name is legal, no two columns become one field, a name that is legal stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final
from unicodedata import normalize

import msgspec

from heatpool_client.faults import ClientError, Fault
from heatpool_contract.telemetry import FIELD_NAME, TIMESTAMP_FIELD

if TYPE_CHECKING:
    from collections.abc import Sequence

TIME_COLUMNS: Final = ("timestamp", "datetime", "time", "date_time", "ts", "date", "zeit", "datum")
"""What a time column is usually called, most telling first."""
_FIELD_CHARS_MAX: Final = 64
_NAMED_MAX: Final = 40  # columns listed in a message
_NOT_FIELD: Final = re.compile(r"[^a-z0-9]+")
_GERMAN: Final = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What the owner wants of the columns."""

    time_column: str | None = None
    """None: the first of `TIME_COLUMNS` that is there, whatever its case."""
    fields: Mapping[str, str] = {}
    """Column -> field; the column must be there."""
    drop: frozenset[str] = frozenset()
    """Columns never to send; they must be there."""
    usual_fields: Mapping[str, str] = {}
    """As `fields`, for columns that may be missing."""
    usual_drop: frozenset[str] = frozenset()
    """As `drop`, for columns that may be missing."""

    def for_records(self) -> Wish:
        """The same for records whose members come and go."""
        return Wish(
            time_column=self.time_column,
            usual_fields={**self.usual_fields, **self.fields},
            usual_drop=self.usual_drop | self.drop,
        )


def field_name(column: str) -> str:
    """`Volume Flow RateRMS` -> `volume_flow_raterms`; legal names stay.

    Raises:
        ClientError: `field_name_invalid`, nothing of the name can be kept.
    """
    if FIELD_NAME.fullmatch(column):
        return column
    folded = column.lower().translate(_GERMAN)
    plain = normalize("NFKD", folded).encode("ascii", "ignore").decode()
    name = _NOT_FIELD.sub("_", plain).strip("_")
    if name and name[0].isdigit():
        name = f"_{name}"
    name = name[:_FIELD_CHARS_MAX].rstrip("_")
    if not FIELD_NAME.fullmatch(name):
        raise ClientError(Fault.FIELD_NAME_INVALID, column, name)
    return name


def fields(names: Sequence[str], time_column: str, wish: Wish) -> dict[str, str]:
    """Column -> field, for all columns that are sent, in their order.

    Raises:
        ClientError: `column_missing`, `column_twice`, `field_name_invalid`, `field_clash`.
    """
    for name in (*wish.fields, *wish.drop):
        require(names, name)
    if list(names).count(time_column) > 1:
        raise ClientError(Fault.COLUMN_TWICE, time_column)
    taken: dict[str, str] = {TIMESTAMP_FIELD: time_column}
    chosen: dict[str, str] = {}
    for name in names:
        if name == time_column or name in wish.drop or name in wish.usual_drop:
            continue
        if name in chosen:
            raise ClientError(Fault.COLUMN_TWICE, name)
        field = wish.fields.get(name) or wish.usual_fields.get(name) or field_name(name)
        if not FIELD_NAME.fullmatch(field):
            raise ClientError(Fault.FIELD_NAME_INVALID, name, field)
        if field in taken:
            raise ClientError(Fault.FIELD_CLASH, taken[field], name, field)
        taken[field] = name
        chosen[name] = field
    return chosen


def time_column(names: Sequence[str], wish: Wish) -> str:
    """Which column holds the time.

    Raises:
        ClientError: `column_missing`, `time_column_missing`.
    """
    if wish.time_column is not None:
        require(names, wish.time_column)
        return wish.time_column
    folded = {name.strip().lower(): name for name in reversed(names)}
    for usual in TIME_COLUMNS:
        if usual in folded:
            return folded[usual]
    raise ClientError(Fault.TIME_COLUMN_MISSING, listed(names))


def require(names: Sequence[str], name: str) -> None:
    """Refuse a name that is no column.

    Raises:
        ClientError: `column_missing`.
    """
    if name not in names:
        raise ClientError(Fault.COLUMN_MISSING, name, listed(names))


def listed(names: Sequence[str]) -> str:
    """Names for a message."""
    shown = ", ".join(repr(name) for name in names[:_NAMED_MAX])
    return shown + (" ..." if len(names) > _NAMED_MAX else "")
