"""From scores of healthy homes to a threshold that keeps its promise on false alarms.

In: smoothed scores of homes that the scoring model was not trained on. Out: the threshold at which
they would have alarmed at most so often, and the table from scores to "once in N weeks".
Guaranteed: what is counted is what disturbs an owner, alarm episodes per pump-week, by the same
debounce as the client's; never minutes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from heatpool_contract.detector import RarityStep
from heatpool_trainer.native import Bools, Floats, Integers, compiled

if TYPE_CHECKING:
    from collections.abc import Sequence

WEEK_MS: Final = 7 * 86_400_000
EPISODE_GAP_MS: Final = 12 * 3_600_000  # an alarm that comes back within it is the same one
LEVELS: Final = 256  # scores tried as threshold
RARITY_STEPS_MAX: Final = 24
UNREACHABLE: Final = 2.0  # scores end at 1: a channel that nothing calibrates raises nothing


class Scored(msgspec.Struct, frozen=True, eq=False):
    """Scores of one channel in one home."""

    timestamps_ms: Integers
    raw: Floats
    smoothed: Floats


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """Outcome for one channel."""

    threshold: float
    rarity: tuple[RarityStep, ...]
    homes: int
    pump_weeks: float
    """Observed weeks, whether the mode ran or not: that is what an owner lives through."""
    episodes: int
    """At the threshold."""


def calibrate(
    homes: Sequence[Scored],
    *,
    pump_weeks: float,
    episodes_per_week_max: float,
    debounce_ms: int,
    age_ms_max: int,
    homes_share_max: float = 1.0,
) -> Calibration:
    """Lowest threshold whose episodes, and those of all higher ones, stay within the budget.

    Args:
        homes: one entry per home, empty ones included.
        pump_weeks: observed, summed over the homes.
        episodes_per_week_max: budget of the channel.
        debounce_ms: of the channel.
        age_ms_max: of the mode; a longer pause starts the debounce anew.
        homes_share_max: of the entries that may have any episode at all.
    """
    levels = _levels(homes)
    found, alarmed = np.zeros(levels.size, np.int64), np.zeros(levels.size, np.int64)
    for one in homes:
        counted = episode_counts(one, levels, debounce_ms=debounce_ms, age_ms_max=age_ms_max)
        found += counted
        alarmed += counted > 0
    counts, alarmed = _falling(found), _falling(alarmed)
    budget = episodes_per_week_max * pump_weeks
    within = max(  # the first level that keeps both
        int(np.searchsorted(-counts, -budget)),
        int(np.searchsorted(-alarmed, -homes_share_max * len(homes))),
    )
    return Calibration(
        threshold=float(levels[within]),
        rarity=_rarity(levels, counts, pump_weeks),
        homes=len(homes),
        pump_weeks=pump_weeks,
        episodes=int(counts[within]),
    )


def episodes(scored: Scored, threshold: float, *, debounce_ms: int, age_ms_max: int) -> int:
    """Number of alarm episodes in one home."""
    over = over_threshold(scored.timestamps_ms, scored.smoothed, threshold, debounce_ms, age_ms_max)
    return int(_episodes(scored.timestamps_ms, over, EPISODE_GAP_MS))


def episode_counts(
    scored: Scored, levels: Floats, *, debounce_ms: int, age_ms_max: int
) -> Integers:
    """The same at every level; they rise."""
    times_ms = scored.timestamps_ms
    return _counts(times_ms, scored.smoothed, levels, debounce_ms, age_ms_max, EPISODE_GAP_MS)


def scored(timestamps_ms: Integers, raw: Floats, *, smoothing_ms: int, age_ms_max: int) -> Scored:
    """Smooth the raw scores of one home as the client does."""
    smoothed = _smoothed(timestamps_ms, raw, smoothing_ms, age_ms_max)
    return Scored(timestamps_ms, raw, smoothed)


def _falling(counts: Integers) -> Integers:
    """Of every level the most that it or a higher one has."""
    return np.maximum.accumulate(counts[::-1])[::-1]


def _levels(homes: Sequence[Scored]) -> Floats:
    """Scores worth trying: quantiles dense in the upper tail, and one above everything."""
    pooled = np.concatenate([np.empty(0), *(one.smoothed for one in homes)])
    if not pooled.size:
        return np.array([UNREACHABLE])
    tail = np.geomspace(1.0, 1.0 / (pooled.size + 1), LEVELS)
    pooled.sort()  # in place: a fleet's scores are many
    places = np.ceil((pooled.size - 1) * (1.0 - tail)).astype(np.int64)
    levels = np.unique(pooled[places])
    return np.append(levels, np.nextafter(levels[-1], 2.0))


def _rarity(levels: Floats, counts: Integers, pump_weeks: float) -> tuple[RarityStep, ...]:
    """One step per change of the count, thinned; beyond the observed weeks nothing is claimed."""
    steps: list[RarityStep] = []
    for level, count in zip(levels, counts, strict=True):
        weeks = pump_weeks / max(1, int(count))
        if weeks > 0 and (not steps or weeks > steps[-1].weeks):
            steps.append(RarityStep(score=float(level), weeks=weeks))
    keep = np.unique(np.linspace(0, len(steps) - 1, RARITY_STEPS_MAX).astype(np.int64))
    return tuple(steps[i] for i in keep) if steps else ()


@compiled
def _smoothed(timestamps_ms: Integers, raw: Floats, smoothing_ms: int, age_ms_max: int) -> Floats:
    result = np.empty(raw.size)
    for i in range(raw.size):
        elapsed_ms = timestamps_ms[i] - timestamps_ms[i - 1] if i else age_ms_max + 1
        if elapsed_ms > age_ms_max:
            result[i] = raw[i]
        else:
            weight = elapsed_ms / (smoothing_ms + elapsed_ms)
            result[i] = result[i - 1] + weight * (raw[i] - result[i - 1])
    return result


@compiled
def over_threshold(
    timestamps_ms: Integers, smoothed: Floats, threshold: float, debounce_ms: int, age_ms_max: int
) -> Bools:
    """Where the score has been at or above the threshold for the debounce time."""
    over = np.zeros(smoothed.size, np.bool_)
    since = np.int64(-1)
    for i in range(smoothed.size):
        if i and timestamps_ms[i] - timestamps_ms[i - 1] > age_ms_max:
            since = np.int64(-1)
        if smoothed[i] < threshold:
            since = np.int64(-1)
        elif since < 0:
            since = timestamps_ms[i]
        over[i] = since >= 0 and timestamps_ms[i] - since >= debounce_ms
    return over


@compiled
def _episodes(timestamps_ms: Integers, over: Bools, gap_ms: int) -> int:
    number = 0
    last = np.int64(0)
    for i in range(over.size):
        if over[i]:
            if number == 0 or timestamps_ms[i] - last > gap_ms:
                number += 1
            last = timestamps_ms[i]
    return number


@compiled
def _counts(
    timestamps_ms: Integers,
    smoothed: Floats,
    levels: Floats,
    debounce_ms: int,
    age_ms_max: int,
    gap_ms: int,
) -> Integers:
    """Episodes of one home at every level: `_episodes` of `over_threshold`, for rising levels.

    Only what reached the level before is looked at again: of levels dense in the tail, few scores
    reach many.
    """
    counts = np.zeros(levels.size, np.int64)
    kept = np.arange(smoothed.size)
    size = smoothed.size
    for place in range(levels.size):
        left, number = 0, 0
        before = np.int64(-2)
        since, last = np.int64(0), np.int64(0)
        for k in range(size):
            i = kept[k]
            if smoothed[i] < levels[place]:
                continue
            kept[left] = i
            left += 1
            if i != before + 1 or timestamps_ms[i] - timestamps_ms[before] > age_ms_max:
                since = timestamps_ms[i]
            before = i
            if timestamps_ms[i] - since >= debounce_ms:
                if number == 0 or timestamps_ms[i] - last > gap_ms:
                    number += 1
                last = timestamps_ms[i]
        counts[place] = number
        size = left
        if size == 0:
            break
    return counts
