"""What a home is exposed to, minute by minute: weather, sun, people, hot-water draws, set points.

In: homes, times, seed. Out: one array (steps, Drive, homes) that drives the simulation. Guarantee:
a pure function of (seed, home, absolute time): habits of a day depend on that day alone.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Final

import numpy as np

from heatpool_fleet.chance import (
    DAY_S,
    HOUR_S,
    Bools,
    Floats,
    Stream,
    generator,
    smooth_noise,
)
from heatpool_fleet.homes import DESIGN_KELVIN, HomeSpec
from heatpool_fleet.weather import UTC_OFFSET_S, weather

if TYPE_CHECKING:
    from collections.abc import Sequence

DRAW_LITRES_PER_MINUTE: Final = 7.0
DRAWS_PER_DAY_MEAN: Final = 11.0
WINDOW_S: Final = 4.0 * HOUR_S
CURVE_MEAN_S: Final = 3.0 * HOUR_S  # controllers damp the outdoor sensor
CURVE_MARGIN_KELVIN: Final = 1.5  # curves are set with a margin; thermostats and gains eat it
SETBACK_S: Final = 6.5 * HOUR_S
_MINUTES: Final = 1_440


class Drive(enum.IntEnum):
    """Rows of the driving array."""

    OUTDOOR_CELSIUS = 0
    OUTDOOR_DAY_CELSIUS = 1
    """Mean of the last 24 h."""
    VAPOUR_PASCAL = 2
    ROOM_SET_CELSIUS = 3
    FLOW_SET_CELSIUS = 4
    """By the heating curve, before room influence."""
    GAINS_WATTS = 5
    DRAW_LITRES = 6
    SEASON = 7
    """1 while heating is allowed."""
    WATER_ALLOWED = 8
    """1 in the hours in which the tank may be reheated."""


def surroundings(
    homes: Sequence[HomeSpec], start_s: float, steps: int, step_s: float, seed: int
) -> Floats:
    """The driving array of shape (steps, len(Drive), homes)."""
    lead = int(np.ceil(DAY_S / step_s))  # the day's mean looks back
    times: Floats = start_s + step_s * np.arange(-lead, steps, dtype=np.float64)
    air = weather(
        seed,
        times,
        [home.index for home in homes],
        [home.outdoor_offset_kelvin for home in homes],
    )
    outdoor_curve = _trailing_mean(air.outdoor_celsius, max(round(CURVE_MEAN_S / step_s), 1))
    outdoor_day = _trailing_mean(air.outdoor_celsius, lead)
    now = times[lead:]
    drive = np.empty((steps, len(Drive), len(homes)))
    drive[:, Drive.OUTDOOR_CELSIUS] = air.outdoor_celsius[lead:]
    drive[:, Drive.OUTDOOR_DAY_CELSIUS] = outdoor_day[lead:]
    drive[:, Drive.VAPOUR_PASCAL] = air.vapour_pascal[lead:]
    for column, home in enumerate(homes):
        building = home.building
        room_set = building.room_set_celsius - building.setback_kelvin * _within_hours(
            now, building.setback_hour, SETBACK_S
        )
        slope = (building.flow_design_celsius - 20.0) / DESIGN_KELVIN
        lift = np.maximum(room_set - outdoor_curve[lead:, column], 0.0)
        drive[:, Drive.ROOM_SET_CELSIUS, column] = room_set
        drive[:, Drive.FLOW_SET_CELSIUS, column] = room_set + slope * lift + CURVE_MARGIN_KELVIN
        drive[:, Drive.GAINS_WATTS, column] = _gains(home, now, air.sun_w_per_m2[lead:], seed)
        drive[:, Drive.DRAW_LITRES, column] = _draws(home, now, step_s, seed)
        drive[:, Drive.SEASON, column] = outdoor_day[lead:, column] < building.heat_limit_celsius
        hour = home.water.window_hour
        drive[:, Drive.WATER_ALLOWED, column] = (
            _within_hours(now, hour, WINDOW_S) if hour >= 0.0 else 1.0
        )
    return drive


def _trailing_mean(values: Floats, width: int) -> Floats:
    """Mean of the last `width` rows, shorter at the beginning."""
    total = np.cumsum(values, axis=0)
    total[width:] -= total[:-width].copy()
    count = np.minimum(np.arange(1, len(values) + 1), width)
    return np.asarray(total / count[:, None])


def _within_hours(times_s: Floats, hour: float, length_s: float) -> Bools:
    """Whether the local time lies in the window that begins at `hour`."""
    return np.asarray((times_s + UTC_OFFSET_S - hour * HOUR_S) % DAY_S < length_s)


def _gains(home: HomeSpec, times_s: Floats, sun_w_per_m2: Floats, seed: int) -> Floats:
    """Sun through windows, people and appliances, W."""
    noise = smooth_noise(generator(seed, Stream.GAINS, home.index), times_s, 1.5 * HOUR_S, 24)
    awake = _within_hours(times_s, home.water.morning_hour, 16.0 * HOUR_S)
    people = home.building.gains_watts * (0.55 + 0.65 * awake) * np.exp(0.4 * noise)
    return np.asarray(people + home.building.sun_m2 * 0.5 * sun_w_per_m2)


def _draws(home: HomeSpec, times_s: Floats, step_s: float, seed: int) -> Floats:
    """Litres of tank water drawn in each step that begins at `times_s`."""
    local = times_s + UTC_OFFSET_S
    first, last = int(local[0] // DAY_S), int((local[-1] + step_s) // DAY_S)
    minutes = np.concatenate([_draw_minutes(home, day, seed) for day in range(first, last + 1)])
    # Cumulated, so that any step length takes its share of a minute.
    total = np.concatenate([[0.0], np.cumsum(minutes)])
    grid = first * DAY_S + 60.0 * np.arange(total.size)
    edges = np.append(local, local[-1] + step_s)
    return np.asarray(np.diff(np.interp(edges, grid, total)))


def _draw_minutes(home: HomeSpec, day: int, seed: int) -> Floats:
    """Litres drawn in each minute of a local day."""
    random = generator(seed, Stream.DRAWS, home.index, day)
    count = 4 + int(random.poisson(DRAWS_PER_DAY_MEAN - 4.0))
    when = random.choice(3, size=count, p=[0.35, 0.35, 0.30])
    hours = np.choose(
        when,
        [
            random.normal(home.water.morning_hour, 0.7, count),
            random.normal(home.water.evening_hour, 1.2, count),
            random.uniform(home.water.morning_hour, 22.5, count),
        ],
    )
    litres = random.exponential(1.0, count)
    litres *= home.water.draw_l_per_day * random.gamma(9.0, 1.0 / 9.0) / litres.sum()
    begin = np.clip(hours * 60.0, 0.0, _MINUTES - 1.0)
    # Each draw runs at tap speed: spread its litres over the minutes it takes.
    edges = np.arange(_MINUTES + 1.0)
    length = litres / DRAW_LITRES_PER_MINUTE
    done = (np.clip((edges[:, None] - begin) / length, 0.0, 1.0) * litres).sum(axis=1)
    done[-1] = litres.sum()  # a shower at midnight is booked before midnight
    return np.asarray(np.maximum(np.diff(done), 0.0))  # against rounding
