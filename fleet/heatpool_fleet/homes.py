"""How homes differ: building, machine, hot water, and who they are.

In: a seed, a number of homes, a model name. Out: `HomeSpec`s. Guarantee: home i is the same for
every number of homes; its installation id is a canonical UUIDv4 drawn from the seed.

Spread: homes of one model differ as the field's do (heatpumpmonitor.org, 193 systems of ten
models): share of Carnot SD 7 %, flow-return spread SD 20 %; less spread would flatter a detector.
"""

from __future__ import annotations

import enum
import uuid
from typing import TYPE_CHECKING, Final, Generic, TypeVar

import msgspec
import numpy as np

from heatpool_contract.identity import InstallationId
from heatpool_fleet.chance import Floats, Stream, generator

if TYPE_CHECKING:
    from collections.abc import Sequence

HOMES_MAX: Final = 10_000  # of one fleet; a slip of the keyboard must not fill the disk
DESIGN_CELSIUS: Final = -12.0  # outdoor temperature the heating is laid out for
DESIGN_KELVIN: Final = 20.0 - DESIGN_CELSIUS
WATER_J_PER_L_K: Final = 4_160.0  # density x heat capacity of water at 35 degC
MODEL_DEFAULT: Final = "AERO SLM"
RATED_WATTS: Final = {"AERO SLM": 8_000.0, "AERO SLM 3-11": 8_500.0, "AERO SLM 6-17": 14_000.0}
"""Heat at A-7/W35 and full speed. Any other model name is simulated as `MODEL_DEFAULT`."""
FLOOR_SHARE: Final = 0.45  # of homes with floor heating
SETBACK_SHARE: Final = 0.45
WINDOW_SHARE: Final = 0.60  # of homes that reheat the tank in certain hours only
VERSIONS: Final = ("1.1.4", "1.2.0", "1.2.1")

T = TypeVar("T")


class Naming(enum.StrEnum):
    """Which names a home's logger gives to its sensors (`sensors.CATALOGUE`)."""

    PLAIN = "plain"
    IDM = "idm"


class Building(msgspec.Struct, Generic[T], frozen=True, eq=False):
    """Walls, people, radiators. `T` is float for one home, an array for many."""

    loss_w_per_k: T
    room_j_per_k: T
    room_set_celsius: T
    setback_kelvin: T
    """How much lower the room is set at night; 0 in about half the homes."""
    setback_hour: T
    flow_design_celsius: T
    """Flow temperature of the heating curve at `DESIGN_CELSIUS`."""
    emitter_w_per_k: T
    loop_j_per_k: T
    """Water, radiators or the reacting part of the screed."""
    room_influence: T
    """Kelvin of flow temperature per kelvin the room is off its set point."""
    heat_limit_celsius: T
    """No heating while the day's mean is above."""
    sun_m2: T
    gains_watts: T


class Machine(msgspec.Struct, Generic[T], frozen=True, eq=False):
    """The heat pump. `T` is float for one home, an array for many."""

    rated_watts: T
    carnot_share: T
    """Share of Carnot between evaporating and condensing temperature at best speed, without fan."""
    flow_l_per_h: T
    """Water flow at full speed."""
    condenser_effectiveness: T
    evaporator_w_per_k: T
    """Conductance at full air flow, no frost."""
    hysteresis_high_kelvin: T
    hysteresis_low_kelvin: T
    rest_s_min: T
    water_hz: T
    """Compressor frequency while heating hot water."""
    standby_watts: T
    heater_watts: T
    bivalence_celsius: T


class HotWater(msgspec.Struct, Generic[T], frozen=True, eq=False):
    """The tank and the people's habits. `T` is float for one home, an array for many."""

    tank_litres: T
    coil_w_per_k: T
    set_celsius: T
    hysteresis_kelvin: T
    window_hour: T
    """Start of the four hours a day in which the tank is reheated; -1: at any time."""
    draw_l_per_day: T
    morning_hour: T
    evening_hour: T


class HomeSpec(msgspec.Struct, frozen=True, eq=False):
    """One simulated home."""

    index: int
    """Number in the fleet: names the home's streams of random numbers and its fault."""
    installation_id: InstallationId
    model: str
    version: str
    naming: Naming
    building: Building[float]
    machine: Machine[float]
    water: HotWater[float]
    outdoor_offset_kelvin: float = 0.0


def make_homes(
    n: int, seed: int, model: str = MODEL_DEFAULT, naming: Naming = Naming.PLAIN
) -> list[HomeSpec]:
    """`n` homes with one model of heat pump.

    Raises:
        ValueError: `n` not in 1..HOMES_MAX.
    """
    if not 1 <= n <= HOMES_MAX:
        raise ValueError(f"number of homes must be 1 to {HOMES_MAX}, not {n}")
    return [_home(index, seed, model, naming) for index in range(n)]


