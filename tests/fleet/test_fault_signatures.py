"""Faults under real load: what a home's recording shows against the same home without the fault."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
import numpy as np
import pytest

from heatpool_fleet.chance import DAY_S
from heatpool_fleet.faults import Fault, FaultKind
from heatpool_fleet.homes import HomeSpec, make_homes
from heatpool_fleet.simulation import simulate

JANUARY_S = 1_768_003_200.0


class Day(NamedTuple):
    """What a home's recording shows, means while heating."""

    cop: float
    hertz: float
    low_bar: float
    high_bar: float
    spread_per_hertz: float
    fan: float
    starts: int
    defrosts: int
    beside_compressor_watts: float


LOADED = {
    FaultKind.UNDERCHARGE: 0.3,
    FaultKind.OVERCHARGE: 0.3,
    FaultKind.EVAPORATOR_FOULING: 0.4,
    FaultKind.CONDENSER_FOULING: 0.5,
    FaultKind.LOW_WATER_FLOW: 0.5,
    FaultKind.VALVE_LEAK: 0.3,
    FaultKind.RESTRICTION: 0.3,
    FaultKind.NONCONDENSABLES: 0.6,
    FaultKind.HEATER_ON: 0.4,
    FaultKind.SHORT_CYCLING: 1.0,
    FaultKind.DEFROST_MISSING: 1.0,
    FaultKind.DEFROST_EXCESSIVE: 1.0,
}
LATER = {FaultKind.REVERSING_VALVE: 0.5}  # homes 24 and 25: the others keep theirs
Pairs = dict[FaultKind, list[tuple[Day, Day]]]


def days_of(homes: list[HomeSpec], faults: dict[int, Fault]) -> list[Day]:
    """Four winter days of each home."""
    days = []
    for recording in simulate(homes, JANUARY_S, 4.0, 60.0, 11, faults):
        c = recording.columns
        on, heating = c["compressor_freq"] > 0.0, c["status"] == 1.0
        hertz = c["compressor_freq"][heating].mean()
        days.append(
            Day(
                cop=c["power_thermal"][on].sum() / c["power_electric"][on].sum(),
                hertz=hertz,
                low_bar=c["pressure_low"][heating].mean(),
                high_bar=c["pressure_high"][heating].mean(),
                spread_per_hertz=(c["temp_flow"] - c["temp_return"])[heating].mean() / hertz,
                fan=c["fan_speed"][heating].mean(),
                starts=int(np.count_nonzero(on[1:] & ~on[:-1])),
                defrosts=int(np.count_nonzero(np.diff((c["status"] == 8.0) * 1) == 1)),
                beside_compressor_watts=(c["power_electric"] - c["power_compressor"])[
                    heating
                ].mean(),
            )
        )
    return days


@pytest.fixture(scope="module")
def pairs() -> Pairs:
    """(healthy, faulty) days of two homes for each fault: the same homes, the same weather."""
    kinds, grades = [*LOADED] * 2 + [*LATER] * 2, LOADED | LATER
    homes = [
        msgspec.structs.replace(home, outdoor_offset_kelvin=1.5)
        for home in make_homes(len(kinds), 11)
    ]
    hit = {
        home.index: Fault(kind, grades[kind], JANUARY_S - DAY_S / 2)
        for home, kind in zip(homes, kinds, strict=True)
    }
    both = list(zip(days_of(homes, {}), days_of(homes, hit), strict=True))
    return {
        kind: [pair for one, pair in zip(kinds, both, strict=True) if one == kind]
        for kind in grades
    }


@pytest.mark.parametrize(
    ("kind", "low", "high"),
    [
        (FaultKind.UNDERCHARGE, 0.65, 0.85),
        (FaultKind.OVERCHARGE, 0.83, 0.95),
        (FaultKind.EVAPORATOR_FOULING, 0.78, 0.93),
        (FaultKind.CONDENSER_FOULING, 0.78, 0.92),
        (FaultKind.LOW_WATER_FLOW, 0.93, 1.01),
        (FaultKind.VALVE_LEAK, 0.70, 0.88),
        (FaultKind.RESTRICTION, 0.62, 0.85),
        (FaultKind.NONCONDENSABLES, 0.91, 0.97),
        (FaultKind.REVERSING_VALVE, 0.65, 0.88),
        (FaultKind.HEATER_ON, 0.35, 0.65),
        (FaultKind.SHORT_CYCLING, 0.93, 1.01),
        (FaultKind.DEFROST_MISSING, 0.55, 0.80),
        (FaultKind.DEFROST_EXCESSIVE, 0.78, 1.02),
    ],
)
def test_loss_of_cop_under_load(pairs: Pairs, kind: FaultKind, low: float, high: float) -> None:
    """Under load an inverter speeds up, so a fault costs somewhat more than at fixed speed."""
    for sound, faulty in pairs[kind]:
        assert low < faulty.cop / sound.cop < high


