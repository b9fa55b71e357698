"""Texts and numbers to moments."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heatpool_client.faults import ClientError, Fault
from heatpool_client.times import TimeFormat, TimeReader, Unit

MOMENT_S = 1_795_219_200.0  # 2026-11-21 00:00:00 UTC


@pytest.mark.parametrize(
    ("how", "cell"),
    [
        (TimeFormat(), MOMENT_S),
        (TimeFormat(), "1795219200"),
        (TimeFormat(), "1795219200.0"),
        (TimeFormat(), 1_795_219_200_000),
        (TimeFormat(), "1795219200000000"),
        (TimeFormat(), 1_795_219_200_000_000_000),
        (TimeFormat(), "2026-11-21 00:00:00"),
        (TimeFormat(), "2026-11-21T01:00:00+01:00"),
        (TimeFormat(), "2026-11-21T00:00:00Z"),
        (TimeFormat(timezone="Europe/Berlin"), "2026-11-21 01:00:00"),
        (TimeFormat(timezone="Europe/Berlin"), "2026-11-21T00:00:00Z"),
        (TimeFormat(unit="iso"), "20261121"),
        (TimeFormat(unit="s"), "1795219200"),
        (TimeFormat(unit="ms"), "1795219200000"),
        (TimeFormat(unit="us"), "1795219200000000"),
        (TimeFormat(unit="ns"), 1_795_219_200_000_000_000),
        (TimeFormat(pattern="%m/%d/%Y %H:%M"), "11/21/2026 0:00"),
        (TimeFormat(pattern="%d.%m.%Y %H:%M", timezone="Europe/Berlin"), " 21.11.2026 01:00 "),
    ],
)
def test_one_moment_in_all_spellings(how: TimeFormat, cell: str | float) -> None:
    """All mean the same second."""
    assert TimeReader(how).read(cell) == MOMENT_S


@pytest.mark.parametrize(
    ("how", "cell"),
    [
        (TimeFormat(), ""),
        (TimeFormat(), "11/21/2026 0:00"),
        (TimeFormat(), "2026-02-30 00:00:00"),
        (TimeFormat(), "nan"),
        (TimeFormat(), "inf"),
        (TimeFormat(), 1e300),
        (TimeFormat(unit="s"), "2026-11-21"),
        (TimeFormat(unit="iso"), 1_795_219_200),
        (TimeFormat(pattern="%Y"), 2026.0),
    ],
)
def test_what_is_no_time_is_no_guess(how: TimeFormat, cell: str | float) -> None:
    """ValueError, always."""
    with pytest.raises(ValueError):  # noqa: PT011 - the row's line is added by its caller
        TimeReader(how).read(cell)


@given(st.text(max_size=30) | st.floats() | st.integers())
def test_no_cell_is_an_unknown_error(cell: str | float) -> None:
    """A hostile cell is a moment or one of two errors that the table counts."""
    units: tuple[Unit, ...] = ("auto", "s", "ms", "us", "ns", "iso")
    for unit in units:
        try:
            seconds = TimeReader(TimeFormat(unit=unit, timezone="Europe/Berlin")).read(cell)
        except (ValueError, OverflowError):
            continue
        assert abs(seconds) < 1e12


@given(st.datetimes(datetime(1971, 1, 1), datetime(2099, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - bounds are naive by hypothesis' rule
def test_iso_times_survive(moment: datetime) -> None:
    """Written and read again."""
    assert TimeReader(TimeFormat()).read(moment.isoformat()) == moment.timestamp()


def test_the_repeated_hour_of_autumn_is_told_apart_by_order() -> None:
    """A logger in local time writes 02:00 to 02:59 twice when summer time ends."""
    reader = TimeReader(TimeFormat(timezone="Europe/Berlin"))
    texts = ["01:30", "02:00", "02:30", "02:00", "02:30", "03:00"]
    read = [reader.read(f"2026-10-25 {text}:00") for text in texts]
    assert [(later - read[0]) / 60 for later in read] == [0, 30, 60, 90, 120, 150]


def test_a_step_back_outside_of_that_hour_stays_a_step_back() -> None:
    """Rows out of order keep their own times."""
    reader = TimeReader(TimeFormat(timezone="Europe/Berlin"))
    assert reader.read("2026-06-01 12:00:00") - reader.read("2026-06-01 11:00:00") == 3600


def test_unknown_zones_and_patterns_are_named() -> None:
    """Before any row is read."""
    with pytest.raises(ClientError) as zone:
        TimeReader(TimeFormat(timezone="Europe/Atlantis"))
    assert zone.value.code is Fault.TIMEZONE_UNKNOWN
    with pytest.raises(ClientError) as pattern:
        TimeReader(TimeFormat(pattern="%Y-%!"))
    assert pattern.value.code is Fault.TIME_FORMAT_INVALID
