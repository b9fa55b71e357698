"""What is known of sensors and machines before any data: data, not code.

In: `catalogue.toml` of this package, or a file of the operator in the same form. Out: `Catalogue`.
Guaranteed: unknown keys are refused; a logger of another maker is a few lines of TOML, not code.
"""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, Literal

import msgspec

from heatpool_contract.detector import Condition, Derived, Field, RateLimit
from heatpool_trainer.watch_recipes import CycleRecipe, RuleRecipe, WearRecipe

if TYPE_CHECKING:
    from pathlib import Path


class _Data(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Sensor(Field, frozen=True, kw_only=True):
    """A field as it goes into a payload, and how its recordings are cleaned."""

    stuck_s_min: float = 0.0
    """The same value for so long is a dead sensor and not learnt from; 0 = no such rule."""
    peak_min: float = 0.0
    """Highest values of a home reach this, in the sensor's unit. Of sources with one name and two
    scales (W or kW) the first is taken with which most homes do."""


class TargetRecipe(_Data, frozen=True, kw_only=True):
    """A target of the reference regression: the first of `fields` that the homes have."""

    fields: tuple[str, ...]
    residual: Literal["difference", "ratio"]


class ModeRecipe(_Data, frozen=True, kw_only=True):
    """A mode; of each list of alternatives the first that the homes can fill is taken."""

    name: str
    label_en: str
    label_de: str
    conditions: tuple[tuple[Condition, ...], ...] = ((),)
    running: tuple[tuple[Condition, ...], ...] = ((),)
    rates: tuple[RateLimit, ...] = ()
    """Those on fields the homes have."""
    conditioners: tuple[tuple[str, ...], ...] = ()
    targets: tuple[TargetRecipe, ...] = ()
    """None, and not `every_field`: the mode is recognised and not scored."""
    every_field: bool = False
    """All fields that vary are targets."""
    settle: float = 0.0
    mean: float = 0.0
    """Steady operation in the running mean."""
    mean_min: float = 0.0
    """Less in it is not scored; 0: a third of `mean`."""
    mean_age_max: float = 0.0
    smoothing: float = 0.0
    debounce: float = 0.0


class Profile(_Data, frozen=True, kw_only=True):
    """How a kind of machine is looked at. All durations are in `clock`."""

    name: str
    clock: Literal["seconds", "intervals"]
    """`intervals`: in units of the usual distance of readings."""
    requires: tuple[tuple[str, ...], ...] = ()
    """Of each tuple, the homes must have one field."""
    modes: tuple[ModeRecipe, ...]
    stride: float
    gap_max: float
    offset_span: float
    """How long a home takes to learn its offset, by the calendar,"""
    offset_min: float
    """and in steady operation."""
    offset_block: float
    """Observations, and for how many of them the errors of one stand."""
    offset_doubt: float = 0.0
    squash: float
    home_channel: bool


class Catalogue(_Data, frozen=True, kw_only=True):
    """Sensors, quantities computed from them, and profiles in order of preference."""

    sensors: tuple[Sensor, ...]
    derived: tuple[Derived, ...] = ()
    profiles: tuple[Profile, ...]
    cycle: CycleRecipe | None = None
    rules: tuple[RuleRecipe, ...] = ()
    wear: WearRecipe | None = None


class MalformedCatalogue(Exception):  # noqa: N818 - a verdict about a file
    """The file is no catalogue."""


def load_catalogue(path: Path | None = None) -> Catalogue:
    """Read the catalogue of the package, or the operator's own.

    Raises:
        MalformedCatalogue: no TOML, or not of this form.
        OSError: the file cannot be read.
    """
    own = resources.files("heatpool_trainer").joinpath("catalogue.toml")
    raw = own.read_bytes() if path is None else path.read_bytes()
    try:
        return msgspec.toml.decode(raw, type=Catalogue)
    except msgspec.DecodeError as error:
        raise MalformedCatalogue(str(error)) from error
