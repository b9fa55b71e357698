"""Wear: a slow, steady trend of a residual over weeks, seen before the fast alarm.

In: samples of a mode's residuals, in the order of time; medians of days. Out: a `Trend` of every
quantity. Guaranteed: a pure function of daily medians; bounded memory; a single odd day, or a step
after a service, moves a slope that is the median of all pairs by little (Theil 1950, Sen 1968), and
whether there is a trend at all is asked of ranks (Mann 1945, Kendall 1975).
"""

from __future__ import annotations

from math import erf, sqrt
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from heatpool_contract.watches import WearRule, WearTarget

DAY_MS: Final = 86_400_000
WEEK_DAYS: Final = 7.0

Row = list[float | None]


class Trend(msgspec.Struct, frozen=True, kw_only=True):
    """What the medians of some weeks say about one residual."""

    slope_per_day: float
    z: float
    """Mann-Kendall statistic, positive for rising."""
    days: float
    """Between the first and the last point."""

    @property
    def per_week(self) -> float:
        """Slope in a week."""
        return self.slope_per_day * WEEK_DAYS

    @property
    def change(self) -> float:
        """Over all days."""
        return self.slope_per_day * self.days

    @property
    def confidence(self) -> float:
        """Of a normal distribution, the share below |z|: for people, nothing is decided by it."""
        return 0.5 * (1.0 + erf(abs(self.z) / sqrt(2.0)))


class WearState(msgspec.Struct):
    """What is remembered of one mode."""

    sampled_ms: int = 0
    day: int = -1
    samples: list[Row] = []
    """Of the present day."""
    days: list[int] = []
    medians: list[Row] = []
    confirmed: list[int] = []
    """Per followed target: evaluations in a row that agree."""
    trends: list[Trend | None] = []


def take(
    state: WearState, rule: WearRule, mode: str, names: Sequence[str], now_ms: int, row: Row
) -> bool:
    """Take the running means of a mode; whether a day ended and trends were looked at.

    Args:
        state: of the mode, changed.
        rule: when a trend counts.
        mode: its name.
        names: of its targets, in the order of `row`.
        now_ms: of the reading.
        row: mean residuals, None = missing.
    """
    if 0 <= now_ms - state.sampled_ms < rule.sample_ms:
        return False
    state.sampled_ms = now_ms
    day = now_ms // DAY_MS
    ended = state.day not in (-1, day)
    if ended:
        close(state, rule, mode, names)
    state.day = day
    state.samples.append(row)
    del state.samples[: -DAY_MS // rule.sample_ms]  # a clock that jumps about
    return ended


def close(state: WearState, rule: WearRule, mode: str, names: Sequence[str]) -> None:
    """Turn the samples of a day into its medians and look at the trends."""
    samples, state.samples = state.samples, []
    if len(samples) < rule.samples_min:
        return
    while state.days and state.days[-1] >= state.day:  # the clock was set back
        del state.days[-1], state.medians[-1]
    state.days.append(state.day)
    state.medians.append([_median([one[k] for one in samples]) for k in range(len(names))])
    old = 0
    while state.days[old] <= state.day - rule.days_max:
        old += 1
    del state.days[:old], state.medians[:old]
    own = [one for one in rule.targets if one.mode == mode]
    counts = state.confirmed or [0] * len(own)
    found = [
        trend(state.days, [row[names.index(one.field)] for row in state.medians], rule)
        for one in own
    ]
    state.trends = found
    state.confirmed = [
        count + 1 if is_wear(one, rule, target) else 0
        for count, one, target in zip(counts, found, own, strict=True)
    ]


def trend(days: Sequence[int], values: Sequence[float | None], rule: WearRule) -> Trend | None:
    """Slope and statistic of daily medians; None while there are too few."""
    times: list[float] = []
    points: list[float] = []
    block: list[float | None] = []
    for position, day in enumerate(days):
        block.append(values[position])
        last = position + 1 == len(days) or days[position + 1] // rule.block_days != (
            day // rule.block_days
        )
        if last:
            middle = _median(block)
            if middle is not None:
                times.append(day // rule.block_days * float(rule.block_days))
                points.append(middle)
            block = []
    size = len(points)
    if size < rule.blocks_min:
        return None
    slopes = []
    score = 0
    for i in range(size):
        for j in range(i + 1, size):
            rise = points[j] - points[i]
            slopes.append(rise / (times[j] - times[i]))
            score += (rise > 0.0) - (rise < 0.0)
    variance = size * (size - 1) * (2 * size + 5) / 18.0
    corrected = score - 1 if score > 0 else score + 1 if score < 0 else 0
    middle = _median([*slopes])
    return Trend(
        slope_per_day=0.0 if middle is None else middle,
        z=corrected / sqrt(variance),
        days=times[-1] - times[0],
    )


def is_wear(found: Trend | None, rule: WearRule, target: WearTarget) -> bool:
    """Whether a trend is certain, large and for the worse."""
    if found is None or abs(found.z) < rule.z_min or abs(found.change) < target.change_min:
        return False
    rising = found.slope_per_day > 0.0
    return target.worse == "both" or rising == (target.worse == "up")


def _median(values: Sequence[float | None]) -> float | None:
    ordered = sorted(value for value in values if value is not None)
    if not ordered:
        return None
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    return (ordered[middle - 1] + ordered[middle]) * 0.5