@pytest.mark.parametrize(
    "kind", [FaultKind.UNDERCHARGE, FaultKind.RESTRICTION, FaultKind.EVAPORATOR_FOULING]
)
def test_starved_evaporator_lowers_pressure_and_raises_speed(pairs: Pairs, kind: FaultKind) -> None:
    """Low pressure falls, speed rises to hold the load, spread per speed falls, more defrosts."""
    for sound, faulty in pairs[kind]:
        assert faulty.low_bar < sound.low_bar - 0.3
        assert faulty.hertz > 1.1 * sound.hertz
        assert faulty.spread_per_hertz < 0.9 * sound.spread_per_hertz
        assert faulty.defrosts > 1.2 * sound.defrosts


def test_fouled_evaporator_is_felt_by_the_fan(pairs: Pairs) -> None:
    """The fan speeds up against the blockage, beyond what the compressor's speed explains."""
    for sound, faulty in pairs[FaultKind.EVAPORATOR_FOULING]:
        assert faulty.fan > 1.15 * sound.fan


@pytest.mark.parametrize(
    ("kind", "bar"),
    [
        (FaultKind.OVERCHARGE, 0.6),
        (FaultKind.CONDENSER_FOULING, 2.0),
        (FaultKind.NONCONDENSABLES, 1.4),
    ],
)
def test_condenser_faults_raise_the_high_pressure_alone(
    pairs: Pairs, kind: FaultKind, bar: float
) -> None:
    """High pressure rises at the same flow temperature; the low side stays."""
    for sound, faulty in pairs[kind]:
        assert faulty.high_bar > sound.high_bar + bar
        assert abs(faulty.low_bar - sound.low_bar) < 0.2


def test_leaking_valve_raises_speed_and_low_pressure(pairs: Pairs) -> None:
    """The machine runs faster for the same heat, and the low side does not fall with it."""
    for sound, faulty in pairs[FaultKind.VALVE_LEAK]:
        assert faulty.hertz > 1.2 * sound.hertz
        assert faulty.low_bar > sound.low_bar


def test_leaking_reversing_valve_brings_the_pressures_together(pairs: Pairs) -> None:
    """Low side up, high side down, and the machine runs faster for the same heat."""
    for sound, faulty in pairs[FaultKind.REVERSING_VALVE]:
        assert faulty.low_bar > sound.low_bar + 0.1
        assert faulty.high_bar < sound.high_bar - 0.3
        assert faulty.hertz > 1.1 * sound.hertz


def test_half_the_water_doubles_the_spread(pairs: Pairs) -> None:
    """The spread goes as one over the flow."""
    for sound, faulty in pairs[FaultKind.LOW_WATER_FLOW]:
        assert 1.7 < faulty.spread_per_hertz / sound.spread_per_hertz < 2.4


def test_stuck_heater_shows_beside_the_compressor(pairs: Pairs) -> None:
    """0.4 of 9 kW more than the compressor draws."""
    for sound, faulty in pairs[FaultKind.HEATER_ON]:
        assert faulty.beside_compressor_watts - sound.beside_compressor_watts == pytest.approx(
            3_600.0, rel=0.05
        )


def test_short_cycling_multiplies_starts(pairs: Pairs) -> None:
    """Many more starts than before in winter weather."""
    for sound, faulty in pairs[FaultKind.SHORT_CYCLING]:
        assert faulty.starts > 3 * sound.starts + 40


def test_missing_defrost_buries_the_coil(pairs: Pairs) -> None:
    """No status 8, low pressure far down, speed up (Beijing field case: COP -40 %)."""
    for sound, faulty in pairs[FaultKind.DEFROST_MISSING]:
        assert sound.defrosts > 5
        assert faulty.defrosts == 0
        assert faulty.low_bar < sound.low_bar - 1.0
        assert faulty.hertz > 1.3 * sound.hertz


def test_excessive_defrost_multiplies_defrosts(pairs: Pairs) -> None:
    """About every half hour of running."""
    for sound, faulty in pairs[FaultKind.DEFROST_EXCESSIVE]:
        assert faulty.defrosts > 2 * sound.defrosts
        assert faulty.defrosts > 80