def _home(index: int, seed: int, model: str, naming: Naming) -> HomeSpec:
    random = generator(seed, Stream.HOME, index)
    rated = RATED_WATTS.get(model, RATED_WATTS[MODEL_DEFAULT])
    return HomeSpec(
        index=index,
        installation_id=_installation_id(seed, index),
        model=model,
        version=VERSIONS[int(random.integers(len(VERSIONS)))],
        naming=naming,
        building=_building(random, rated),
        machine=_machine(random, rated),
        water=_hot_water(random, rated),
        outdoor_offset_kelvin=float(random.normal(0.0, 0.7)),
    )


def _installation_id(seed: int, index: int) -> InstallationId:
    octets = generator(seed, Stream.IDENTITY, index).bytes(16)
    return InstallationId(str(uuid.UUID(bytes=octets, version=4)))


def _building(random: np.random.Generator, rated: float) -> Building[float]:
    loss = rated * _within(random.normal(0.65, 0.16), 0.30, 0.95) / DESIGN_KELVIN
    floor = random.random() < FLOOR_SHARE
    flow_design = random.uniform(32.0, 37.0) if floor else random.uniform(38.0, 50.0)
    # Mean water is about 2.5 K below flow at design load; gains are left to the room influence.
    emitter = loss * DESIGN_KELVIN / (flow_design - 2.5 - 20.0)
    setback = random.uniform(1.5, 3.0) if random.random() < SETBACK_SHARE else 0.0
    return Building(
        loss_w_per_k=loss,
        room_j_per_k=loss * 3600.0 * 70.0 * _lognormal(random, 0.3),
        room_set_celsius=_within(random.normal(20.8, 0.7), 19.0, 23.0),
        setback_kelvin=setback,
        setback_hour=random.uniform(21.0, 23.5),
        flow_design_celsius=flow_design,
        emitter_w_per_k=emitter,
        loop_j_per_k=(1.6e6 if floor else 0.8e6) * _lognormal(random, 0.45),
        room_influence=random.uniform(0.5, 3.0),
        heat_limit_celsius=_within(random.normal(15.0, 1.0), 13.0, 17.0),
        sun_m2=random.uniform(1.0, 4.0),
        gains_watts=random.uniform(200.0, 450.0),
    )


def _machine(random: np.random.Generator, rated: float) -> Machine[float]:
    return Machine(
        rated_watts=rated * _lognormal(random, 0.03),
        carnot_share=0.555 * _lognormal(random, 0.07),
        flow_l_per_h=rated / (WATER_J_PER_L_K / 3600.0 * 6.5) * _lognormal(random, 0.20),
        condenser_effectiveness=_within(random.normal(0.82, 0.03), 0.72, 0.92),
        evaporator_w_per_k=rated * 0.075 * _lognormal(random, 0.08),
        hysteresis_high_kelvin=random.uniform(1.5, 4.5),
        hysteresis_low_kelvin=random.uniform(1.5, 4.0),
        rest_s_min=random.uniform(480.0, 1200.0),
        water_hz=random.uniform(48.0, 75.0),
        standby_watts=random.uniform(8.0, 20.0),
        heater_watts=6_000.0,
        bivalence_celsius=random.uniform(-9.0, -4.0),
    )


def _hot_water(random: np.random.Generator, rated: float) -> HotWater[float]:
    return HotWater(
        tank_litres=float(random.choice([180.0, 200.0, 250.0, 300.0])),
        coil_w_per_k=rated * 0.11 * _lognormal(random, 0.15),
        set_celsius=_within(random.normal(49.0, 2.5), 44.0, 55.0),
        hysteresis_kelvin=random.uniform(5.0, 9.0),
        window_hour=random.uniform(10.5, 14.0) if random.random() < WINDOW_SHARE else -1.0,
        draw_l_per_day=130.0 * _lognormal(random, 0.35),
        morning_hour=_within(random.normal(6.8, 0.8), 5.0, 9.5),
        evening_hour=_within(random.normal(19.5, 1.2), 16.5, 22.0),
    )


def _lognormal(random: np.random.Generator, spread: float) -> float:
    """A factor with median 1 and the given relative spread, cut at 2.5 sigma."""
    return float(np.exp(spread * np.clip(random.standard_normal(), -2.5, 2.5)))


def _within(value: float, low: float, high: float) -> float:
    return min(max(float(value), low), high)


def buildings(homes: Sequence[HomeSpec]) -> Building[Floats]:
    """The homes' buildings with arrays of shape (homes,)."""
    return Building(**_stacked([home.building for home in homes]))


def machines(homes: Sequence[HomeSpec]) -> Machine[Floats]:
    """The homes' machines with arrays of shape (homes,)."""
    return Machine(**_stacked([home.machine for home in homes]))


def waters(homes: Sequence[HomeSpec]) -> HotWater[Floats]:
    """The homes' hot water with arrays of shape (homes,)."""
    return HotWater(**_stacked([home.water for home in homes]))


def _stacked(parts: Sequence[msgspec.Struct]) -> dict[str, Floats]:
    names = parts[0].__struct_fields__
    return {name: np.array([getattr(part, name) for part in parts], dtype=float) for name in names}
