"""How days, hard rules and wear are looked at, before any data: data, not code.

In: the catalogue's tables `cycle`, `rules` and `wear`. Out: types. Guaranteed: of every list of
alternatives the first that the homes can fill is taken; what they cannot fill is left out.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from heatpool_contract.detector import Condition

Alternatives = tuple[tuple[Condition, ...], ...]


class _Data(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class DayFeature(_Data, frozen=True, kw_only=True):
    """A feature of the last 24 hours and the words for it."""

    name: str
    """One of `heatpool_contract.cycles.FEATURES`."""
    label_en: str
    label_de: str
    floor: float
    """Standard deviation, in its unit, that nobody needs to be told of: the trees see none smaller.
    A quantity that hardly varies between healthy days would else alarm for nothing."""
    text_en: str
    text_de: str


class CycleRecipe(_Data, frozen=True, kw_only=True):
    """The second channel. Durations in seconds, as all here."""

    running: Alternatives
    defrosting: Alternatives = ((),)
    watering: Alternatives = ((),)
    outdoor: str
    power: str
    compressor_power: str
    outdoor_label_en: str
    outdoor_label_de: str
    features: tuple[DayFeature, ...]
    offset_span: int
    offset_hours: int
    smoothing: int
    debounce: int
    age_max: int
    squash: float


class RuleRecipe(_Data, frozen=True, kw_only=True):
    """One hard rule."""

    name: str
    kind: Literal["holds", "stuck", "falling"]
    context: Alternatives = ((),)
    wrong: Alternatives = ((),)
    peak_of: str | None = None
    """`wrong` is then: this sensor above `peak_factor` times what most homes reach."""
    peak_factor: float = 0.0
    field: str | None = None
    drop: float = 0.0
    lasting: int
    hold: int
    shows: tuple[str, ...] = ()
    homes_share_max: float
    """Budget: raised in more of the homes it is tried on, it is not released."""
    text_en: str
    text_de: str


class WearField(_Data, frozen=True, kw_only=True):
    """A residual worth following."""

    name: str
    worse: Literal["up", "down", "both"]
    change_min: float
    """Smaller changes are no wear, whatever the homes show."""


class WearRecipe(_Data, frozen=True, kw_only=True):
    """What counts as wear."""

    modes: tuple[str, ...]
    fields: tuple[WearField, ...]
    sample: int
    samples_min: int
    days_max: int
    block_days: int
    blocks_min: int
    z_min: float
    days_confirmed: int
    homes_min: int
    """Homes that must have shown a trend, be it none, before wear is released."""
