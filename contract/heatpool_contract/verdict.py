"""What a detector says about a reading.

Out of `scoring`, into the client's store, display and notifications: plain values, JSON-ready.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from heatpool_contract.explanation import Circumstance, Contribution
from heatpool_contract.wear import Trend


class Reason(StrEnum):
    """Why a reading has no score."""

    OUT_OF_ORDER = "out_of_order"
    TOO_SOON = "too_soon"
    NO_MODE = "no_mode"
    MODE_NOT_SCORED = "mode_not_scored"
    NOT_STEADY = "not_steady"
    CONDITIONS_MISSING = "conditions_missing"
    OUTSIDE_REFERENCE = "outside_reference"  # no home has been seen in this weather or load
    FILLING = "filling"  # the running mean has too few readings
    BETWEEN = "between"  # scored a moment ago; the next score is due after the stride
    NOTHING_MEASURED = "nothing_measured"
    LEARNING_OFFSET = "learning_offset"


class NotScored(msgspec.Struct, frozen=True):
    """A reading without a score."""

    reason: Reason
    mode: str | None = None


class ChannelScore(msgspec.Struct, frozen=True, kw_only=True):
    """What one channel says."""

    channel: str
    raw: float
    """Of the running mean, 0 = usual, towards 1 = unlike every trained home."""
    smoothed: float
    threshold: float
    rarity_weeks: float | None
    """A healthy pump gets this high once in so many weeks; None: more often than the table goes."""
    over: bool
    """Smoothed at or above the threshold for at least the debounce time."""
    alarm: bool
    """`over`, and the detector is released: it may disturb somebody."""


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """What the detector says about a reading."""

    timestamp_ms: int
    mode: str
    leading: ChannelScore
    """The first channel that is over its threshold, else the first that scores."""
    channels: tuple[ChannelScore, ...]
    alarm: bool
    """Of any channel."""
    contributions: tuple[Contribution, ...] = ()
    """Of the leading channel, heaviest first; only while it is over its threshold."""
    circumstances: tuple[Circumstance, ...] = ()
    """The operating point, beside the contributions."""


class Raised(msgspec.Struct, frozen=True, kw_only=True):
    """A hard rule that is broken."""

    rule: str
    text_en: str
    text_de: str
    since_ms: int
    lasted_ms: int
    """Time for which it had to last before it was raised."""
    values: tuple[Circumstance, ...]
    """As the last reading has them."""
    alarm: bool


class Degrading(msgspec.Struct, frozen=True, kw_only=True):
    """A residual that has grown for weeks."""

    mode: str
    mode_en: str
    mode_de: str
    feature: str
    label_en: str
    label_de: str
    unit: str
    relative: bool
    """The trend is a share of what is expected, not in `unit`."""
    trend: Trend


class Beside(msgspec.Struct, frozen=True, kw_only=True):
    """What the other channels say after a reading; each speaks for itself."""

    cycle: Score | NotScored | None = None
    """Of the last 24 hours; new when an hour ended with this reading, else None."""
    cycle_en: tuple[str, ...] = ()
    """The heaviest features of a day over its threshold, in words."""
    cycle_de: tuple[str, ...] = ()
    raised: tuple[Raised, ...] = ()
    """Rules broken now."""
    degrading: tuple[Degrading, ...] = ()
    """Trends that hold now."""
    day_ended: bool = False
    """Trends were looked at with this reading."""
