"""The last 24 hours of a machine in nine numbers: starts, run lengths, defrosts, shares, powers.

In: what each reading says the machine is doing, in the order of time. Out: the features of the last
24 full hours, whenever an hour ends. Guaranteed: bounded memory (`SIZE` numbers); one
implementation, in words that the trainer compiles, so that home and trainer agree to the last bit;
a gap neither makes a start nor a run, and its time is not counted.

Every reading stands for the time since the one before. Whole hours are summed, so that a day slides
in steps of an hour.
"""

from __future__ import annotations

from math import nan
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from heatpool_contract.quantities import Numbers

FEATURES: Final = (
    "cycle_outdoor",
    "cycle_starts",
    "cycle_run",
    "cycle_defrosts",
    "cycle_defrost_length",
    "cycle_water_share",
    "cycle_on_share",
    "cycle_heater",
    "cycle_standby",
)
"""Order of the features; the first is what weather sets, the others are looked at."""
UNITS: Final = ("°C", "1/h", "min", "1/h", "min", "%", "%", "kW", "W")

HOUR_MS: Final = 3_600_000.0
MINUTE_MS: Final = 60_000.0
HOURS: Final = 24
RUNS: Final = 128
"""Finished runs kept for their median; a machine with more in a day has shorter ones, too."""
RUN_MS_MAX: Final = 3.0 * HOUR_MS
"""Longer runs count as this long: how long a machine runs through is the weather's affair."""
FROST_LOW_CELSIUS: Final = -7.0
"""Between these outdoor temperatures a coil freezes: below, the air is too dry."""
FROST_HIGH_CELSIUS: Final = 6.0
OBSERVED_MS_MIN: Final = 18.0 * HOUR_MS
FROSTY_MS_MIN: Final = 2.0 * HOUR_MS
POWER_MS_MIN: Final = 0.5 * HOUR_MS
PERCENT: Final = 100.0
WATTS: Final = 1_000.0  # of a kilowatt

# Sums of one hour.
OBSERVED: Final = 0
RUNNING: Final = 1
DEFROSTING: Final = 2
WATERING: Final = 3
FROSTY: Final = 4
STARTS: Final = 5
DEFROSTS: Final = 6
OUTDOOR_MS: Final = 7
OUTDOOR: Final = 8
PAIRED_MS: Final = 9
EXCESS: Final = 10
RESTING_MS: Final = 11
RESTING: Final = 12
SUMS: Final = 13
# After the hours: ends and lengths of runs, then single numbers.
RUN_END: Final = HOURS * SUMS
RUN_LENGTH: Final = RUN_END + RUNS
LAST_MS: Final = RUN_LENGTH + RUNS
HOUR: Final = LAST_MS + 1
NEXT_RUN: Final = LAST_MS + 2
WAS_RUNNING: Final = LAST_MS + 3
WAS_DEFROSTING: Final = LAST_MS + 4
RUN_SINCE_MS: Final = LAST_MS + 5
"""-1: off, or running since nobody knows when."""
SIZE: Final = LAST_MS + 6


def initial() -> list[float]:
    """The memory before the first reading."""
    memory = [0.0] * SIZE
    memory[LAST_MS] = memory[HOUR] = memory[RUN_SINCE_MS] = -1.0
    return memory


def advance(  # noqa: PLR0913, PLR0917 - numbers and arrays, so that it can be compiled
    memory: Numbers,
    out: Numbers,
    now_ms: float,
    running: float,
    defrosting: float,
    watering: float,
    outdoor: float,
    power: float,
    compressor: float,
    gap_ms: float,
) -> bool:
    """Take a reading; whether an hour ended and `out` holds features.

    Args:
        memory: `SIZE` numbers, changed.
        out: one number per feature, NaN = missing; written when an hour ended.
        now_ms: of the reading, later than the one before unless the clock was set back.
        running: 1 or 0, as the next two.
        defrosting: ...
        watering: ...
        outdoor: °C; NaN = missing, as the next two.
        power: kW.
        compressor: kW.
        gap_ms: a longer silence is not counted.
    """
    elapsed = now_ms - memory[LAST_MS]
    broken = memory[LAST_MS] < 0.0 or elapsed < 0.0 or elapsed > gap_ms
    hour = now_ms // HOUR_MS
    passed = hour - memory[HOUR]
    closed = memory[HOUR] >= 0.0 and passed > 0.0
    if closed:
        summarise(memory, out, (memory[HOUR] + 1.0) * HOUR_MS)
    if passed != 0.0:
        if passed < 0.0 or passed > HOURS:
            passed = float(HOURS)
        for back in range(int(passed)):
            slot = (int(hour) - back) % HOURS * SUMS
            for k in range(SUMS):
                memory[slot + k] = 0.0
    memory[LAST_MS] = now_ms
    memory[HOUR] = hour
    base = int(hour) % HOURS * SUMS
    if broken:
        memory[RUN_SINCE_MS] = -1.0
    else:
        follow(memory, base, now_ms, running, defrosting)
        count(memory, base, elapsed, running, defrosting, watering)
        measure(memory, base, elapsed, running, defrosting, outdoor, power, compressor)
    memory[WAS_RUNNING] = running
    memory[WAS_DEFROSTING] = defrosting
    return closed


