"""Texts and numbers to moments. Pure but for the time-zone data base.

In: a cell and how the owner says it is written. Out: seconds since 1970. Guarantee: a moment that
does not exist or cannot be read is a `ValueError`, never a guess; local time that is repeated in
autumn is told apart by the order of the rows.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, tzinfo
from typing import Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from heatpool_client.faults import ClientError, Fault

Unit = Literal["auto", "s", "ms", "us", "ns", "iso"]

PER_SECOND: Final[dict[str, float]] = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}
_AUTO_S_MAX: Final = 1e11  # the year 5138 in seconds, March 1973 in milliseconds
_AUTO_MS_MAX: Final = 1e14
_AUTO_US_MAX: Final = 1e17
_SECONDS_MAX: Final = 253_402_300_800.0  # the year 10,000: datetime ends before it


class TimeFormat(msgspec.Struct, frozen=True, kw_only=True):
    """How times are written."""

    unit: Unit = "auto"
    """`auto`: numbers by their size, else ISO 8601."""
    pattern: str | None = None
    """Of `strptime`; goes before `unit`."""
    timezone: str = "UTC"
    """Of times that name none."""


class TimeReader:
    """Reads the times of one table, row after row."""

    def __init__(self, how: TimeFormat) -> None:
        """Look the zone up and try the pattern.

        Raises:
            ClientError: `timezone_unknown`, `time_format_invalid`.
        """
        self._how = how
        self._zone: tzinfo = _zone(how.timezone)
        self._last_s = -math.inf
        if how.pattern is not None:
            try:
                sample = datetime(2026, 11, 21, tzinfo=UTC).strftime(how.pattern)
                datetime.strptime(sample, how.pattern)  # noqa: DTZ007 - only tried
            except ValueError as error:
                raise ClientError(Fault.TIME_FORMAT_INVALID, how.pattern, error) from error

    def read(self, cell: str | float) -> float:
        """Seconds since 1970.

        Raises:
            ValueError: not a time in this format.
        """
        seconds = self._seconds(cell)
        if not -_SECONDS_MAX < seconds < _SECONDS_MAX:  # also NaN
            raise ValueError("out of range")
        self._last_s = seconds
        return seconds

    def _seconds(self, cell: str | float) -> float:
        how = self._how
        if isinstance(cell, str):
            text = cell.strip()
            if how.pattern is not None:
                return self._moment(datetime.strptime(text, how.pattern))  # noqa: DTZ007 - the zone follows
            if how.unit == "iso":
                return self._moment(datetime.fromisoformat(text))
            try:
                cell = float(text)
            except ValueError:
                if how.unit != "auto":
                    raise
                return self._moment(datetime.fromisoformat(text))
        elif how.pattern is not None or how.unit == "iso":
            raise ValueError("a number, not a text")
        return cell / (_auto(cell) if how.unit == "auto" else PER_SECOND[how.unit])

    def _moment(self, read: datetime) -> float:
        if read.tzinfo is not None:
            return read.timestamp()
        seconds = read.replace(tzinfo=self._zone).timestamp()
        if seconds < self._last_s:  # the second 02:30 of the night when summer time ends?
            later = read.replace(tzinfo=self._zone, fold=1).timestamp()
            return later if later >= self._last_s else seconds
        return seconds


def _auto(number: float) -> float:
    size = abs(number)
    if size < _AUTO_S_MAX:
        return 1.0
    if size < _AUTO_MS_MAX:
        return PER_SECOND["ms"]
    return PER_SECOND["us"] if size < _AUTO_US_MAX else PER_SECOND["ns"]


def _zone(name: str) -> tzinfo:
    if name.upper() == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ClientError(Fault.TIMEZONE_UNKNOWN, name) from error
