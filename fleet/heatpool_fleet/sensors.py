"""The sensors of a home: names, units, resolution, errors; and readings of what is really there.

In: channels of the simulation, the home's naming scheme, its sensor fault. Out: named columns as a
logger would store them. Guarantee: `CATALOGUE` documents every name that leaves the fleet; every
reading is finite.

PLAIN follows the examples of the integration guide that deployed loggers follow (power in W).
IDM are the names of the Navigator 2.0 register map as kodebach/hacs-idm-heatpump and
Xerolux/idm-metrics-collector spell them (power in kW, status as bit field); it has neither
pressures nor compressor frequency.
"""

from __future__ import annotations

from typing import Final

import msgspec
import numpy as np

from heatpool_fleet.chance import DAY_S, Floats, Stream, generator
from heatpool_fleet.channels import Channel
from heatpool_fleet.faults import SENSOR_FAULTS, Fault, FaultKind, FaultSpellingError
from heatpool_fleet.homes import HomeSpec, Naming


class Kind(msgspec.Struct, frozen=True):
    """A kind of sensor: how far readings are from the truth. Spreads are standard deviations."""

    unit: str
    decimals: int
    noise: float = 0.0
    """Per reading, in the unit."""
    noise_share: float = 0.0
    """Per reading, relative."""
    offset: float = 0.0
    """Per home, in the unit."""
    gain_share: float = 0.0
    """Per home, relative."""
    signed: bool = True


class Sensor(msgspec.Struct, frozen=True):
    """One named sensor: the channel it sees, and the scale from the channel's unit to its own."""

    name: str
    channel: Channel
    kind: Kind
    scale: float = 1.0


# Probes in wells: IEC 60751 class B is 0.35 K at 10 degC; loggers store tenths.
_TEMPERATURE: Final = Kind("degC", 1, noise=0.06, offset=0.20)
_SETTING: Final = Kind("degC", 1)
_PRESSURE: Final = Kind("bar", 2, noise=0.03, offset=0.06, signed=False)
_ELECTRIC_W: Final = Kind("W", 0, noise=0.7, noise_share=0.005, gain_share=0.010, signed=False)
_ELECTRIC_KW: Final = Kind("kW", 3, noise=0.0007, noise_share=0.005, gain_share=0.010, signed=False)
# Heat meters with sensors of their own: 2 % (EN 1434 class 2), so the water balance is a check.
_HEAT_W: Final = Kind("W", 0, noise_share=0.010, gain_share=0.020)
_HEAT_KW: Final = Kind("kW", 2, noise_share=0.010, gain_share=0.020)
_FREQUENCY: Final = Kind("Hz", 1)
_FAN: Final = Kind("1/min", 0, noise_share=0.006, signed=False)
_FLOW: Final = Kind("l/h", 0, noise_share=0.008, gain_share=0.015, signed=False)
_CODE: Final = Kind("code", 0)

COP_NAME: Final = "cop_current"
COP_WATTS_MIN: Final = 100.0  # below, a controller shows no COP: 0
COP_MAX: Final = 12.0
"""COP is no sensor: the controller divides its own readings of heat and power."""

NEIGHBOURS: Final = {
    Channel.FLOW_C: Channel.RETURN_C,
    Channel.RETURN_C: Channel.FLOW_C,
    Channel.HIGH_BAR: Channel.LOW_BAR,
    Channel.LOW_BAR: Channel.HIGH_BAR,
}
"""Sensors of one kind side by side: what a fitter may swap."""

CATALOGUE: Final[dict[Naming, tuple[Sensor, ...]]] = {
    Naming.PLAIN: (
        Sensor("temp_outdoor", Channel.OUTDOOR_C, _TEMPERATURE),
        Sensor("temp_flow", Channel.FLOW_C, _TEMPERATURE),
        Sensor("temp_return", Channel.RETURN_C, _TEMPERATURE),
        Sensor("temp_dhw", Channel.TOP_C, _TEMPERATURE),
        Sensor("power_electric", Channel.ELECTRIC_W, _ELECTRIC_W),
        Sensor("power_compressor", Channel.COMPRESSOR_W, _ELECTRIC_W),
        Sensor("power_thermal", Channel.THERMAL_W, _HEAT_W),
        Sensor("compressor_freq", Channel.HERTZ, _FREQUENCY),
        Sensor("fan_speed", Channel.FAN_RPM, _FAN),
        Sensor("pressure_high", Channel.HIGH_BAR, _PRESSURE),
        Sensor("pressure_low", Channel.LOW_BAR, _PRESSURE),
        Sensor("flow_rate", Channel.FLOW_L_H, _FLOW),
        Sensor("status", Channel.STATUS, _CODE),
    ),
    Naming.IDM: (
        Sensor("temp_outside", Channel.OUTDOOR_C, _TEMPERATURE),
        Sensor("temp_outside_avg", Channel.OUTDOOR_DAY_C, _SETTING),
        Sensor("temp_heat_pump_flow", Channel.FLOW_C, _TEMPERATURE),
        Sensor("temp_heat_pump_return", Channel.RETURN_C, _TEMPERATURE),
        Sensor("temp_flow_current_circuit_a", Channel.FLOW_C, _TEMPERATURE),
        Sensor("temp_flow_target_circuit_a", Channel.FLOW_TARGET_C, _SETTING),
        Sensor("temp_room_circuit_a", Channel.ROOM_C, _TEMPERATURE),
        Sensor("temp_water_heater_top", Channel.TOP_C, _TEMPERATURE),
        Sensor("temp_water_heater_bottom", Channel.BOTTOM_C, _TEMPERATURE),
        Sensor("temp_air_input", Channel.OUTDOOR_C, _TEMPERATURE),
        Sensor("temp_air_heat_exchanger", Channel.EVAPORATING_C, _TEMPERATURE),
        Sensor("power_current", Channel.THERMAL_W, _HEAT_KW, 1e-3),
        Sensor("power_current_draw", Channel.ELECTRIC_W, _ELECTRIC_KW, 1e-3),
        Sensor("power_resistive_heater", Channel.HEATER_W, _ELECTRIC_KW, 1e-3),
        Sensor("status_heat_pump", Channel.STATUS, _CODE),
    ),
}


