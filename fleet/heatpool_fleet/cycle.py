"""The refrigeration cycle: what a compressor speed yields, and what it costs.

In: speed, outdoor and water temperature, frost, a fault's effects. Out: heat, electric power,
evaporating and condensing temperature. Guarantee: pure, element-wise over homes, and the heat of
the water equals the heat of the condenser (no energy appears or vanishes here).

Form: share of Carnot between the *inner* temperatures, approaches proportional to load, as in
OpenEnergyMonitor's heat-pump models (4 K and 10 K at full speed, practical factor 0.52).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from heatpool_fleet.chance import Floats
from heatpool_fleet.homes import WATER_J_PER_L_K, Machine
from heatpool_fleet.refrigerant import KELVIN

if TYPE_CHECKING:
    from heatpool_fleet.faults import Effects

# Constants of the loop are 0-d arrays: NumPy combines them with short arrays at half the price of a
# Python float (conversion and promotion), and this loop consists of such operations.
ZERO: Final = np.array(0.0)
ONE: Final = np.array(1.0)
HZ_MIN: Final = np.array(20.0)
HZ_MAX: Final = np.array(100.0)
RATED_EVAPORATING: Final = np.array(-17.0)  # degC at A-7 and full speed
RATED_CONDENSING: Final = np.array(37.0)  # degC at W35 and full speed
CAPACITY_PER_KELVIN: Final = np.array(0.031)  # slope of ln(vapour density) of R290 near 0 degC
CAPACITY_LOSS_PER_KELVIN: Final = np.array(0.006)  # less latent heat the hotter the liquid
RATED_CONDENSING_LEVEL: Final = np.array(1.0 + CAPACITY_LOSS_PER_KELVIN * RATED_CONDENSING)
BEST_HERTZ: Final = np.array(45.0)  # where inverter, motor and scroll lose least
SPEED_CURVATURE: Final = np.array(0.30 / HZ_MAX**2)  # 9 % of the share is lost at full speed
LIFT_KELVIN_MIN: Final = np.array(12.0)  # the compressor needs a minimum pressure ratio
AIR_IDLE: Final = np.array(0.40)  # share of air flow at zero speed
FLOW_IDLE: Final = np.array(0.60)  # share of water flow at zero speed
FROST_CHOKE: Final = np.array(0.40)  # share of conductance and air lost with a coil full of frost
AIR_SHARE_MIN: Final = np.array(0.12)  # a blocked coil still breathes a little
# The coil's metal: without it a badly frosted coil, whose capacity falls faster with temperature
# than it conducts, would swing from step to step.
RELAXATION: Final = np.array(0.4)
_SETTLING_STEPS: Final = 80


class Point(msgspec.Struct, frozen=True, eq=False):
    """One state of the cycle; arrays of shape (homes,)."""

    heat_watts: Floats
    compressor_watts: Floats
    evaporating_celsius: Floats
    condensing_celsius: Floats


class Circuit(msgspec.Struct, frozen=True, eq=False):
    """Machine and fault folded into the constants of one evaluation; arrays of shape (homes,)."""

    watts_per_hertz: Floats
    """Sound machine's heat at the rated temperatures."""
    capacity: Floats
    power: Floats
    carnot_share: Floats
    air_w_per_k: Floats
    air_w_per_k_hertz: Floats
    air_w_per_k_min: Floats
    approach: Floats
    """Condensing above mean water temperature, in units of the water's spread."""
    water_w_per_k: Floats
    water_w_per_k_hertz: Floats


def circuit(machine: Machine[Floats], effects: Effects[Floats]) -> Circuit:
    """The constants of `refrigerate`, computed once per stretch of time without change."""
    air = machine.evaporator_w_per_k * effects.evaporator
    water = machine.flow_l_per_h * (WATER_J_PER_L_K / 3600.0) * effects.flow
    return Circuit(
        watts_per_hertz=machine.rated_watts / HZ_MAX,
        capacity=effects.capacity,
        power=effects.power,
        carnot_share=machine.carnot_share,
        air_w_per_k=air * effects.air * AIR_IDLE,
        air_w_per_k_hertz=air * effects.air * ((1.0 - AIR_IDLE) / HZ_MAX),
        air_w_per_k_min=air * AIR_SHARE_MIN,
        # An isothermal condenser of effectiveness e: Q = e m cp (Tc - T_return).
        approach=1.0 / (machine.condenser_effectiveness * effects.condenser) - 0.5,
        water_w_per_k=water * FLOW_IDLE,
        water_w_per_k_hertz=water * ((1.0 - FLOW_IDLE) / HZ_MAX),
    )


def refrigerate(
    fixed: Circuit,
    hertz: Floats,
    outdoor_celsius: Floats,
    middle_celsius: Floats,
    frost: Floats,
    before: Point,
) -> Point:
    """The cycle at a frequency, with exchanger loads taken from `before` (the last minute).

    Args:
        fixed: the homes' circuits.
        hertz: compressor frequency, > 0.
        outdoor_celsius: air entering the evaporator.
        middle_celsius: mean of flow and return of the condenser.
        frost: coil load, 1 = time to defrost.
        before: last state; iterated at constant input it settles (`settled`).
    """
    heat_before = before.heat_watts
    clean = fixed.air_w_per_k + fixed.air_w_per_k_hertz * hertz
    air = np.maximum(clean * (ONE - FROST_CHOKE * frost), fixed.air_w_per_k_min)
    unrelaxed = outdoor_celsius - (heat_before - before.compressor_watts) / air
    evaporating = before.evaporating_celsius + RELAXATION * (unrelaxed - before.evaporating_celsius)
    spread = heat_before / (fixed.water_w_per_k + fixed.water_w_per_k_hertz * hertz)
    condensing = middle_celsius + spread * fixed.approach
    sound_watts = (
        fixed.watts_per_hertz
        * hertz
        * np.exp(CAPACITY_PER_KELVIN * (evaporating - RATED_EVAPORATING))
        * (RATED_CONDENSING_LEVEL - CAPACITY_LOSS_PER_KELVIN * condensing)
    )
    lift = np.maximum(condensing - evaporating, LIFT_KELVIN_MIN)
    off_best = hertz - BEST_HERTZ
    share = fixed.carnot_share * (ONE - SPEED_CURVATURE * off_best * off_best)
    power = fixed.power * sound_watts * lift / (share * (condensing + KELVIN))
    return Point(fixed.capacity * sound_watts, power, evaporating, condensing)


def settled(
    machine: Machine[Floats],
    effects: Effects[Floats],
    hertz: Floats,
    outdoor_celsius: Floats,
    flow_celsius: Floats,
) -> Point:
    """The steady state at a fixed frequency and flow temperature, without frost.

    This is the test stand on which fault sizes are compared with the literature's.
    """
    fixed, none = circuit(machine, effects), np.zeros_like(hertz)
    point = Point(none, none, none, none)
    for _ in range(_SETTLING_STEPS):
        water = fixed.water_w_per_k + fixed.water_w_per_k_hertz * hertz
        middle = flow_celsius - 0.5 * point.heat_watts / water
        point = refrigerate(fixed, hertz, outdoor_celsius, middle, none, point)
    return point
