"""Habits: draws, set points, seasons, as functions of absolute time."""

from __future__ import annotations

import numpy as np
import pytest

from heatpool_fleet.homes import make_homes
from heatpool_fleet.surroundings import Drive, surroundings

JULY_S = 1_783_641_600.0  # 2026-07-10
JANUARY_S = 1_768_003_200.0
DAY_MINUTES = 1_440


def test_people_draw_what_their_habit_says() -> None:
    """Over three weeks the mean draw is near the home's daily litres, most of it by day."""
    homes = make_homes(4, 2)
    drive = surroundings(homes, JANUARY_S, 21 * DAY_MINUTES, 60.0, 2)
    litres = drive[:, Drive.DRAW_LITRES]

    assert np.all(litres >= 0.0)
    for column, home in enumerate(homes):
        assert litres[:, column].sum() / 21.0 == pytest.approx(home.water.draw_l_per_day, rel=0.25)
    local_hour = (np.arange(len(litres)) // 60 + 1) % 24
    assert litres[(local_hour >= 1) & (local_hour < 4)].sum() < 0.03 * litres.sum()


@pytest.mark.parametrize("step_s", [10.0, 45.0, 60.0])
def test_step_length_does_not_change_the_water_drawn(step_s: float) -> None:
    """A day's litres are the same in any steps."""
    homes = make_homes(3, 2)
    day = surroundings(homes, JANUARY_S, int(86_400 / step_s), step_s, 2)
    minutes = surroundings(homes, JANUARY_S, DAY_MINUTES, 60.0, 2)

    assert day[:, Drive.DRAW_LITRES].sum(axis=0) == pytest.approx(
        minutes[:, Drive.DRAW_LITRES].sum(axis=0)
    )


def test_heating_season_ends_in_summer() -> None:
    """In July no home may heat, in January all may; the curve asks for more in the cold."""
    homes = make_homes(6, 2)
    summer = surroundings(homes, JULY_S, DAY_MINUTES, 60.0, 2)
    winter = surroundings(homes, JANUARY_S, DAY_MINUTES, 60.0, 2)

    assert summer[:, Drive.SEASON].mean() < 0.2
    assert winter[:, Drive.SEASON].all()
    assert np.all(
        winter[:, Drive.FLOW_SET_CELSIUS].mean(axis=0)
        > summer[:, Drive.FLOW_SET_CELSIUS].mean(axis=0) + 3.0
    )


def test_nights_are_set_back_in_some_homes_only() -> None:
    """The room's set point falls by the home's own setback, for a part of the day."""
    homes = make_homes(20, 2)
    room = surroundings(homes, JANUARY_S, DAY_MINUTES, 60.0, 2)[:, Drive.ROOM_SET_CELSIUS]
    falls = room.max(axis=0) - room.min(axis=0)

    assert falls == pytest.approx([home.building.setback_kelvin for home in homes])
    assert 0 < np.count_nonzero(falls) < 20


def test_day_is_the_same_whenever_the_period_begins() -> None:
    """The second day of two equals that day alone: habits and weather hang on the date."""
    homes = make_homes(2, 2)
    both = surroundings(homes, JANUARY_S, 2 * DAY_MINUTES, 60.0, 2)
    second = surroundings(homes, JANUARY_S + 86_400.0, DAY_MINUTES, 60.0, 2)

    for row in (Drive.OUTDOOR_CELSIUS, Drive.GAINS_WATTS, Drive.ROOM_SET_CELSIUS):
        assert np.array_equal(both[DAY_MINUTES:, row], second[:, row])
    assert both[DAY_MINUTES:, Drive.DRAW_LITRES] == pytest.approx(second[:, Drive.DRAW_LITRES])
