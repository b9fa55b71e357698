"""The simulated homes of the evaluation: who trains, who decides, who is reported; and what breaks.

In: the fleet's scenarios. Out: files of recordings. Guarantee: three groups of homes without
overlap, each period with a weather of its own; every scenario is played by several homes, beside
the same home in the same weather without the fault. Seeds are fixed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from evaluate import store
from heatpool_fleet.chance import DAY_S
from heatpool_fleet.homes import HomeSpec, make_homes
from heatpool_fleet.scenarios import SCENARIOS, Scenario
from heatpool_fleet.simulation import BLOCK_HOMES, simulate
from heatpool_trainer.readings import HomeSeries

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from heatpool_fleet.faults import Fault

FLEET_SEED: Final = 7
HOMES: Final = 80
TRAINING: Final = range(32)
CHOOSING: Final = range(32, 48)
REPORTED: Final = range(48, 80)
INTERVAL_S: Final = 60.0
ONSET_DAYS: Final = 8.0  # a home learns its own normal in five
FAULT_DAYS: Final = 7.0
JANUARY_S: Final = 1_767_571_200.0  # 2026-01-05


class Period(msgspec.Struct, frozen=True):
    """Some weeks under a weather of their own."""

    name: str
    homes: range
    weather_seed: int
    start_s: float
    healthy_days: float
    players: int
    """Homes that play each scenario."""

    @property
    def onset_s(self) -> float:
        """When faults begin."""
        return self.start_s + ONSET_DAYS * DAY_S


TRAINED: Final = tuple(  # homes of four regions that joined at other times; twelve weeks each
    Period(f"region{k}", TRAINING[8 * k :][:8], 3 + k, JANUARY_S + days * DAY_S, 84.0, 0)
    for k, days in enumerate((0, -80, -40, 25))
)
ALIKE: Final = Period("train", TRAINING, 3, JANUARY_S, 84.0, 0)
"""All of them in one weather: what a pool is that began last winter in one valley."""
CHOICE: Final = Period("choice", CHOOSING, 21, JANUARY_S + 30 * DAY_S, 36.0, 1)
WINTER: Final = Period("winter", REPORTED, 31, JANUARY_S + 12 * DAY_S, 36.0, 3)
SPRING: Final = Period("spring", REPORTED, 32, JANUARY_S + 62 * DAY_S, 36.0, 3)
JUDGED: Final = (CHOICE, WINTER, SPRING)
PERIODS: Final = (*TRAINED, ALIKE, *JUDGED)


class Play(msgspec.Struct, frozen=True):
    """One home with one scenario."""

    home: int
    scenario: Scenario


def plays(period: Period) -> list[list[Play]]:
    """Who plays what, in blocks in which each home occurs once."""
    size = len(period.homes)
    blocks: list[list[Play]] = []
    block: list[Play] = []
    place = 0
    for _ in range(period.players):  # the first blocks hold every scenario once
        for scenario in SCENARIOS:
            block.append(Play(period.homes[place % size], scenario))
            place += 1
            if place % size == 0:
                blocks.append(block)
                block = []
    return [*blocks, block] if block else blocks


def name_of(home: int) -> str:
    """The pseudonym a home has here."""
    return f"{home:032x}"


def healthy_file(folder: Path, period: Period) -> Path:
    """Where the healthy recordings of a period are."""
    return folder / f"{period.name}-healthy.npz"


def training_files(folder: Path) -> list[Path]:
    """Where the homes are that train."""
    return [healthy_file(folder, region) for region in TRAINED]


def block_file(folder: Path, period: Period, number: int) -> Path:
    """Where a block of plays is."""
    return folder / f"{period.name}-{number:02d}.npz"


def simulate_period(folder: Path, period: Period) -> None:
    """Simulate what is not there yet."""
    everyone = {home.index: home for home in make_homes(HOMES, FLEET_SEED)}
    path = healthy_file(folder, period)
    if not path.exists():
        homes = [everyone[index] for index in period.homes]
        store.save_series(path, _record(homes, period, period.healthy_days, {}))
    for number, block in enumerate(plays(period)):
        path = block_file(folder, period, number)
        if not path.exists():
            homes = [everyone[play.home] for play in block]
            faults = {play.home: play.scenario.fault(period.onset_s) for play in block}
            store.save_series(path, _record(homes, period, ONSET_DAYS + FAULT_DAYS, faults))


def _record(
    homes: Sequence[HomeSpec], period: Period, days: float, faults: Mapping[int, Fault]
) -> list[HomeSeries]:
    recordings = simulate(homes, period.start_s, days, INTERVAL_S, period.weather_seed, faults)
    return [
        HomeSeries(
            name_of(one.home.index),
            (one.timestamps_s * 1_000).astype(np.int64),
            one.columns,
        )
        for one in recordings
    ]


def sizes() -> str:
    """The split in words."""
    return (
        f"{len(TRAINING)} homes of {len(TRAINED)} regions train (and calibrate, by cross-fitting), "
        f"{len(CHOOSING)} others decided design questions, {len(REPORTED)} others are reported; "
        f"blocks of {BLOCK_HOMES}"
    )
