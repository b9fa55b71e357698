"""What follows from the simulated state without memory: pressures, fan, water flow, total power.

In: channels filled by the loop, the drive. Out: the remaining channels. Guarantee: pure arithmetic
on whole arrays; high pressure is never below low pressure.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Final

import numpy as np

from heatpool_fleet.cycle import FLOW_IDLE, HZ_MAX, HZ_MIN
from heatpool_fleet.refrigerant import saturation_bar
from heatpool_fleet.surroundings import Drive

if TYPE_CHECKING:
    from heatpool_fleet.chance import Floats
    from heatpool_fleet.plant import Plant

FAN_RPM_MIN: Final = 320.0
FAN_RPM_MAX: Final = 760.0
FAN_BOOST: Final = 0.35  # the fan speeds up when it feels a blocked coil, by this share of blockage
FAN_WATTS_MAX: Final = 75.0  # at full speed, growing with its cube
PUMP_WATTS_MAX: Final = 35.0
DEFROST_STATUS: Final = 8.0


class Channel(enum.IntEnum):
    """What the simulation knows exactly; `sensors` measures it."""

    HERTZ = 0
    STATUS = 1
    THERMAL_W = 2
    COMPRESSOR_W = 3
    HEATER_W = 4
    FLOW_C = 5
    RETURN_C = 6
    FLOW_TARGET_C = 7
    ROOM_C = 8
    TOP_C = 9
    BOTTOM_C = 10
    EVAPORATING_C = 11
    CONDENSING_C = 12
    FROST = 13
    PUMP = 14
    # From here on filled after the loop (`complete`).
    OUTDOOR_C = 15
    OUTDOOR_DAY_C = 16
    FLOW_L_H = 17
    FAN_RPM = 18
    ELECTRIC_W = 19
    HIGH_BAR = 20
    LOW_BAR = 21


STEPPED: Final = int(Channel.OUTDOOR_C)


def complete(plant: Plant, drive: Floats, log: Floats) -> None:
    """Fill the memoryless channels of `log` (steps, channels, homes) in place."""
    hertz, pump = log[:, Channel.HERTZ], log[:, Channel.PUMP]
    running = hertz > 0.0
    log[:, Channel.OUTDOOR_C] = drive[:, Drive.OUTDOOR_CELSIUS]
    log[:, Channel.OUTDOOR_DAY_C] = drive[:, Drive.OUTDOOR_DAY_CELSIUS]
    share = FLOW_IDLE + (1.0 - FLOW_IDLE) / HZ_MAX * hertz
    log[:, Channel.FLOW_L_H] = plant.machine.flow_l_per_h * plant.effects.flow * share * pump
    turning = running & (log[:, Channel.STATUS] != DEFROST_STATUS)
    speed = FAN_RPM_MIN + (FAN_RPM_MAX - FAN_RPM_MIN) * (hertz - HZ_MIN) / (HZ_MAX - HZ_MIN)
    boost = 1.0 + FAN_BOOST * (1.0 - plant.effects.air)
    rpm = speed * boost * turning
    log[:, Channel.FAN_RPM] = rpm
    log[:, Channel.ELECTRIC_W] = (
        log[:, Channel.COMPRESSOR_W]
        + log[:, Channel.HEATER_W]
        + FAN_WATTS_MAX * (rpm / FAN_RPM_MAX) ** 3
        + PUMP_WATTS_MAX * share**2 * pump
        + plant.machine.standby_watts
    )
    low = saturation_bar(log[:, Channel.EVAPORATING_C]) + plant.effects.low_side_bar * running
    high = saturation_bar(log[:, Channel.CONDENSING_C]) + plant.effects.high_side_bar * running
    log[:, Channel.LOW_BAR] = np.minimum(low, high)  # after a stop both sides find one pressure
    log[:, Channel.HIGH_BAR] = np.maximum(low, high)
