"""Faults: their kinds, how large they are, and what they change in the physics.

In: `Fault(kind, grade, onset_s)`, or its spelling `undercharge:0.3@28d`. Out: `Effects`, factors on
the cycle and the controls. Guarantee: a fault changes causes only; readings follow from the
simulation. Sensor faults are the exception: they change one reading and nothing else.

Sizes at fixed speed come from the literature; letters as in `SOURCES`.
"""

from __future__ import annotations

import enum
import re
from typing import TYPE_CHECKING, Final, Generic, TypeVar

import msgspec
import numpy as np

from heatpool_fleet.chance import DAY_S, HOUR_S, Floats

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")

NEVER_S: Final = 1e12
ONSET_DAYS_MAX: Final = 3_660.0

SOURCES: Final = {
    "A": "Domanski et al., NIST TN 1848 (heating at 1.7 degC outdoors)",
    "B": "Cheung & Braun, NREL/SR-5500-65030; Kim, Cai & Braun, NREL/SR-5500-70136",
    "C": "Kim et al., NIST SP 1087 (2008)",
    "F": "IREC/TRI-HP, faults of an R290 water heat pump",
    "I": "Applied Energy 2013, 10.1016/j.apenergy.2012.12.054 (mal-defrost in Beijing)",
    "K": "IEA Heat Pump Conference 2011, dynamic modelling of heat pumps",
    "X": "assumption of this simulator",
}


class FaultKind(enum.StrEnum):
    """What can break. The grade's meaning stands beside each; the letter is its source."""

    UNDERCHARGE = "undercharge"  # share of charge missing, 0..0.3 [A]
    OVERCHARGE = "overcharge"  # share of charge too much, 0..0.3 [A]
    EVAPORATOR_FOULING = "evaporator_fouling"  # share of air flow lost, 0..0.6 [F, X]
    CONDENSER_FOULING = "condenser_fouling"  # level of [B], 0..0.5
    LOW_WATER_FLOW = (
        "low_water_flow"  # pump, filter or air: share of flow lost, 0..0.7 (hydraulics)
    )
    VALVE_LEAK = "valve_leak"  # share of compressed gas leaking back, 0..0.6 [C, F]
    RESTRICTION = "restriction"  # liquid-line pressure drop, share, 0..0.3 [B]
    NONCONDENSABLES = "noncondensables"  # share of the maximum, 0..0.6 [B]
    REVERSING_VALVE = "reversing_valve"  # hot gas leaking into suction, 1: 40 % of the heat [X]
    HEATER_ON = "heater_on"  # share of 9 kW that runs with the compressor, 0..1 [X]
    SHORT_CYCLING = "short_cycling"  # 0..1: controls ever more nervous [K, X]
    DEFROST_MISSING = "defrost_missing"  # 1: never; 0.5: at twice the frost [I]
    DEFROST_EXCESSIVE = "defrost_excessive"  # 1: every half hour below 6 degC [X]
    SENSOR_OFFSET = "sensor_offset"  # in the sensor's unit
    SENSOR_DRIFT = "sensor_drift"  # in the sensor's unit per day
    SENSOR_STUCK = "sensor_stuck"  # the last value stays; the grade says nothing
    SENSOR_SWAPPED = "sensor_swapped"  # with its neighbour; the grade says nothing


SENSOR_FAULTS: Final = frozenset(
    {
        FaultKind.SENSOR_OFFSET,
        FaultKind.SENSOR_DRIFT,
        FaultKind.SENSOR_STUCK,
        FaultKind.SENSOR_SWAPPED,
    }
)


class Fault(msgspec.Struct, frozen=True):
    """One fault of one home, from its onset to the end of the recording."""

    kind: FaultKind
    grade: float
    onset_s: float
    """Seconds since the epoch."""
    sensor: str = "temp_flow"
    """For sensor faults: the sensor's name in the plain scheme, whatever scheme the home has."""


class FaultSpellingError(ValueError):
    """A fault's spelling, kind, grade or sensor is not one of this simulator."""

    code = "fault_spelling"


