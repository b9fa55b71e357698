"""200 to `GET /api/v1/pool/overview`: all that the public page shows, as one Struct.

The shapes are public API (docs/pages.md); members are only ever added.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from heatpool_contract.answers import AverageAnswer

Fresh = Literal["hour", "day", "week", "older", "unknown"]


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """What there is, and from when on a first model is possible."""

    homes: int
    """That have contributed."""
    homes_required: int
    data_points: int
    """Rounded down to two digits."""
    data_points_required: int
    models: int
    """Heat-pump models with a detector."""
    data_sufficient: bool


class GrowthDay(msgspec.Struct, frozen=True, kw_only=True):
    """The pool at the end of one day (UTC)."""

    timestamp: float
    homes: int
    data_points: int


class HomesOfModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model with at least `homes_min` homes."""

    model: str
    name: str
    """As loggers spell it, if there is a release; else `model`."""
    homes: int
    """Rounded down to a multiple of 5."""


class HomesPerModel(msgspec.Struct, frozen=True, kw_only=True):
    """Unit: homes."""

    homes_min: int
    models: list[HomesOfModel]
    others: int
    """Homes of models with fewer than `homes_min`, and of those behind the first hundred."""


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """The current detector of a model with at least `homes_min` homes."""

    model: str
    name: str
    version: str
    state: Literal["learning", "trial", "released"]
    """`learning`: raises no alarms yet; `trial`: some homes try it, the others have the one
    before."""
    created: float
    age_days: int


class Releases(msgspec.Struct, frozen=True, kw_only=True):
    """Detectors by model."""

    models: list[Release]
    others: int
    """Releases of models that are not named."""


class Freshness(msgspec.Struct, frozen=True, kw_only=True):
    """How old the data are, in coarse steps: seconds would show one home's rhythm."""

    newest: Fresh
    """The newest reading is younger than so; `unknown`: too few homes to say."""
    newest_age_s_max: int | None
    counted: float | None
    """End of the last day in `growth`."""
    statistics: float | None
    """End of the newest day in `statistics`."""


class ModelStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """One model over its homes."""

    model: str
    name: str
    metrics: dict[str, AverageAnswer]
    """Only what enough homes have."""


class Statistics(msgspec.Struct, frozen=True, kw_only=True):
    """Of daily values, once a day."""

    window: str
    windows: list[str]
    """What `window` may be."""
    homes_min: int
    models: list[ModelStatistics]


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is collected, or is not."""

    code: str
    text: str
    text_de: str


class PoolOverview(msgspec.Struct, frozen=True, kw_only=True):
    """The pool as everybody may see it; nothing about a single home."""

    totals: Totals
    message: str
    message_de: str
    growth: list[GrowthDay]
    homes_per_model: HomesPerModel
    releases: Releases
    freshness: Freshness
    statistics: Statistics
    collected: list[Statement]
    not_collected: list[Statement]
    timestamp: float


class Badge(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """200 to `GET /api/v1/badge/{homes,models,points}.json`: the endpoint schema of shields.io."""

    schema_version: int = 1
    label: str
    message: str
    color: str
    cache_seconds: int
