"""The constants and the state of simulated homes: what a step needs, and what it changes.

In: homes, the effects of their faults, the step's length. Out: a `Plant` (constants folded once)
and a first `State`. Guarantee: every array has shape (homes,), element i belongs to home i.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from heatpool_fleet.chance import Bools, Floats
from heatpool_fleet.cycle import HZ_MIN, Circuit, Point, circuit
from heatpool_fleet.faults import Effects
from heatpool_fleet.homes import (
    WATER_J_PER_L_K,
    Building,
    HomeSpec,
    HotWater,
    Machine,
    buildings,
    machines,
    waters,
)
from heatpool_fleet.surroundings import Drive

if TYPE_CHECKING:
    from collections.abc import Sequence

START_HZ: Final = np.array(35.0)
PI_HZ_PER_KELVIN_S: Final = 2.5 / 2_400.0  # the gain over an integral time of 40 min
SLEW_HZ_PER_S: Final = 12.0 / 60.0
WATER_EMERGENCY_KELVIN: Final = 6.0  # below the switch-on point: reheat outside the window too
WARM_TAU_S: Final = 60.0
PRESSURE_ON_TAU_S: Final = 60.0
PRESSURE_OFF_TAU_S: Final = 420.0
PIPE_TAU_S: Final = 5_400.0
LACK_TAU_S: Final = 1_200.0
HEATER_STAGE: Final = 1.0 / 3.0
TANK_LOSS_W_PER_K: Final = 1.6  # about 50 W at 50 degC


class Plant(msgspec.Struct, frozen=True, eq=False):
    """Constants of a stretch of time without change of faults; arrays of shape (homes,)."""

    building: Building[Floats]
    machine: Machine[Floats]
    water: HotWater[Floats]
    effects: Effects[Floats]
    circuit: Circuit
    overshoot_kelvin: Floats
    undershoot_kelvin: Floats
    rest_s: Floats
    water_on_celsius: Floats
    water_icy_celsius: Floats
    hertz_min: Floats
    kelvin_per_loop_watt: Floats
    kelvin_per_room_watt: Floats
    kelvin_per_layer_watt: Floats
    layer_litres: Floats
    layer_leak: Floats
    heater_stage_watts: Floats
    # 0-d arrays, see `cycle`.
    step_s: Floats
    slew_hertz: Floats
    integral: Floats
    warm_pace: Floats
    lack_pace: Floats
    pipe_pace: Floats
    on_pace: Floats
    off_pace: Floats


def make_plant(homes: Sequence[HomeSpec], effects: Effects[Floats], step_s: float) -> Plant:
    """Parameters of `homes` with the effects of their faults, folded for steps of `step_s`."""
    building, machine, water = buildings(homes), machines(homes), waters(homes)
    water_on = water.set_celsius - water.hysteresis_kelvin
    layer_litres = 0.5 * water.tank_litres
    return Plant(
        building=building,
        machine=machine,
        water=water,
        effects=effects,
        circuit=circuit(machine, effects),
        overshoot_kelvin=machine.hysteresis_high_kelvin * effects.hysteresis,
        undershoot_kelvin=machine.hysteresis_low_kelvin * effects.hysteresis,
        rest_s=machine.rest_s_min * effects.rest,
        water_on_celsius=water_on,
        water_icy_celsius=water_on - WATER_EMERGENCY_KELVIN,
        hertz_min=HZ_MIN + effects.hertz_min,
        kelvin_per_loop_watt=step_s / (building.loop_j_per_k * effects.loop),
        kelvin_per_room_watt=step_s / building.room_j_per_k,
        kelvin_per_layer_watt=step_s / (layer_litres * WATER_J_PER_L_K),
        layer_litres=layer_litres,
        layer_leak=0.5 * TANK_LOSS_W_PER_K * step_s / (layer_litres * WATER_J_PER_L_K),
        heater_stage_watts=machine.heater_watts * HEATER_STAGE,
        step_s=np.array(step_s),
        slew_hertz=np.array(SLEW_HZ_PER_S * step_s),
        integral=np.array(PI_HZ_PER_KELVIN_S * step_s),
        warm_pace=_pace(step_s, WARM_TAU_S),
        lack_pace=_pace(step_s, LACK_TAU_S),
        pipe_pace=_pace(step_s, PIPE_TAU_S),
        on_pace=_pace(step_s, PRESSURE_ON_TAU_S),
        off_pace=_pace(step_s, PRESSURE_OFF_TAU_S),
    )


def _pace(step_s: float, tau_s: float) -> Floats:
    """Share of the way a first-order lag goes in one step."""
    return np.array(1.0 - math.exp(-step_s / tau_s))


class State(msgspec.Struct, eq=False):
    """Everything one step hands to the next; arrays of shape (homes,)."""

    loop_celsius: Floats
    room_celsius: Floats
    top_celsius: Floats
    bottom_celsius: Floats
    flow_celsius: Floats
    return_celsius: Floats
    half_spread: Floats
    evaporating_celsius: Floats
    condensing_celsius: Floats
    frost: Floats
    hertz: Floats
    demand_hertz: Floats
    error_kelvin: Floats
    lack_kelvin: Floats
    warm: Floats
    run_s: Floats
    rest_s: Floats
    since_defrost_s: Floats
    defrost_left_s: Floats
    running: Floats
    """`on` as 0 and 1."""
    on: Bools
    heating: Bools
    watering: Bools
    heater: Bools
    point: Point


def first_state(plant: Plant, row: Floats) -> State:
    """A plausible state to begin the spin-up from: warm room, warm tank, compressor off."""
    n = plant.machine.rated_watts.size
    outdoor, flow_set = row[Drive.OUTDOOR_CELSIUS], row[Drive.FLOW_SET_CELSIUS]
    nothing, off = np.zeros(n), np.zeros(n, dtype=np.bool_)
    return State(
        loop_celsius=flow_set,
        room_celsius=plant.building.room_set_celsius,
        top_celsius=plant.water.set_celsius,
        bottom_celsius=plant.water.set_celsius - 8.0,
        flow_celsius=flow_set,
        return_celsius=flow_set,
        half_spread=nothing,
        evaporating_celsius=outdoor,
        condensing_celsius=outdoor,
        frost=nothing,
        hertz=nothing,
        demand_hertz=nothing + START_HZ,
        error_kelvin=nothing,
        lack_kelvin=nothing,
        warm=nothing,
        run_s=nothing,
        rest_s=nothing + 1e6,
        since_defrost_s=nothing,
        defrost_left_s=nothing,
        running=nothing,
        on=off,
        heating=off,
        watering=off,
        heater=off,
        point=Point(nothing, nothing, outdoor, flow_set),
    )