def measure(
    home: HomeSpec, seed: int, times_s: Floats, truth: Floats, fault: Fault | None
) -> dict[str, Floats]:
    """What the home's logger stores for `truth` (steps, channels), by sensor name.

    A dict, because the names are the logger's own and travel as such.

    Raises:
        FaultSpellingError: the sensor fault names no sensor of the plain scheme, or one that the
            home's scheme lacks.
    """
    catalogue = CATALOGUE[home.naming]
    broken = broken_channel(home.naming, fault)
    if fault is not None and fault.kind is FaultKind.SENSOR_SWAPPED and broken is not None:
        truth = _swapped(truth, times_s, fault, broken)
    errors = generator(seed, Stream.SENSORS, home.index).standard_normal((2, len(catalogue)))
    noise = generator(seed, Stream.NOISE, home.index).standard_normal(
        (len(times_s), len(catalogue))
    )
    columns: dict[str, Floats] = {}
    for place, sensor in enumerate(catalogue):
        kind = sensor.kind
        value = truth[:, sensor.channel] * sensor.scale
        drawn = noise[:, place]
        gain = 1.0 + kind.gain_share * errors[0, place] + kind.noise_share * drawn
        # Absolute noise only where something is measured: a power meter reads 0 as 0.
        value = value * gain + kind.offset * errors[1, place] + kind.noise * drawn
        if fault is not None and sensor.channel is broken:
            value = _break(value, times_s, fault, sensor)
        if not kind.signed:
            value = np.maximum(value, 0.0)
        columns[sensor.name] = np.round(value, kind.decimals) + 0.0  # no negative zero
    if home.naming is Naming.PLAIN:
        columns[COP_NAME] = _cop(columns["power_thermal"], columns["power_electric"])
    return columns


def broken_channel(naming: Naming, fault: Fault | None) -> Channel | None:
    """The channel whose sensors of this scheme a sensor fault hits; None for other faults."""
    if fault is None or fault.kind not in SENSOR_FAULTS:
        return None
    plain = {sensor.name: sensor.channel for sensor in CATALOGUE[Naming.PLAIN]}
    channel = plain.get(fault.sensor)
    if channel is None or channel not in {sensor.channel for sensor in CATALOGUE[naming]}:
        raise FaultSpellingError(f"no sensor {fault.sensor!r} in the naming scheme {naming}")
    if fault.kind is FaultKind.SENSOR_SWAPPED and channel not in NEIGHBOURS:
        raise FaultSpellingError(f"nothing to swap sensor {fault.sensor!r} with")
    return channel


def _swapped(truth: Floats, times_s: Floats, fault: Fault, channel: Channel) -> Floats:
    other = NEIGHBOURS[channel]
    late = times_s >= fault.onset_s
    swapped = truth.copy()
    swapped[late, channel], swapped[late, other] = truth[late, other], truth[late, channel]
    return swapped


def _break(value: Floats, times_s: Floats, fault: Fault, sensor: Sensor) -> Floats:
    since = times_s - fault.onset_s
    if fault.kind is FaultKind.SENSOR_STUCK:
        first = int(np.searchsorted(times_s, fault.onset_s))
        held = value.copy()
        held[first:] = value[min(first, len(value) - 1)]
        return held
    if fault.kind is FaultKind.SENSOR_SWAPPED:
        return value  # it measures its neighbour's place, without further error
    days = np.maximum(since, 0.0) / DAY_S if fault.kind is FaultKind.SENSOR_DRIFT else since >= 0.0
    return np.asarray(value + fault.grade * sensor.scale * days)


def _cop(thermal_watts: Floats, electric_watts: Floats) -> Floats:
    running = (electric_watts >= COP_WATTS_MIN) & (thermal_watts > 0.0)
    cop = np.where(running, thermal_watts / np.maximum(electric_watts, COP_WATTS_MIN), 0.0)
    return np.asarray(np.round(np.minimum(cop, COP_MAX), 2))
