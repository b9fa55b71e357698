"""One step of all homes: controls, refrigeration, water, frost, room and tank.

In: a row of `surroundings` and the state. Out: the state a step later, and a row of `Channel`s.
Guarantee: element-wise over homes; the circuit, the room and the tank receive exactly the heat that
the water carries (flow rate x heat capacity x spread).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from heatpool_fleet.channels import Channel
from heatpool_fleet.controls import DEFROST_S_PER_FROST, heater, speed, switch
from heatpool_fleet.cycle import AIR_IDLE, HZ_MAX, HZ_MIN, ONE, ZERO, refrigerate
from heatpool_fleet.weather import vapour_over_ice_pascal

if TYPE_CHECKING:
    from heatpool_fleet.chance import Bools, Floats
    from heatpool_fleet.plant import Plant, State

HALF: Final = np.array(0.5)
FOUR: Final = np.array(4.0)  # status code of hot water ...
EIGHT: Final = np.array(8.0)  # ... and of defrost
ROOM_ERROR_MIN: Final = np.array(-1.2)  # room stat: no heating of a room this much too warm
DEFROST_HEAT: Final = np.array(-0.45)  # of rated heat, taken from the heating circuit
DEFROST_POWER: Final = np.array(0.15)  # of rated heat
DEFROST_FROST_PER_S: Final = np.asarray(-ONE / DEFROST_S_PER_FROST)
AIR_PER_HERTZ: Final = np.array((1.0 - AIR_IDLE) / HZ_MAX)
FROST_PER_PASCAL_S: Final = np.array(1.6e-6)  # a coil is full in about 70 min at 1 degC, full speed
FROST_MAX: Final = np.array(2.6)
MELT_PER_KELVIN_S: Final = np.array(1.0 / 4_800.0)  # by air, compressor off
SURFACE_SHARE: Final = np.array(0.55)  # of the way from air to evaporating temperature
COLD_SHARE: Final = np.array(0.65)
WARM_LOSS: Final = np.array(0.35)  # ... costs short runs some percent [K]
DEFROST_EVAPORATING: Final = np.array(-9.0)
DEFROST_CONDENSING: Final = np.array(12.0)
PIPE_CELSIUS: Final = np.array(20.0)
OFF_HIGH_KELVIN: Final = np.array(0.5)
COLD_WATER_CELSIUS: Final = np.array(11.0)


def step(plant: Plant, s: State, row: Floats, out: Floats) -> None:
    """Advance `s` by one step under `row` (a row of `surroundings`); write channels to `out`."""
    outdoor, _, vapour, room_set, flow_curve, gains, draw, season, allowed = row
    room_error = room_set - s.room_celsius
    flow_set = flow_curve + plant.building.room_influence * room_error
    in_season = season > ZERO
    heat_allowed = in_season & (room_error > ROOM_ERROR_MIN)
    defrosting = switch(plant, s, outdoor, flow_set, heat_allowed, allowed > ZERO)
    speed(plant, s, flow_set, defrosting)
    working = s.on & ~defrosting
    tank = (working & s.watering).astype(np.float64)
    heat, power = _cycle(plant, s, outdoor, working, tank, defrosting)
    backup = heater(plant, s, outdoor)
    total = heat + backup
    in_tank = heat * tank
    pump = in_season | s.on
    _hydraulics(plant, s, total, in_tank, tank, pump)
    _freeze(plant, s, outdoor, vapour, working, defrosting)
    _warm(plant, s, total - in_tank, outdoor, gains)
    _fill(plant, s, in_tank, draw)
    out[Channel.HERTZ] = s.hertz
    out[Channel.STATUS] = np.where(defrosting, EIGHT, s.heating + FOUR * tank)
    out[Channel.THERMAL_W] = total
    out[Channel.COMPRESSOR_W] = power
    out[Channel.HEATER_W] = backup
    out[Channel.FLOW_C] = s.flow_celsius
    out[Channel.RETURN_C] = s.return_celsius
    out[Channel.FLOW_TARGET_C] = flow_set
    out[Channel.ROOM_C] = s.room_celsius
    out[Channel.TOP_C] = s.top_celsius
    out[Channel.BOTTOM_C] = s.bottom_celsius
    out[Channel.EVAPORATING_C] = s.evaporating_celsius
    out[Channel.CONDENSING_C] = s.condensing_celsius
    out[Channel.FROST] = s.frost
    out[Channel.PUMP] = pump


def _cycle(
    plant: Plant, s: State, outdoor: Floats, working: Bools, tank: Floats, defrosting: Bools
) -> tuple[Floats, Floats]:
    """Heat to the water and compressor power, W; pressures follow their temperatures slowly."""
    above_tank = s.bottom_celsius - s.loop_celsius + s.point.heat_watts / plant.water.coil_w_per_k
    middle = s.loop_celsius + tank * above_tank
    # A resting machine is carried along at lowest speed: exchanger loads are ready for the start.
    hertz = np.maximum(s.hertz, HZ_MIN)
    point = refrigerate(plant.circuit, hertz, outdoor, middle, s.frost, s.point)
    s.point = point
    share = working.astype(np.float64)
    s.warm = (s.warm + plant.warm_pace * (ONE - s.warm)) * share
    rated = plant.machine.rated_watts * (s.running - share)  # of those that defrost
    heat = point.heat_watts * share * (COLD_SHARE + WARM_LOSS * s.warm) + DEFROST_HEAT * rated
    power = point.compressor_watts * share + DEFROST_POWER * rated
    pace = plant.off_pace + (plant.on_pace - plant.off_pace) * s.running
    low = np.where(working, point.evaporating_celsius, outdoor)
    high = np.where(working, point.condensing_celsius, outdoor + OFF_HIGH_KELVIN)
    low = np.where(defrosting, DEFROST_EVAPORATING, low)
    high = np.where(defrosting, DEFROST_CONDENSING, high)
    s.evaporating_celsius = s.evaporating_celsius + pace * (low - s.evaporating_celsius)
    s.condensing_celsius = s.condensing_celsius + pace * (high - s.condensing_celsius)
    return heat, power


def _hydraulics(
    plant: Plant, s: State, total: Floats, in_tank: Floats, tank: Floats, pump: Bools
) -> None:
    """Flow and return from heat and water flow; standing pipes cool to the plant room."""
    fixed = plant.circuit
    half = HALF * total / (fixed.water_w_per_k + fixed.water_w_per_k_hertz * s.hertz)
    s.half_spread = half
    coil = s.bottom_celsius + in_tank / plant.water.coil_w_per_k
    middle = s.loop_celsius + tank * (coil - s.loop_celsius)
    cooled = plant.pipe_pace
    standing_flow = s.flow_celsius + cooled * (PIPE_CELSIUS - s.flow_celsius)
    standing_return = s.return_celsius + cooled * (PIPE_CELSIUS - s.return_celsius)
    s.flow_celsius = np.where(pump, middle + half, standing_flow)
    s.return_celsius = np.where(pump, middle - half, standing_return)


def _freeze(
    plant: Plant, s: State, outdoor: Floats, vapour: Floats, working: Bools, defrosting: Bools
) -> None:
    """Frost grows where the coil is below zero and drier than the air, and melts otherwise."""
    surface = outdoor + SURFACE_SHARE * (s.evaporating_celsius - outdoor)
    excess = np.maximum(vapour - vapour_over_ice_pascal(surface), ZERO) * (surface < ZERO)
    breath = (AIR_IDLE + AIR_PER_HERTZ * s.hertz) * plant.effects.air
    growth = FROST_PER_PASCAL_S * excess * breath
    thaw = MELT_PER_KELVIN_S * np.minimum(ONE - outdoor, ZERO)  # above 1 degC
    rate = np.where(working, growth, thaw)
    rate = np.where(defrosting, DEFROST_FROST_PER_S, rate)
    s.frost = np.minimum(np.maximum(s.frost + plant.step_s * rate, ZERO), FROST_MAX)


def _warm(plant: Plant, s: State, in_loop: Floats, outdoor: Floats, gains: Floats) -> None:
    """Heating circuit and room: heat in minus heat out, over one step."""
    building = plant.building
    emitted = building.emitter_w_per_k * (s.loop_celsius - s.room_celsius)
    lost = building.loss_w_per_k * (s.room_celsius - outdoor)
    s.loop_celsius = s.loop_celsius + plant.kelvin_per_loop_watt * (in_loop - emitted)
    s.room_celsius = s.room_celsius + plant.kelvin_per_room_watt * (emitted + gains - lost)


def _fill(plant: Plant, s: State, in_tank: Floats, draw: Floats) -> None:
    """Tank of two layers: heat comes in below, draws push cold water up from below."""
    share = draw / plant.layer_litres
    top, bottom, leak = s.top_celsius, s.bottom_celsius, plant.layer_leak
    bottom_new = bottom + share * (COLD_WATER_CELSIUS - bottom) - leak * (bottom - PIPE_CELSIUS)
    bottom_new += plant.kelvin_per_layer_watt * in_tank
    top_new = top + share * (bottom - top) - leak * (top - PIPE_CELSIUS)
    rising = np.maximum(HALF * (bottom_new - top_new), ZERO)  # warm water below mixes upwards
    s.top_celsius = top_new + rising
    s.bottom_celsius = bottom_new - rising
