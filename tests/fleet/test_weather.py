"""The weather: plausible seasons and days, shared by the region, a function of time alone."""

from __future__ import annotations

import numpy as np
import pytest

from heatpool_fleet.chance import DAY_S, HOUR_S, Floats
from heatpool_fleet.weather import (
    Weather,
    vapour_over_ice_pascal,
    vapour_over_water_pascal,
    weather,
)

START_S = 1_767_222_000.0  # 2026-01-01 00:00 CET


@pytest.fixture(scope="module")
def three_years() -> Weather:
    """Hourly weather of three years for two homes."""
    times: Floats = START_S + HOUR_S * np.arange(3 * 8_766, dtype=np.float64)
    return weather(5, times, [0, 1], [0.0, -1.0])


def test_year_has_cold_winters_and_warm_summers(three_years: Weather) -> None:
    """Means of the year, of January and of July are those of a mild central-European place."""
    outdoor = three_years.outdoor_celsius[:, 0]
    day = (np.arange(outdoor.size) / 24.0) % 365.25

    assert 9.5 < outdoor.mean() < 12.0
    assert -1.0 < outdoor[day < 31].mean() < 5.0
    assert 16.5 < outdoor[(day > 181) & (day < 212)].mean() < 21.5
    assert -15.0 < outdoor.min() < -3.0
    assert 26.0 < outdoor.max() < 38.0


def test_afternoon_is_warmer_than_early_morning(three_years: Weather) -> None:
    """The mean day peaks about 15 h local time and is coldest about 3 h."""
    days = three_years.outdoor_celsius[: 365 * 24, 0].reshape(-1, 24).mean(axis=0)

    assert 13 <= days.argmax() <= 17
    assert 1 <= days.argmin() <= 5
    assert 3.0 < days.max() - days.min() < 9.0


def test_homes_share_the_region_and_keep_their_offset(three_years: Weather) -> None:
    """Two homes differ by their offset and little noise of their own."""
    difference = three_years.outdoor_celsius[:, 0] - three_years.outdoor_celsius[:, 1]

    assert abs(difference.mean() - 1.0) < 0.1
    assert 0.2 < difference.std() < 1.0


def test_air_is_never_supersaturated(three_years: Weather) -> None:
    """Vapour pressure stays below saturation and above a desert's; winters are damp."""
    saturation = vapour_over_water_pascal(three_years.outdoor_celsius)
    humidity = three_years.vapour_pascal / saturation

    assert humidity.max() <= 0.99 + 1e-9
    assert humidity.min() > 0.2
    assert 0.8 < humidity[: 31 * 24].mean() < 0.97


def test_sun_shines_by_day_and_more_in_summer(three_years: Weather) -> None:
    """Dark at midnight; the yearly sum is that of 50 degrees north."""
    sun = three_years.sun_w_per_m2

    assert np.all(sun[::24] == 0.0)
    assert 850.0 < sun.mean() * 8.766 < 1_350.0
    assert sun[181 * 24 : 212 * 24].mean() > 4.0 * sun[: 31 * 24].mean()


def test_weather_does_not_depend_on_where_the_period_begins() -> None:
    """The second day of two is the first of one."""
    times: Floats = START_S + 60.0 * np.arange(2_880, dtype=np.float64)
    both = weather(5, times, [3], [0.4])
    second = weather(5, times[1_440:], [3], [0.4])

    assert np.array_equal(both.outdoor_celsius[1_440:], second.outdoor_celsius)
    assert np.array_equal(both.vapour_pascal[1_440:], second.vapour_pascal)


def test_vapour_pressures_meet_at_the_triple_point() -> None:
    """Both Magnus curves give 611.2 Pa at 0 degC; ice holds less below."""
    zero, cold = np.array([0.0]), np.array([-10.0])

    assert vapour_over_ice_pascal(zero)[0] == pytest.approx(611.2)
    assert vapour_over_water_pascal(zero)[0] == pytest.approx(611.2)
    assert vapour_over_ice_pascal(cold)[0] == pytest.approx(259.9, rel=0.005)
    assert vapour_over_water_pascal(np.array([20.0]))[0] == pytest.approx(2_339.0, rel=0.005)
    assert DAY_S == 24.0 * HOUR_S