_SPELLING: Final = re.compile(
    r"(?P<kind>[a-z_]+)(\.(?P<sensor>[a-z_]+))?:(?P<grade>-?\d+(\.\d+)?)@(?P<days>\d+(\.\d+)?)d"
)


def parse_fault(text: str, start_s: float) -> Fault:
    """`undercharge:0.3@28d` or `sensor_offset.temp_return:1.5@28d`; days count from `start_s`.

    Raises:
        FaultSpellingError: not of that form, an unknown kind, or a grade beyond its range.
    """
    match = _SPELLING.fullmatch(text)
    if match is None or match["kind"] not in set(FaultKind):
        kinds = ", ".join(FaultKind)
        raise FaultSpellingError(f"{text!r} is not KIND[.SENSOR]:GRADE@DAYSd with KIND of {kinds}")
    kind = FaultKind(match["kind"])
    if (match["sensor"] is not None) != (kind in SENSOR_FAULTS):
        raise FaultSpellingError(f"{text!r}: sensor faults name a sensor, no other fault does")
    onset_s = start_s + float(match["days"]) * DAY_S
    fault = Fault(kind, float(match["grade"]), onset_s, match["sensor"] or "")
    check_fault(fault)
    return fault


def check_fault(fault: Fault) -> None:
    """Raise `FaultSpellingError` if the grade lies outside what the sources cover."""
    if fault.kind in SENSOR_FAULTS:
        low, high = -SENSOR_GRADE_MAX, SENSOR_GRADE_MAX
    else:
        low, high = 0.0, GRADE_MAX[fault.kind]
    if not low <= fault.grade <= high:
        raise FaultSpellingError(f"{fault.kind} grade {fault.grade} is not in {low} to {high}")


class Effects(msgspec.Struct, Generic[T], frozen=True, eq=False):
    """Factors a fault puts on the physics; healthy is `healthy()`."""

    capacity: T
    """On the heat at given speed and temperatures."""
    power: T
    """On the power at given speed and temperatures."""
    evaporator: T
    air: T
    condenser: T
    flow: T
    hysteresis: T
    loop: T
    """On the thermal mass of the heating circuit."""
    rest: T
    hertz_min: T
    """Added to the compressor's lowest frequency, Hz."""
    frost_limit: T
    """Frost at which a defrost starts; 1 is a healthy controller's."""
    defrost_every_s: T
    heater_watts: T
    high_side_bar: T
    """Added by gases that do not condense; taken away by a valve that short-circuits the sides."""
    low_side_bar: T


HEALTHY: Final = Effects[float](
    capacity=1.0,
    power=1.0,
    evaporator=1.0,
    air=1.0,
    condenser=1.0,
    flow=1.0,
    hysteresis=1.0,
    loop=1.0,
    rest=1.0,
    hertz_min=0.0,
    frost_limit=1.0,
    defrost_every_s=NEVER_S,
    heater_watts=0.0,
    high_side_bar=0.0,
    low_side_bar=0.0,
)


class Curve(msgspec.Struct, frozen=True):
    """One factor as a polygon over the grade; a source's levels are its corners."""

    effect: str
    grades: tuple[float, ...]
    values: tuple[float, ...]


_TENTHS: Final = (0.0, 0.1, 0.2, 0.3)
_UNIT: Final = (0.0, 1.0)