def follow(memory: Numbers, base: int, now_ms: float, running: float, defrosting: float) -> None:
    """Starts, finished runs and defrosts between two readings."""
    if running > 0.0 and memory[WAS_RUNNING] == 0.0:
        memory[base + STARTS] += 1.0
        memory[RUN_SINCE_MS] = now_ms
    if running == 0.0 and memory[WAS_RUNNING] > 0.0 and memory[RUN_SINCE_MS] >= 0.0:
        place = int(memory[NEXT_RUN])
        memory[RUN_END + place] = now_ms
        memory[RUN_LENGTH + place] = min(now_ms - memory[RUN_SINCE_MS], RUN_MS_MAX)
        memory[NEXT_RUN] = float((place + 1) % RUNS)
        memory[RUN_SINCE_MS] = -1.0
    if defrosting > 0.0 and memory[WAS_DEFROSTING] == 0.0:
        memory[base + DEFROSTS] += 1.0


def count(
    memory: Numbers,
    base: int,
    elapsed: float,
    running: float,
    defrosting: float,
    watering: float,
) -> None:
    """Time in each state."""
    memory[base + OBSERVED] += elapsed
    if running > 0.0:
        memory[base + RUNNING] += elapsed
    if defrosting > 0.0:
        memory[base + DEFROSTING] += elapsed
    if watering > 0.0:
        memory[base + WATERING] += elapsed


def measure(  # noqa: PLR0913, PLR0917 - see `advance`
    memory: Numbers,
    base: int,
    elapsed: float,
    running: float,
    defrosting: float,
    outdoor: float,
    power: float,
    compressor: float,
) -> None:
    """Temperatures and powers over time; NaN is passed over."""
    if outdoor == outdoor:  # noqa: PLR0124 - NaN
        memory[base + OUTDOOR_MS] += elapsed
        memory[base + OUTDOOR] += outdoor * elapsed
        if running > 0.0 and FROST_LOW_CELSIUS <= outdoor <= FROST_HIGH_CELSIUS:
            memory[base + FROSTY] += elapsed
    if power != power:  # noqa: PLR0124 - NaN
        return
    if running == 0.0:
        memory[base + RESTING_MS] += elapsed
        memory[base + RESTING] += power * elapsed
    elif defrosting == 0.0 and compressor == compressor:  # noqa: PLR0124 - NaN
        memory[base + PAIRED_MS] += elapsed
        memory[base + EXCESS] += (power - compressor) * elapsed


def summarise(memory: Numbers, out: Numbers, end_ms: float) -> None:
    """Features of the 24 hours that end at `end_ms`; all missing if too little was seen of them."""
    for k in range(len(out)):
        out[k] = nan
    observed = total(memory, OBSERVED)
    if observed < OBSERVED_MS_MIN:
        return
    if total(memory, OUTDOOR_MS) >= OBSERVED_MS_MIN:
        out[0] = total(memory, OUTDOOR) / total(memory, OUTDOOR_MS)
    out[1] = total(memory, STARTS) * HOUR_MS / observed
    out[2] = median_run(memory, end_ms) / MINUTE_MS
    defrosts = total(memory, DEFROSTS)
    if total(memory, FROSTY) >= FROSTY_MS_MIN:
        out[3] = defrosts * HOUR_MS / total(memory, FROSTY)
    if defrosts > 0.0:
        out[4] = total(memory, DEFROSTING) / defrosts / MINUTE_MS
    out[5] = total(memory, WATERING) / observed * PERCENT
    out[6] = total(memory, RUNNING) / observed * PERCENT
    if total(memory, PAIRED_MS) >= POWER_MS_MIN:
        out[7] = total(memory, EXCESS) / total(memory, PAIRED_MS)
    if total(memory, RESTING_MS) >= POWER_MS_MIN:
        out[8] = total(memory, RESTING) / total(memory, RESTING_MS) * WATTS


def total(memory: Numbers, which: int) -> float:
    """A sum over the kept hours, in the order of their places."""
    found = 0.0
    for hour in range(HOURS):
        found += memory[hour * SUMS + which]
    return found


def median_run(memory: Numbers, end_ms: float) -> float:
    """Lower median of the runs that ended within the day; without any, the run that goes on."""
    number = 0
    for k in range(RUNS):
        if is_recent(memory, k, end_ms):
            number += 1
    if number == 0:
        if memory[WAS_RUNNING] == 0.0:
            return nan
        since_ms = memory[RUN_SINCE_MS]  # unknown: it ran before anybody looked, so for long
        return min(end_ms - since_ms, RUN_MS_MAX) if since_ms >= 0.0 else RUN_MS_MAX
    wanted = (number - 1) // 2
    for k in range(RUNS):
        if not is_recent(memory, k, end_ms):
            continue
        length = memory[RUN_LENGTH + k]
        below = 0
        same = 0
        for other in range(RUNS):
            if is_recent(memory, other, end_ms):
                below += memory[RUN_LENGTH + other] < length
                same += memory[RUN_LENGTH + other] == length
        if below <= wanted < below + same:
            return length
    return nan


def is_recent(memory: Numbers, run: int, end_ms: float) -> bool:
    """Whether a place holds a run that ended within the 24 hours before `end_ms`."""
    end = memory[RUN_END + run]
    return end > 0.0 and end_ms - HOURS * HOUR_MS < end <= end_ms
