"""The weather of the region and of each home.

In: seed, times, the homes' numbers and offsets. Out: outdoor temperature, vapour pressure, sun.
Guarantee: a pure function of (seed, time, home); no state, so any period can be asked for.

A mild climate as on the upper Rhine (annual mean 10.8 degC, coldest in late January): warm enough
that a year's COP and flow temperatures compare with the field's (`tests/fleet/test_field.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from heatpool_fleet.chance import DAY_S, HOUR_S, Floats, Stream, generator, smooth_noise

if TYPE_CHECKING:
    from collections.abc import Sequence

UTC_OFFSET_S: Final = 3_600.0  # habits and the sun follow CET all year: no daylight saving here
MEAN_CELSIUS: Final = 10.8
SEASON_KELVIN: Final = 8.3
COLDEST_DAY: Final = 25.0  # of the year
SYNOPTIC_KELVIN: Final = 3.4  # standard deviation of the passing weather
SYNOPTIC_TAU_S: Final = 2.2 * DAY_S
LOCAL_KELVIN: Final = 0.4
LOCAL_TAU_S: Final = 6.0 * HOUR_S
LATITUDE: Final = np.deg2rad(50.0)
YEAR_DAYS: Final = 365.25


class Weather(msgspec.Struct, frozen=True, eq=False):
    """Weather of a period. Arrays of shape (steps, homes), the sun's of shape (steps,)."""

    outdoor_celsius: Floats
    vapour_pascal: Floats
    """Partial pressure of water vapour: what frost grows from."""
    sun_w_per_m2: Floats
    """Global horizontal irradiance."""


def weather(
    seed: int, times_s: Floats, indices: Sequence[int], offsets_kelvin: Sequence[float]
) -> Weather:
    """The weather at `times_s` (shape (steps,)) for homes with these numbers and offsets."""
    random = generator(seed, Stream.REGION)
    synoptic = smooth_noise(random, times_s, SYNOPTIC_TAU_S, 64)
    cloud = 1.0 / (1.0 + np.exp(-1.6 * smooth_noise(random, times_s, 0.7 * DAY_S, 48) - 0.3))
    damp = smooth_noise(random, times_s, 1.5 * DAY_S, 32)
    local_s = times_s + UTC_OFFSET_S
    hour_angle = 2.0 * np.pi * (local_s % DAY_S) / DAY_S
    day_of_year = (local_s / DAY_S) % YEAR_DAYS  # the epoch began a year; leap days: < 1 day off
    season = -np.cos(2.0 * np.pi * (day_of_year - COLDEST_DAY) / YEAR_DAYS)  # -1 winter, 1 summer
    swing = (2.9 + 1.9 * season) * (1.35 - 0.9 * cloud)
    diurnal = -swing * np.cos(hour_angle - 2.0 * np.pi * 3.0 / 24.0)  # warmest at 15 h
    region = MEAN_CELSIUS + SEASON_KELVIN * season + SYNOPTIC_KELVIN * synoptic + diurnal
    outdoor = np.empty((times_s.size, len(indices)))
    for column, (index, offset) in enumerate(zip(indices, offsets_kelvin, strict=True)):
        own = smooth_noise(generator(seed, Stream.LOCAL, index), times_s, LOCAL_TAU_S, 16)
        outdoor[:, column] = region + offset + LOCAL_KELVIN * own
    humidity = 0.80 - 0.09 * season + 0.08 * (cloud - 0.5) + 0.06 * damp - 0.025 * diurnal
    vapour = np.clip(humidity, 0.35, 0.99) * vapour_over_water_pascal(region)
    # Cap at what the local air can hold: a colder valley is foggy, not supersaturated.
    vapour_home = np.minimum(vapour[:, None], 0.99 * vapour_over_water_pascal(outdoor))
    return Weather(outdoor, vapour_home, _sun(day_of_year, hour_angle, cloud))


def vapour_over_water_pascal(celsius: Floats) -> Floats:
    """Saturation vapour pressure over water; Magnus formula with WMO-No. 8 (2018) constants."""
    return np.asarray(611.2 * np.exp(17.62 * celsius / (243.12 + celsius)))


def vapour_over_ice_pascal(celsius: Floats) -> Floats:
    """Saturation vapour pressure over ice; Magnus formula with WMO-No. 8 (2018) constants."""
    return np.asarray(611.2 * np.exp(22.46 * celsius / (272.62 + celsius)))


def _sun(day_of_year: Floats, hour_angle: Floats, cloud: Floats) -> Floats:
    """Kasten & Czeplak, Solar Energy 24:177 (1980): 910 sin(h) - 30, less 0.75 n^3.4 for cloud."""
    declination = -0.409 * np.cos(2.0 * np.pi * (day_of_year + 10.0) / YEAR_DAYS)
    height = np.sin(LATITUDE) * np.sin(declination) + np.cos(LATITUDE) * np.cos(
        declination
    ) * np.cos(hour_angle - np.pi)
    clear = np.maximum(910.0 * height - 30.0, 0.0)
    return np.asarray(clear * (1.0 - 0.75 * cloud**3.4))
