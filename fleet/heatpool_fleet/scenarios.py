"""The faults a detector is held to: every kind, graded from light to severe.

In: nothing. Out: `SCENARIOS`, in a fixed order. Guarantee: every kind of fault is there; a light
grade costs the owner little (COP by about 3 % or less, a sensor within its usual tolerance twice
over), and whoever reports figures reports the light ones apart.

Sizes follow the sources named in `faults`; where one gives three levels, they are the grades.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from heatpool_fleet.faults import Fault, FaultKind

Level = Literal["light", "moderate", "severe"]


class Scenario(msgspec.Struct, frozen=True):
    """One fault of one size."""

    kind: FaultKind
    grade: float
    level: Level
    sensor: str = ""

    @property
    def name(self) -> str:
        """As in `faults.parse_fault`, without onset."""
        return f"{self.title}:{self.grade:g}"

    @property
    def title(self) -> str:
        """Kind, and which sensor."""
        return f"{self.kind}.{self.sensor}" if self.sensor else str(self.kind)

    def fault(self, onset_s: float) -> Fault:
        """The fault itself."""
        return Fault(self.kind, self.grade, onset_s, self.sensor or "temp_flow")


_LEVELS: Final[tuple[Level, ...]] = ("light", "moderate", "severe")

_MACHINE: Final[dict[FaultKind, tuple[float, float, float]]] = {
    FaultKind.UNDERCHARGE: (0.1, 0.2, 0.3),
    FaultKind.OVERCHARGE: (0.1, 0.2, 0.3),
    FaultKind.EVAPORATOR_FOULING: (0.12, 0.25, 0.5),
    FaultKind.CONDENSER_FOULING: (0.1, 0.25, 0.5),
    FaultKind.LOW_WATER_FLOW: (0.2, 0.4, 0.6),
    FaultKind.VALVE_LEAK: (0.05, 0.2, 0.4),
    FaultKind.RESTRICTION: (0.1, 0.2, 0.3),
    FaultKind.NONCONDENSABLES: (0.1, 0.3, 0.6),
    FaultKind.REVERSING_VALVE: (0.1, 0.4, 1.0),
    FaultKind.HEATER_ON: (0.05, 0.33, 0.67),  # 0.45, 3 and 6 kW
    FaultKind.SHORT_CYCLING: (0.3, 0.6, 1.0),
    FaultKind.DEFROST_MISSING: (0.25, 0.5, 1.0),
    FaultKind.DEFROST_EXCESSIVE: (0.05, 0.5, 1.0),  # every 6 h, 1 h, half hour
}
_SENSORS: Final[tuple[tuple[FaultKind, str, tuple[float, float, float]], ...]] = (
    (FaultKind.SENSOR_OFFSET, "temp_flow", (1.0, 2.0, 3.0)),
    (FaultKind.SENSOR_OFFSET, "temp_return", (-1.0, -2.0, -3.0)),
    (FaultKind.SENSOR_OFFSET, "temp_outdoor", (1.0, 3.0, 5.0)),
    (FaultKind.SENSOR_OFFSET, "pressure_low", (0.15, 0.3, 0.6)),
    (FaultKind.SENSOR_OFFSET, "pressure_high", (0.3, 0.6, 1.2)),
    (FaultKind.SENSOR_DRIFT, "temp_return", (0.1, 0.3, 1.0)),
    (FaultKind.SENSOR_DRIFT, "pressure_low", (-0.02, -0.1, -0.2)),
)
_DEAD: Final = ("temp_outdoor", "temp_return", "pressure_low", "flow_rate")
_SWAPPED: Final = ("temp_flow", "pressure_high")

SCENARIOS: Final[tuple[Scenario, ...]] = (
    *(
        Scenario(kind, grade, level)
        for kind, grades in _MACHINE.items()
        for grade, level in zip(grades, _LEVELS, strict=True)
    ),
    *(
        Scenario(kind, grade, level, sensor)
        for kind, sensor, grades in _SENSORS
        for grade, level in zip(grades, _LEVELS, strict=True)
    ),
    *(Scenario(FaultKind.SENSOR_STUCK, 0.0, "moderate", sensor) for sensor in _DEAD),
    *(Scenario(FaultKind.SENSOR_SWAPPED, 0.0, "severe", sensor) for sensor in _SWAPPED),
)
