"""One reading of a logger to one record that the pool will take. Pure.

In: whatever mapping a logger holds, its clock. Out: a `Taken` with the record's JSON, or the reason
why there is none. Guarantee: every value is kept or counted under a code of the contract; what is
kept is what the edge keeps; no input raises.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, SupportsFloat

import msgspec

from heatpool_client.columns import field_name
from heatpool_client.faults import ClientError
from heatpool_contract.telemetry import (
    FIELDS_PER_RECORD_MAX,
    FUTURE_S_MAX,
    RETENTION_DAYS,
    TIMESTAMP_FIELD,
    VALUE_ABS_MAX,
)

if TYPE_CHECKING:
    from heatpool_client.config import Config

CLOCK_NOT_SET: Final = "clock_not_set"
CLOCK_WENT_BACK: Final = "clock_went_back"
NOT_A_MAPPING: Final = "not_a_mapping"
RECORD_WITHOUT_VALUES: Final = "record_without_values"
TIMESTAMP_INVALID: Final = "timestamp_invalid"
TIMESTAMP_IN_FUTURE: Final = "timestamp_in_future"
TIMESTAMP_TOO_OLD: Final = "timestamp_too_old"
FIELDS_TOO_MANY: Final = "record_fields_too_many"
VALUE_NOT_NUMERIC: Final = "value_not_numeric"
VALUE_OUT_OF_RANGE: Final = "value_out_of_range"
FIELD_NAME_INVALID: Final = "field_name_invalid"
_INT_MAX: Final = 2**53  # beyond it JSON readers and the store round anyway
_NAMES_MAX: Final = 4096  # remembered spellings; a logger has some hundred

Number = float | int | bool


class Taken(msgspec.Struct, frozen=True):
    """What became of a reading."""

    timestamp_ms: int = 0
    values: dict[str, Number] = {}
    """Empty: the reading is not kept, `reasons` says why."""
    reasons: tuple[str, ...] = ()
    """One for each value left out, or for the reading as a whole."""

    @property
    def record(self) -> bytes:
        """As it stands in a request."""
        return msgspec.json.encode({TIMESTAMP_FIELD: self.timestamp_ms / 1000, **self.values})


class Intake:
    """Names by the owner's configuration, remembered."""

    def __init__(self, config: Config) -> None:
        """Take the names that the owner chose."""
        self._chosen = config.columns
        self._drop = frozenset(config.drop)
        self._names: dict[str, str | None] = {}

    def take(self, reading: object, now_s: float, built_s: int) -> Taken:
        """The reading's record.

        Args:
            reading: field -> value; `timestamp` (seconds since 1970) is now unless it is given.
            now_s: the logger's clock.
            built_s: when this program was made; a clock that shows less was never set.
        """
        if not isinstance(reading, Mapping):
            return Taken(reasons=(NOT_A_MAPPING,))
        stamp = timestamp_ms(reading.get(TIMESTAMP_FIELD, now_s), now_s, built_s)
        if isinstance(stamp, str):
            return Taken(reasons=(stamp,))
        values: dict[str, Number] = {}
        reasons: list[str] = []
        for name, value in reading.items():
            if name == TIMESTAMP_FIELD or name in self._drop or value is None:
                continue  # absent, as JSON's null: nothing is lost
            field = self._field(name)
            found = VALUE_NOT_NUMERIC if field is None else number(value)
            if field is None or field in values:
                reasons.append(FIELD_NAME_INVALID)
            elif isinstance(found, str):
                reasons.append(found)
            elif len(values) >= FIELDS_PER_RECORD_MAX:
                reasons.append(FIELDS_TOO_MANY)
            else:
                values[field] = found
        if not values:
            reasons.append(RECORD_WITHOUT_VALUES)
        return Taken(stamp, values, tuple(reasons))

    def _field(self, name: object) -> str | None:
        if not isinstance(name, str):
            return None
        if name not in self._names:
            if len(self._names) >= _NAMES_MAX:
                self._names.clear()
            try:
                self._names[name] = field_name(self._chosen.get(name, name))
            except ClientError:
                self._names[name] = None
        return self._names[name]


def timestamp_ms(value: object, now_s: float, built_s: int) -> int | str:
    """Seconds since 1970 to milliseconds, or the reason why not."""
    if now_s < built_s:
        return CLOCK_NOT_SET
    seconds = number(value)
    if isinstance(seconds, str) or isinstance(value, bool):
        return TIMESTAMP_INVALID
    if seconds > now_s + FUTURE_S_MAX:
        return TIMESTAMP_IN_FUTURE
    if seconds < now_s - RETENTION_DAYS * 86_400:
        return TIMESTAMP_TOO_OLD
    return round(seconds * 1000)


def number(value: object) -> Number | str:
    """The value as the pool takes it, or the reason why not; numpy's and Decimal's count, too."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str | bytes) or not isinstance(value, SupportsFloat):
        return VALUE_NOT_NUMERIC
    try:
        found = float(value)
    except ArithmeticError:  # an int of more than 308 digits, a quotient that fails when asked
        return VALUE_OUT_OF_RANGE
    except (TypeError, ValueError, LookupError, RuntimeError):  # an array, a sensor that is gone
        return VALUE_NOT_NUMERIC
    if not -VALUE_ABS_MAX <= found <= VALUE_ABS_MAX:  # also NaN
        return VALUE_OUT_OF_RANGE
    return value if isinstance(value, int) and abs(value) <= _INT_MAX else found