# The exchanger factors of the charge faults are assumptions that give the pressures their
# direction; capacity and power are then solved on the test stand `cycle.settled` (60 Hz, 1.7 degC,
# 35 degC) so that heat and power change in total as the source says (tests/fleet/test_faults.py).
CURVES: Final[dict[FaultKind, tuple[Curve, ...]]] = {
    FaultKind.UNDERCHARGE: (
        Curve("evaporator", _TENTHS, (1.0, 0.90, 0.72, 0.52)),
        Curve("capacity", _TENTHS, (1.0, 0.9973, 0.9533, 0.8481)),
        Curve("power", _TENTHS, (1.0, 0.9972, 0.9963, 0.9912)),
    ),
    FaultKind.OVERCHARGE: (
        Curve("condenser", _TENTHS, (1.0, 0.90, 0.75, 0.60)),
        Curve("capacity", _TENTHS, (1.0, 1.0028, 1.0065, 1.0103)),
        Curve("power", _TENTHS, (1.0, 1.0047, 1.0340, 1.0868)),
    ),
    FaultKind.EVAPORATOR_FOULING: (
        Curve("air", (0.0, 0.6), (1.0, 0.4)),
        Curve("evaporator", (0.0, 0.6), (1.0, 0.76)),
        Curve("frost_limit", (0.0, 0.6), (1.0, 0.6)),  # less passage is left to freeze shut
    ),
    FaultKind.CONDENSER_FOULING: (Curve("condenser", (0.0, 0.25, 0.5), (1.0, 0.655, 0.31)),),
    FaultKind.LOW_WATER_FLOW: (Curve("flow", (0.0, 0.7), (1.0, 0.3)),),
    FaultKind.VALVE_LEAK: (
        Curve("capacity", (0.0, 0.6), (1.0, 0.4)),
        Curve("power", (0.0, 0.6), (1.0, 0.88)),  # what leaks back is compressed once more
    ),
    FaultKind.RESTRICTION: (
        Curve("evaporator", _TENTHS, (1.0, 0.88, 0.66, 0.48)),
        Curve("capacity", _TENTHS, (1.0, 0.9915, 0.9778, 0.9017)),
        Curve("power", _TENTHS, (1.0, 0.9971, 1.0279, 1.0634)),
    ),
    FaultKind.NONCONDENSABLES: (
        Curve("capacity", (0.0, 0.1, 0.3, 0.6), (1.0, 0.9990, 0.9965, 0.9924)),
        Curve("power", (0.0, 0.1, 0.3, 0.6), (1.0, 1.0088, 1.0299, 1.0661)),
        Curve("high_side_bar", (0.0, 0.6), (0.0, 1.8)),
    ),
    FaultKind.REVERSING_VALVE: (
        Curve("capacity", _UNIT, (1.0, 0.6)),
        Curve("high_side_bar", _UNIT, (0.0, -1.3)),  # about 5 K at 35 degC
        Curve("low_side_bar", _UNIT, (0.0, 0.6)),  # about 5 K at -5 degC
    ),
    FaultKind.HEATER_ON: (Curve("heater_watts", _UNIT, (0.0, 9_000.0)),),
    FaultKind.SHORT_CYCLING: (
        Curve("hysteresis", _UNIT, (1.0, 0.15)),
        Curve("loop", _UNIT, (1.0, 0.3)),
        Curve("rest", _UNIT, (1.0, 0.2)),
        Curve("hertz_min", _UNIT, (0.0, 30.0)),
    ),
    FaultKind.DEFROST_MISSING: (Curve("frost_limit", (0.0, 0.5, 1.0), (1.0, 2.0, 100.0)),),
    FaultKind.DEFROST_EXCESSIVE: (
        Curve("defrost_every_s", (0.0, 0.05, 0.5, 1.0), (NEVER_S, 6 * HOUR_S, HOUR_S, HOUR_S / 2)),
    ),
}

GRADE_MAX: Final = {kind: max(curve[0].grades) for kind, curve in CURVES.items()}
SENSOR_GRADE_MAX: Final = 1e4  # any unit's full scale


def effects(faults: Sequence[Fault | None]) -> Effects[Floats]:
    """The effects of each home's fault (None: healthy), as arrays of shape (homes,)."""
    each = [HEALTHY if fault is None else _effects(fault) for fault in faults]
    names = Effects.__struct_fields__
    return Effects(**{name: np.array([getattr(one, name) for one in each]) for name in names})


def _effects(fault: Fault) -> Effects[float]:
    changed = {
        curve.effect: float(np.interp(fault.grade, curve.grades, curve.values))
        for curve in CURVES.get(fault.kind, ())
    }
    return msgspec.structs.replace(HEALTHY, **changed)
