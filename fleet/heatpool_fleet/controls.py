"""The controller: hot water, heating or rest; compressor speed; backup heater; defrost.

In: the state, what the sensors show. Out: the state's switches and speed. Guarantee: as common
units behave: weather-compensated flow temperature held by a PI controller on the compressor's
frequency, on-off hysteresis below its minimum, hot water first, defrost on demand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from heatpool_fleet.cycle import HZ_MAX, ONE, ZERO
from heatpool_fleet.plant import START_HZ, Plant, State

if TYPE_CHECKING:
    from heatpool_fleet.chance import Bools, Floats

START_S: Final = np.array(120.0)  # at START_HZ before the PI controller takes over
DEFROST_HZ: Final = np.array(70.0)
PI_HZ_PER_KELVIN: Final = np.array(2.5)
RUN_S_MIN: Final = np.array(300.0)
FLOW_CELSIUS_MAX: Final = np.array(60.0)  # hot water stops here
WATER_FLOW_CELSIUS: Final = np.array(54.0)
WATER_HZ_PER_KELVIN: Final = np.array(8.0)
DEFROST_CELSIUS_MAX: Final = np.array(6.0)  # no defrost by the clock above
DEFROST_GAP_S: Final = np.array(2_100.0)  # compressor time between defrosts of a healthy controller
DEFROST_S_MIN: Final = np.array(120.0)
DEFROST_S_PER_FROST: Final = np.array(210.0)
LACK_ON_KELVIN: Final = np.array(2.0)
LACK_OFF_KELVIN: Final = np.array(0.5)
HEATER_HERTZ_MIN: Final = np.array(97.0)


def switch(
    plant: Plant,
    s: State,
    outdoor: Floats,
    flow_set: Floats,
    heat_allowed: Bools,
    water_allowed: Bools,
) -> Bools:
    """Hot water, heating or rest; returns who defrosts."""
    dt = plant.step_s
    asked = s.watering | ((s.top_celsius < plant.water_on_celsius) & water_allowed)
    asked |= s.top_celsius < plant.water_icy_celsius
    unfinished = (s.top_celsius < plant.water.set_celsius) & (s.flow_celsius < FLOW_CELSIUS_MAX)
    s.watering = asked & unfinished
    # Running, the flow may overshoot; resting, the circuit may cool below the set point.
    slack = np.where(s.heating, s.half_spread - plant.overshoot_kelvin, plant.undershoot_kelvin)
    wanted = s.watering | ((s.loop_celsius + slack < flow_set) & heat_allowed)
    ready = s.on | (s.rest_s >= plant.rest_s)
    due = (s.frost >= plant.effects.frost_limit) & (s.since_defrost_s >= DEFROST_GAP_S)
    due |= (s.since_defrost_s >= plant.effects.defrost_every_s) & (outdoor < DEFROST_CELSIUS_MAX)
    left = np.maximum(s.defrost_left_s - dt, ZERO)
    length = DEFROST_S_MIN + DEFROST_S_PER_FROST * s.frost
    s.defrost_left_s = np.where(s.on & due, length, left)
    defrosting: Bools = s.defrost_left_s > ZERO
    s.on = (wanted & ready) | (s.on & (s.run_s < RUN_S_MIN)) | defrosting
    s.heating = s.on & ~(s.watering | defrosting)
    s.running = s.on.astype(np.float64)
    s.run_s = (s.run_s + dt) * s.running
    s.rest_s = (s.rest_s + dt) * (ONE - s.running)
    s.since_defrost_s = (s.since_defrost_s + dt * s.running) * ~defrosting
    return defrosting


def speed(plant: Plant, s: State, flow_set: Floats, defrosting: Bools) -> None:
    """The compressor's frequency: PI on the flow temperature, fixed for water and defrost."""
    lowest = plant.hertz_min
    error = flow_set - s.loop_celsius - s.half_spread
    change = PI_HZ_PER_KELVIN * (error - s.error_kelvin) + plant.integral * error
    s.error_kelvin = error
    demand = np.minimum(np.maximum(s.demand_hertz + change, lowest), HZ_MAX)
    held = np.where(s.on, s.demand_hertz, START_HZ)
    s.demand_hertz = np.where(s.heating & (s.run_s > START_S), demand, held)
    # Near its limit the hot flow slows the compressor down, so that the tank still gets warm.
    hot = WATER_HZ_PER_KELVIN * np.maximum(s.flow_celsius - WATER_FLOW_CELSIUS, ZERO)
    target = np.where(s.watering, plant.machine.water_hz - hot, s.demand_hertz)
    target = np.where(defrosting, DEFROST_HZ, target)
    slew = np.minimum(np.maximum(target - s.hertz, -plant.slew_hertz), plant.slew_hertz)
    s.hertz = np.maximum(s.hertz + slew, lowest) * s.running


def heater(plant: Plant, s: State, outdoor: Floats) -> Floats:
    """Backup heater, W: in the cold, when full speed has not sufficed for a while; or by fault."""
    short = s.error_kelvin * (s.heating & (s.hertz > HEATER_HERTZ_MIN))
    s.lack_kelvin = s.lack_kelvin + plant.lack_pace * (short - s.lack_kelvin)
    begin = (s.lack_kelvin > LACK_ON_KELVIN) & (outdoor < plant.machine.bivalence_celsius)
    s.heater = ((s.heater & (s.lack_kelvin > LACK_OFF_KELVIN)) | begin) & s.heating
    return s.heater * plant.heater_stage_watts + s.heating * plant.effects.heater_watts
