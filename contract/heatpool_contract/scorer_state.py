"""What a scorer remembers between two readings: plain data, so that a restart loses nothing.

In and out: JSON or msgpack of `ScorerState`, for one detector (a new release starts anew, because
residuals mean something else then). Guaranteed: its size is bounded by the detector's own numbers;
floats survive both encodings exactly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from heatpool_contract import cycles, rules
from heatpool_contract.own_normal import OwnNormal, initial_normal
from heatpool_contract.watches import WEAR_DAYS_MAX
from heatpool_contract.wear import WearState

if TYPE_CHECKING:
    from heatpool_contract.detector import Channel, Detector, Mode

Row = list[float | None]


class ChannelState(msgspec.Struct):
    """Smoothed score of a channel."""

    smoothed: float = 0.0
    at_ms: int | None = None
    over_since_ms: int | None = None

    def follow(self, channel: Channel, mode: Mode, timestamp_ms: int, raw: float) -> bool:
        """Smooth a score; whether it has been over the threshold for the debounce time."""
        if self.at_ms is None or timestamp_ms - self.at_ms > mode.mean_age_ms_max:
            self.smoothed, self.over_since_ms = raw, None
        else:
            elapsed_ms = timestamp_ms - self.at_ms
            weight = elapsed_ms / (channel.smoothing_ms + elapsed_ms)
            self.smoothed += weight * (raw - self.smoothed)
        self.at_ms = timestamp_ms
        if self.smoothed < channel.threshold:
            self.over_since_ms = None
        elif self.over_since_ms is None:
            self.over_since_ms = timestamp_ms
        since_ms = self.over_since_ms
        return since_ms is not None and timestamp_ms - since_ms >= channel.debounce_ms


class Window(msgspec.Struct):
    """The last steady residuals of a mode, against the fleet or against the home."""

    times_ms: list[int] = []
    rows: list[Row] = []

    def take(self, mode: Mode, timestamp_ms: int, row: Row) -> None:
        """Add a row and let the old ones go."""
        self.times_ms.append(timestamp_ms)
        self.rows.append(row)
        old = max(0, len(self.rows) - mode.mean_readings)
        while self.times_ms[old] < timestamp_ms - mode.mean_age_ms_max:
            old += 1
        del self.times_ms[:old], self.rows[:old]

    def means(self, mode: Mode) -> Row | None:
        """Mean of every target, None where most rows miss it; None while rows are too few."""
        if len(self.rows) < mode.mean_readings_min:
            return None
        means: Row = []
        for feature in range(len(mode.targets)):
            total, count = 0.0, 0
            for row in self.rows:
                value = row[feature]
                if value is not None:
                    total += value
                    count += 1
            means.append(total / count if 2 * count >= len(self.rows) else None)
        return means


class ModeState(msgspec.Struct):
    """Own normal, running means and channels of one mode."""

    own: OwnNormal
    channels: list[ChannelState]
    fleet: Window
    home: Window
    scored_ms: int | None = None
    widths: Window = msgspec.field(default_factory=Window)
    """Of the rows in `home`: in what each is measured (`own_normal.Trust`)."""


class ScorerState(msgspec.Struct):
    """Everything a scorer remembers."""

    modes: list[ModeState]
    previous: dict[str, float] = {}
    """Fields with a rate limit, from the last reading."""
    last_ms: int | None = None
    due_ms: int | None = None
    """When the next reading is due, by the detector's interval."""
    mode: int | None = None
    steady_since_ms: int | None = None
    cycle: list[float] = msgspec.field(default_factory=cycles.initial)
    """Numbers of `cycles.advance`."""
    cycle_scorer: ScorerState | None = None
    """Of the detector that looks at the days."""
    rules: dict[str, list[float]] = {}
    """By name of the rule: numbers of `rules.advance`."""
    wear: dict[str, WearState] = {}
    """By name of the mode."""


def initial_state(detector: Detector) -> ScorerState:
    """The state before the first reading."""
    return ScorerState(
        modes=[
            ModeState(
                own=initial_normal(mode),
                channels=[ChannelState() for _ in mode.channels],
                fleet=Window(),
                home=Window(),
            )
            for mode in detector.modes
        ]
    )


def fits(state: ScorerState, detector: Detector) -> bool:
    """Whether a state can belong to the detector."""
    return (
        len(state.modes) == len(detector.modes)
        and all(
            len(one.own.sums) == len(mode.targets)
            and len(one.own.term_sums) == len(mode.terms)
            and len(one.channels) == len(mode.channels)
            for one, mode in zip(state.modes, detector.modes, strict=True)
        )
        and _fits_beside(state, detector)
    )


def _fits_beside(state: ScorerState, detector: Detector) -> bool:
    days = detector.cycle
    whole = len(state.cycle) == cycles.SIZE
    if days is not None and state.cycle_scorer is not None:
        whole = whole and fits(state.cycle_scorer, days.detector)
    whole = whole and all(len(one) == rules.SIZE for one in state.rules.values())
    targets = {mode.name: len(mode.targets) for mode in detector.modes}
    followed = [] if detector.wear is None else [one.mode for one in detector.wear.targets]
    return whole and all(
        len(one.days) == len(one.medians) <= WEAR_DAYS_MAX
        and len(one.confirmed) in (0, followed.count(mode))
        and all(len(row) == targets.get(mode) for row in (*one.samples, *one.medians))
        for mode, one in state.wear.items()
    )
