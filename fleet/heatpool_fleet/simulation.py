"""Homes through time, from arguments to recordings.

In: homes, a period, a seed, faults. Out: `Recording`s. Guarantee: equal arguments give equal
arrays; home i's recording does not depend on the other homes; a day of spin-up precedes `start_s`,
so nothing begins from an invented state.

One loop over time with vectors over homes: the cost is that of the steps, hardly of the homes.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from heatpool_fleet.chance import DAY_S, Floats
from heatpool_fleet.channels import Channel, complete
from heatpool_fleet.faults import SENSOR_FAULTS, Fault, check_fault, effects
from heatpool_fleet.plant import first_state, make_plant
from heatpool_fleet.recording import Recording
from heatpool_fleet.sensors import broken_channel, measure
from heatpool_fleet.stepping import step
from heatpool_fleet.surroundings import surroundings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from heatpool_fleet.homes import HomeSpec

STEP_S_MAX: Final = 60.0  # controls and pressures act within minutes
INTERVAL_S_MIN: Final = 1.0
DAYS_MAX: Final = 400.0  # a year and a month
SPIN_UP_S: Final = DAY_S
BLOCK_HOMES: Final = 32  # simulated together: 32 homes x 36 days x 31 rows are about 400 MB


def simulate(
    homes: Sequence[HomeSpec],
    start_s: float,
    days: float,
    interval_s: float,
    seed: int,
    faults: Mapping[int, Fault] | None = None,
) -> list[Recording]:
    """Recordings of all homes, in their order.

    Args:
        homes: from `make_homes`, or altered copies.
        start_s: seconds since the epoch of the first record.
        days: length of the recordings.
        interval_s: time between records.
        seed: of weather, habits and noise.
        faults: by `HomeSpec.index`, at most one a home.

    Raises:
        ValueError: interval or days out of range, or a fault for a home that is not there.
        FaultSpellingError: a fault's grade or sensor is out of range.
    """
    return list(simulate_each(homes, start_s, days, interval_s, seed, faults))


def simulate_each(
    homes: Sequence[HomeSpec],
    start_s: float,
    days: float,
    interval_s: float,
    seed: int,
    faults: Mapping[int, Fault] | None = None,
) -> Iterator[Recording]:
    """As `simulate`, but a block of homes at a time: memory is bounded by `BLOCK_HOMES`."""
    faults = faults or {}
    _check(homes, days, interval_s, faults)
    for begin in range(0, len(homes), BLOCK_HOMES):
        block = homes[begin : begin + BLOCK_HOMES]
        own = [faults.get(home.index) for home in block]
        yield from _simulate_block(block, start_s, days, interval_s, seed, own)


def _check(
    homes: Sequence[HomeSpec], days: float, interval_s: float, faults: Mapping[int, Fault]
) -> None:
    if not 0.0 < days <= DAYS_MAX or not INTERVAL_S_MIN <= interval_s <= DAY_S:
        raise ValueError(f"days must be in 0..{DAYS_MAX}, interval in {INTERVAL_S_MIN}..{DAY_S} s")
    by_index = {home.index: home for home in homes}
    if len(by_index) != len(homes):
        raise ValueError("two homes have the same index")
    for index, fault in faults.items():
        if index not in by_index:
            raise ValueError(f"a fault is set for home {index}, which is not simulated")
        check_fault(fault)
        broken_channel(by_index[index].naming, fault)


def _simulate_block(
    homes: Sequence[HomeSpec],
    start_s: float,
    days: float,
    interval_s: float,
    seed: int,
    faults: Sequence[Fault | None],
) -> Iterator[Recording]:
    substeps = int(np.ceil(interval_s / STEP_S_MAX))
    step_s = interval_s / substeps
    records = max(round(days * DAY_S / interval_s), 1)
    lead = int(np.ceil(SPIN_UP_S / interval_s)) * substeps
    steps = lead + (records - 1) * substeps + 1
    begin_s = start_s - lead * step_s
    drive = surroundings(homes, begin_s, steps, step_s, seed)
    log = _run(homes, faults, drive, begin_s, step_s)[lead::substeps]
    times_s: Floats = start_s + interval_s * np.arange(records, dtype=np.float64)
    for column, (home, fault) in enumerate(zip(homes, faults, strict=True)):
        readings = measure(home, seed, times_s, log[:, :, column], fault)
        yield Recording(home, times_s, readings, fault)


def _run(
    homes: Sequence[HomeSpec],
    faults: Sequence[Fault | None],
    drive: Floats,
    begin_s: float,
    step_s: float,
) -> Floats:
    """The channels of every step, shape (steps, channels, homes)."""
    steps = len(drive)
    physical = [None if f is None or f.kind in SENSOR_FAULTS else f for f in faults]
    onsets = {int(np.ceil((f.onset_s - begin_s) / step_s)) for f in physical if f is not None}
    cuts = sorted({0, steps, *(min(max(onset, 0), steps) for onset in onsets)})
    log = np.empty((steps, len(Channel), len(homes)))
    state = None
    for first, last in pairwise(cuts):
        now_s = begin_s + first * step_s
        acting = [f if f is not None and f.onset_s <= now_s else None for f in physical]
        plant = make_plant(homes, effects(acting), step_s)
        state = state or first_state(plant, drive[0])
        for k in range(first, last):
            step(plant, state, drive[k], log[k])
        complete(plant, drive[first:last], log[first:last])
    return log
