"""What is watched beside the residuals: days, hard rules, wear. Plain data of a release.

In: the trainer's choice. Out: types that `cycles`, `rules` and `wear` follow. Guaranteed: nothing
in it is code; each channel has an alarm budget of its own, and none is merged into another's score.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta

from heatpool_contract.quantities import Conditions, Count, Data, Duration, Name, Period

WEAR_DAYS_MAX: Final = 90
"""Daily medians that a client keeps for each quantity: a heating season's half."""

Text = Annotated[str, Meta(max_length=200)]


class Proof(Data, frozen=True, kw_only=True):
    """Inputs of a machine, f8 row by row, and what must come out, bit for bit; NaN = missing."""

    inputs: bytes
    outputs: bytes


class CycleFeature(Data, frozen=True, kw_only=True):
    """One feature of the last 24 hours."""

    name: Name
    """A target of the cycle detector's mode, one of `cycles.FEATURES`."""
    text_en: Text
    """A sentence with `{own}`, `{low}` and `{high}` for what is, and what is usual."""
    text_de: Text
    residual_low: float
    """Quantile .05 of healthy homes' differences from what is expected of them."""
    residual_high: float
    """Quantile .95."""


class CycleRule(Data, frozen=True, kw_only=True):
    """Which values of a reading tell what the machine is doing."""

    running: Conditions
    """The compressor turns, defrosts included. A reading without these fields is passed over."""
    defrosting: Conditions = ()
    """Without conditions it is not known."""
    watering: Conditions = ()
    outdoor: Name
    power: Name | None = None
    """Whole electric power, kW."""
    compressor_power: Name | None = None
    """That of the compressor alone, kW."""
    features: Annotated[tuple[CycleFeature, ...], Meta(max_length=16)]
    proof: Proof


class Rule(Data, frozen=True, kw_only=True):
    """What no healthy machine does for so long."""

    name: Name
    kind: Literal["holds", "stuck", "falling"]
    """`holds`: `wrong` does. `stuck`: `field` repeats one value. `falling`: `field` keeps falling,
    by `drop` since it began."""
    context: Conditions = ()
    """Time counts only while all of these hold."""
    wrong: Conditions = ()
    field: Name | None = None
    drop: float = 0.0
    lasting_ms: Duration
    """In context, without a reading that is right."""
    hold_ms: Duration
    """Raised until right for so long in context."""
    shows: Annotated[tuple[Name, ...], Meta(max_length=8)] = ()
    """Values beside the text."""
    text_en: Text
    text_de: Text
    homes: Count
    """Homes it was tried on at training."""
    homes_raised: Count
    """Of these, how many it was raised in; more than the budget allows is not released."""
    proof: Proof


class WearTarget(Data, frozen=True, kw_only=True):
    """A residual whose trend over weeks is followed."""

    mode: Name
    field: Name
    worse: Literal["up", "down", "both"]
    change_min: float
    """A change over the kept days smaller than this is season and sensor, not wear."""


class WearRule(Data, frozen=True, kw_only=True):
    """When a trend counts as wear."""

    sample_ms: Period
    """Distance of the samples of which a day's median is taken."""
    samples_min: Annotated[int, Meta(ge=1, le=288)]
    days_max: Annotated[int, Meta(ge=2, le=WEAR_DAYS_MAX)]
    block_days: Annotated[int, Meta(ge=1, le=14)]
    """Days whose median is one point of the trend: neighbouring days share their weather."""
    blocks_min: Annotated[int, Meta(ge=3, le=WEAR_DAYS_MAX)]
    z_min: float
    """Of the Mann-Kendall statistic."""
    days_confirmed: Annotated[int, Meta(ge=1, le=30)]
    """So many evaluations, one a day, must agree."""
    targets: Annotated[tuple[WearTarget, ...], Meta(min_length=1, max_length=128)]
