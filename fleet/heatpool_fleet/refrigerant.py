"""Saturation curve of propane (R290): pressures from temperatures and back.

In: condensing or evaporating temperatures. Out: absolute pressures, as the machine's sensors show.
Guarantee: strictly rising between -40 and +80 degC, so a pressure has one temperature.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from heatpool_fleet.chance import Floats

CRITICAL_KELVIN: Final = 369.89
CRITICAL_BAR: Final = 42.512
KELVIN: Final = 273.15
CELSIUS_MIN: Final = -40.0
CELSIUS_MAX: Final = 80.0
_BISECTIONS: Final = 60  # bisection to 120 K / 2^60: below one unit in the last place


def saturation_bar(celsius: Floats) -> Floats:
    """Vapour pressure of propane in bar (absolute).

    Ancillary equation of Lemmon, McLinden & Wagner, J. Chem. Eng. Data 54:3141 (2009): ln(p/pc) =
    (Tc/T) (-6.7722 t + 1.6938 t^1.5 - 1.3341 t^2.2 - 3.1876 t^4.8 + 0.94937 t^6.2), t = 1 - T/Tc.
    """
    kelvin = np.clip(celsius, CELSIUS_MIN, CELSIUS_MAX) + KELVIN
    t = 1.0 - kelvin / CRITICAL_KELVIN
    series = -6.7722 * t + 1.6938 * t**1.5 - 1.3341 * t**2.2 - 3.1876 * t**4.8 + 0.94937 * t**6.2
    return np.asarray(CRITICAL_BAR * np.exp(series * CRITICAL_KELVIN / kelvin))


def saturation_celsius(bar: Floats) -> Floats:
    """The temperature that belongs to a pressure, by bisection; clipped to the curve's range."""
    low = np.full(np.shape(bar), CELSIUS_MIN)
    high = np.full(np.shape(bar), CELSIUS_MAX)
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        below = saturation_bar(middle) < bar
        low = np.where(below, middle, low)
        high = np.where(below, high, middle)
    return np.asarray(0.5 * (low + high))
