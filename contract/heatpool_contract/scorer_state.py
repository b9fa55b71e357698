"""What a scorer remembers between two readings: plain data, so that a restart loses nothing.

In and out: JSON or msgpack of `ScorerState`, for one detector (a new release starts anew, because
residuals mean something else then). Guaranteed: its size is bounded by `READINGS_MAX` and
`OFFSET_BLOCKS_MAX`; floats survive both encodings exactly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from heatpool_contract.detector import Detector, Mode, OffsetRule

OFFSET_BLOCKS_MAX: Final = 2_000  # block means kept for a median; then the offset freezes anyway


class ChannelState(msgspec.Struct):
    """Smoothed score of a channel."""

    smoothed: float = 0.0
    at_ms: int | None = None
    over_since_ms: int | None = None


class OffsetState(msgspec.Struct):
    """The home's own normal, while it is learnt and after."""

    sums: list[float]
    counts: list[int]
    blocks: list[list[float]]
    """Per feature: means of finished blocks; emptied when the offset freezes."""
    first_ms: int | None = None
    readings: int = 0
    frozen: list[float] | None = None

    def add(self, rule: OffsetRule, timestamp_ms: int, row: list[float | None]) -> None:
        """Take a steady reading's residuals; freeze when the rule says it is enough."""
        if self.frozen is not None:
            return
        if self.first_ms is None:
            self.first_ms = timestamp_ms
        self.readings += 1
        for feature, value in enumerate(row):
            if value is not None:
                self.sums[feature] += value
                self.counts[feature] += 1
        full = False
        if self.readings % rule.block_readings == 0:
            full = self._close_block(rule)
        enough = self.readings >= rule.readings_min
        if full or (enough and timestamp_ms - self.first_ms >= rule.span_ms_min):
            weight = self.readings / (self.readings + rule.shrink_readings)
            self.frozen = [_median(values) * weight for values in self.blocks]
            self.blocks = []

    def _close_block(self, rule: OffsetRule) -> bool:
        for feature, count in enumerate(self.counts):
            if 2 * count >= rule.block_readings:
                self.blocks[feature].append(self.sums[feature] / count)
            self.sums[feature] = 0.0
            self.counts[feature] = 0
        return self.readings >= OFFSET_BLOCKS_MAX * rule.block_readings


class ModeState(msgspec.Struct):
    """Running mean, offset and channels of one mode."""

    offset: OffsetState
    channels: list[ChannelState]
    times_ms: list[int] = []
    rows: list[list[float | None]] = []
    scored_ms: int | None = None

    def running_means(
        self, mode: Mode, timestamp_ms: int, row: list[float | None]
    ) -> list[float | None] | None:
        """Take a row; means over the last steady readings, None while they are too few.

        A feature that more than half of the readings miss has no mean.
        """
        self.times_ms.append(timestamp_ms)
        self.rows.append(row)
        old = max(0, len(self.rows) - mode.mean_readings)
        while self.times_ms[old] < timestamp_ms - mode.mean_age_ms_max:
            old += 1
        del self.times_ms[:old], self.rows[:old]
        if len(self.rows) < mode.mean_readings_min:
            return None
        means: list[float | None] = []
        for feature in range(len(row)):
            total, count = 0.0, 0
            for one in self.rows:
                value = one[feature]
                if value is not None:
                    total += value
                    count += 1
            means.append(total / count if 2 * count >= len(self.rows) else None)
        return means


class ScorerState(msgspec.Struct):
    """Everything a scorer remembers."""

    modes: list[ModeState]
    previous: dict[str, float] = {}
    """Fields with a rate limit, from the last reading."""
    last_ms: int | None = None
    mode: int | None = None
    steady_since_ms: int | None = None


def initial_state(detector: Detector) -> ScorerState:
    """The state before the first reading."""
    return ScorerState(modes=[_initial_mode(mode) for mode in detector.modes])


def fits(state: ScorerState, detector: Detector) -> bool:
    """Whether a state can belong to the detector."""
    return len(state.modes) == len(detector.modes) and all(
        len(one.offset.sums) == len(mode.targets) and len(one.channels) == len(mode.channels)
        for one, mode in zip(state.modes, detector.modes, strict=True)
    )


def _initial_mode(mode: Mode) -> ModeState:
    features = len(mode.targets)
    offset = OffsetState([0.0] * features, [0] * features, [[] for _ in range(features)])
    return ModeState(offset, [ChannelState() for _ in mode.channels])


def _median(values: list[float]) -> float:
    if not values:
        return 0.0  # never measured here: no offset to subtract
    ordered = sorted(values)
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    return (ordered[middle - 1] + ordered[middle]) * 0.5
