"""The window out of a real store: the same readings with and without the day store."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from simulators import stored

from heatpool_trainer import export
from heatpool_trainer.day_store import DayStore
from heatpool_trainer.export import DAY_MS, Window
from heatpool_trainer.readings import HomeSeries, select

if TYPE_CHECKING:
    from pathlib import Path

    from heatpool_chassis.victoria import Victoria

FIRST = 20_454  # 2026-01-01
WINDOW = Window(FIRST, FIRST + 5)


def recording() -> HomeSeries:
    """Four days of a reading every ten minutes, one exactly at midnight; a gap; a late field."""
    stamps = FIRST * DAY_MS + (np.arange(4 * 144) + 1) * 600_000
    chance = np.random.default_rng(1)
    late = np.where(np.arange(stamps.size) > 400, chance.integers(0, 999, stamps.size) / 8, np.nan)
    x, y = chance.integers(0, 999, (2, stamps.size)) / 8
    series = HomeSeries(secrets.token_hex(16), stamps, {"w": x, "x": y, "late": late})
    return select(series, (stamps < stamps[200]) | (stamps > stamps[230]))


def same(left: HomeSeries, right: HomeSeries) -> bool:
    """Bit by bit."""
    return (
        left.timestamps_ms.tolist() == right.timestamps_ms.tolist()
        and left.columns.keys() == right.columns.keys()
        and all(
            left.columns[name].tobytes() == right.columns[name].tobytes() for name in left.columns
        )
    )


async def test_one_more_day_exports_one_day(victoria: Victoria, tmp_path: Path) -> None:
    """The rest comes from the day store, and the readings are those of a whole export."""
    home, days = recording(), DayStore(tmp_path)
    early = select(home, home.timestamps_ms <= (FIRST + 3) * DAY_MS)
    await stored.store(victoria, "m", [early])
    first = await export.readings(victoria, "m", home.home, WINDOW, days)
    await stored.store(victoria, "m", [select(home, home.timestamps_ms > (FIRST + 3) * DAY_MS)])

    more = await export.readings(victoria, "m", home.home, WINDOW, days)
    whole = await export.readings(victoria, "m", home.home, WINDOW)

    assert same(first.series, early)
    assert (more.days_kept, more.days_exported) == (3, 1)
    assert (whole.days_kept, whole.days_exported) == (0, 4)
    assert same(more.series, whole.series)
    assert same(whole.series, home)


async def test_a_value_that_came_late_is_noticed(victoria: Victoria, tmp_path: Path) -> None:
    """In the middle of an old day, and exactly at midnight: only its day is exported again."""
    home, days = recording(), DayStore(tmp_path)
    await stored.store(victoria, "m", [home])
    await export.readings(victoria, "m", home.home, WINDOW, days)

    for at_ms, expected in (((FIRST + 1) * DAY_MS + 61_000, 1), ((FIRST + 3) * DAY_MS, 1)):
        late = HomeSeries(home.home, np.array([at_ms]), {"y": np.array([3.0])})
        await stored.store(victoria, "m", [late])
        found = await export.readings(victoria, "m", home.home, WINDOW, days)
        assert found.days_exported == expected
        assert float(found.series.columns["y"][found.series.timestamps_ms == at_ms][0]) == 3.0


async def test_a_window_slides(victoria: Victoria, tmp_path: Path) -> None:
    """Days before it are neither read nor kept."""
    home, days = recording(), DayStore(tmp_path)
    await stored.store(victoria, "m", [home])
    await export.readings(victoria, "m", home.home, WINDOW, days)

    later = msgspec.structs.replace(WINDOW, first=FIRST + 2)
    found = await export.readings(victoria, "m", home.home, later, days)

    assert found.series.timestamps_ms[0] > (FIRST + 2) * DAY_MS
    assert days_in(tmp_path) == {FIRST + 2, FIRST + 3}


def days_in(folder: Path) -> set[int]:
    """Days of which there is a file."""
    return {int(path.name.partition(".")[0]) for path in folder.rglob("*.*")}
