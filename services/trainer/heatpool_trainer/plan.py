"""What the trainer is asked for and what it answers.

In: settings and figures. Out: values other modules pass around. Guaranteed: a `Candidate` follows
from plan, catalogue and homes alone.
"""

from __future__ import annotations

import msgspec

from heatpool_contract.detector import Detector
from heatpool_trainer.cleaning import Cleaned
from heatpool_trainer.outliers import Odd


class TrainingPlan(msgspec.Struct, frozen=True, kw_only=True):
    """How to train one heat-pump model."""

    model: str
    """Slug."""
    seeds: tuple[int, ...] = (1, 2, 3)
    """One forest each; a single seed moves the AUC on SKAB by 0.013."""
    trees: int = 100
    height: int = 8
    folds: int = 4
    """Homes are scored for calibration by models of the other folds."""
    samples_per_home_max: int = 2_000
    """Steady readings for the reference regression, per mode."""
    vectors_per_home_max: int = 1_000
    """Mass a home may have in a forest; fewer if most homes have fewer."""
    samples_max: int = 200_000
    """Of all homes together: a reference of ten coefficients gains nothing from more."""
    vectors_max: int = 200_000
    """Of all homes together, likewise."""
    learnings_max: int = 4
    """Times a home's own normal is learnt in its recording, from other days on each."""
    vectors_min: int = 100
    """Of all homes; a mode with fewer is not scored."""
    episodes_per_week_max: float = 0.10
    """Alarm budget of a pump over all channels; twice as much is met on other homes."""
    fleet_homes_share_max: float = 0.02
    """Healthy homes that a channel against the fleet may alarm in at all. What sets a home apart
    lasts: counted by episodes, one odd home would use up the budget and the next be as odd."""
    calibration_homes_min: int = 16
    """Fewer unseen homes: the detector is `learning` and raises no alarm."""
    calibration_weeks_min: float = 16.0
    """As before, in pump-weeks: a rate per week is not known from some hours."""
    cycle_episodes_per_week_max: float = 0.05
    """Alarm budget of the channel of the days; its own, as each channel's."""
    cycle_trees: int = 50
    cycle_height: int = 6
    """A home has 24 vectors a day of which few differ: small trees hold them."""


class RuleReport(msgspec.Struct, frozen=True, kw_only=True):
    """How one hard rule fared."""

    rule: str
    homes: int
    """In which it was tried."""
    homes_raised: int
    released: bool


class ChannelReport(msgspec.Struct, frozen=True, kw_only=True):
    """How one channel came about."""

    mode: str
    channel: str
    vectors: int
    homes: int
    threshold: float
    calibration_homes: int
    pump_weeks: float
    episodes: int
    share_max: float = 0.0
    """Of the heaviest home in the masses."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """How a candidate came about; part of its provenance."""

    profile: str
    homes: tuple[str, ...]
    """Pseudonyms, sorted."""
    homes_dropped: tuple[str, ...]
    """Sent nothing that could be scored."""
    homes_rejected: tuple[Odd, ...] = ()
    """The others' model rejects them: not trained on."""
    readings: int
    samples: int
    """Values in them."""
    cleaned: Cleaned
    fields: tuple[str, ...]
    channels: tuple[ChannelReport, ...]
    modes_dropped: tuple[str, ...]
    """Too few vectors."""
    cycle: tuple[ChannelReport, ...] = ()
    rules: tuple[RuleReport, ...] = ()
    wear_homes: int = 0
    """Whose trends set the limits of wear; too few, and it is not released."""


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A trained detector that nobody has judged yet."""

    detector: Detector
    payload: bytes
    """The detector, encoded."""
    report: Report
    witnesses: tuple[Detector, ...] = ()
    """Per fold: the detector made without its homes, which the gate tries on them."""
    folds: dict[str, int] = {}
    """Which homes each left out; parts of a recording as homes."""


class TooLittle(msgspec.Struct, frozen=True):
    """There is nothing to train on."""

    reason: str
