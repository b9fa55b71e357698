"""Faults of known size, put into readings of healthy homes: what the gate tries a candidate on.

In: readings of a home and what a detector knows of its sensors. Out: the same readings with a fault
from a moment on, or None where the machine lacks a sensor that shows it. Guaranteed: pure; only the
named sensors change; a transformation of readings, no simulation, so that it needs no model of the
machine and cannot share its mistakes.

Sizes: Domanski et al., NIST TN 1848 (heating, charge -30 %: COP -20 %, -20 %: -8.3 %; +20 %: COP
-6.5 %, power +6.9 %); Cheung and Braun, NREL/SR-5500-65030 (evaporator fouled by a quarter:
COP -11 %); water flow and spread by conservation of energy. Sensor errors of 3 K are the upper end
of what is found in the field.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import msgspec
import numpy as np

from heatpool_trainer.readings import HomeSeries

if TYPE_CHECKING:
    from heatpool_contract.detector import Detector, Field
    from heatpool_trainer.native import Floats

UNKNOWN_FIELDS_MAX: Final = 4  # fields no catalogue knows that are tried, each alone


class Effect(msgspec.Struct, frozen=True):
    """What happens to one sensor, in its own unit."""

    sensor: str
    kind: Literal["factor", "shift", "stuck", "ranges"]
    """`ranges`: a shift in units of what is usual for the field."""
    size: float = 0.0


class Scenario(msgspec.Struct, frozen=True):
    """A fault by its effects. Those on sensors that a home lacks are left out, but the first."""

    name: str
    effects: tuple[Effect, ...]


_LESS_COP: Final = 0.8
SCENARIOS: Final = (
    Scenario(
        "undercharge_30",
        (
            Effect("power_electric", "factor", 1.0 / _LESS_COP),
            Effect("power_compressor", "factor", 1.0 / _LESS_COP),
            Effect("cop_current", "factor", _LESS_COP),
            Effect("pressure_low", "shift", -0.5),
        ),
    ),
    Scenario(
        "overcharge_20",
        (
            Effect("pressure_high", "shift", 1.5),
            Effect("power_electric", "factor", 1.069),
            Effect("power_compressor", "factor", 1.069),
            Effect("cop_current", "factor", 0.935),
        ),
    ),
    Scenario(
        "evaporator_fouled_25",
        (
            Effect("pressure_low", "shift", -0.6),
            Effect("power_electric", "factor", 1.0 / 0.89),
            Effect("power_compressor", "factor", 1.0 / 0.89),
            Effect("cop_current", "factor", 0.89),
        ),
    ),
    Scenario(
        "undercharge_20",
        (
            Effect("power_electric", "factor", 1.0 / 0.917),
            Effect("power_compressor", "factor", 1.0 / 0.917),
            Effect("cop_current", "factor", 0.917),
            Effect("pressure_low", "shift", -0.2),
        ),
    ),
    Scenario(
        "water_flow_30_less",
        (Effect("temp_return", "shift", -2.0), Effect("flow_rate", "factor", 0.7)),
    ),
    Scenario("outdoor_sensor_3_k", (Effect("temp_outdoor", "shift", 3.0),)),
    Scenario("flow_sensor_3_k", (Effect("temp_flow", "shift", 3.0),)),
    Scenario("pressure_stuck", (Effect("pressure_high", "stuck"),)),
)


def scenarios_for(detector: Detector) -> tuple[Scenario, ...]:
    """Those that the detector's sensors can show; of unknown machines, single fields that move."""
    names = {field.name for field in detector.fields}
    known = tuple(
        msgspec.structs.replace(
            one, effects=tuple(effect for effect in one.effects if effect.sensor in names)
        )
        for one in SCENARIOS
        if one.effects[0].sensor in names
    )
    if known:
        return known
    targets = sorted({target.field for mode in detector.modes for target in mode.targets})
    return tuple(
        Scenario(f"{name}_one_range", (Effect(name, "ranges", 1.0),))
        for name in targets[:UNKNOWN_FIELDS_MAX]
        if name in names
    )


def afflicted(
    scenario: Scenario, detector: Detector, series: HomeSeries, onset_ms: int
) -> HomeSeries | None:
    """The readings with the fault from `onset_ms` on; None if the home lacks its first sensor."""
    fields = {field.name: field for field in detector.fields}
    usual = {
        target.field: target.usual[2] - target.usual[0]
        for mode in detector.modes
        for target in mode.targets
    }
    later = series.timestamps_ms >= onset_ms
    columns = dict(series.columns)
    for number, effect in enumerate(scenario.effects):
        carried = [s for s in fields[effect.sensor].sources if s.name in columns]
        if not carried and number == 0:
            return None
        for source in carried:
            column = columns[source.name].copy()
            column[later] = _changed(
                effect,
                column[later],
                fields[effect.sensor],
                source.scale,
                source.shift,
                usual.get(effect.sensor, 0.0),
            )
            columns[source.name] = column
    return HomeSeries(series.home, series.timestamps_ms, columns)


def _changed(
    effect: Effect,
    sent: Floats,
    field: Field,
    scale: float,
    shift: float,
    usual: float,
) -> Floats:
    """Sent values after an effect on what they mean; within the sensor's limits."""
    meant = scale * sent + shift
    if effect.kind == "stuck":
        finite = meant[np.isfinite(meant)]
        after = np.where(np.isnan(meant), np.nan, finite[0] if finite.size else np.nan)
    elif effect.kind == "factor":
        after = meant * effect.size
    else:
        after = meant + effect.size * (usual if effect.kind == "ranges" else 1.0)
    believed = (meant >= field.low) & (meant <= field.high)
    after = np.where(believed, np.clip(after, field.low, field.high), meant)
    return np.asarray((after - shift) / scale)
