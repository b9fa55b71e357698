"""Words that the data of a detector are written in: quantities of a reading and conditions on them.

In: nothing. Out: types. Guaranteed: plain data with limits on every text and number; unknown keys
are refused, because a signed payload has no loose ends.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, Protocol

import msgspec
from msgspec import Meta

DURATION_MS_MAX: Final = 366 * 86_400_000
READINGS_MAX: Final = 1_440  # of a running mean: the client keeps them in memory

Name = Annotated[str, Meta(min_length=1, max_length=64)]
Label = Annotated[str, Meta(max_length=120)]
Duration = Annotated[int, Meta(ge=0, le=DURATION_MS_MAX)]
Period = Annotated[int, Meta(ge=1, le=DURATION_MS_MAX)]
Count = Annotated[int, Meta(ge=0, le=2**31 - 1)]  # twice a mass still fits into u4
Readings = Annotated[int, Meta(ge=1, le=READINGS_MAX)]
Vector = Annotated[tuple[float, ...], Meta(max_length=64)]


class Numbers(Protocol):
    """A list of floats at home, an array in code that the trainer compiles."""

    def __getitem__(self, place: int, /) -> float: ...
    def __setitem__(self, place: int, value: float, /) -> None: ...
    def __len__(self) -> int: ...


class Data(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Plain data: unknown keys are refused, because a signed payload has no loose ends."""


class Source(Data, frozen=True, kw_only=True):
    """Under which name a logger sends a field: value = scale * sent + shift."""

    name: Name
    scale: float = 1.0
    shift: float = 0.0


class Condition(Data, frozen=True, kw_only=True):
    """`low <= field <= high`; None is open; a missing field fulfils nothing."""

    field: Name
    low: float | None = None
    high: float | None = None


Conditions = Annotated[tuple[Condition, ...], Meta(max_length=16)]


class Field(Data, frozen=True, kw_only=True):
    """A quantity read from the logger."""

    name: Name
    unit: Label
    low: float
    """A value below counts as missing: the sensor cannot mean it."""
    high: float
    sources: Annotated[tuple[Source, ...], Meta(min_length=1, max_length=16)]
    """The first that the reading carries is taken."""
    label_en: Label
    label_de: Label
    valid_when: Conditions = ()
    """Otherwise missing, such as a COP without power."""


class Derived(Data, frozen=True, kw_only=True):
    """A quantity computed from two earlier ones; missing when one of them is."""

    name: Name
    operation: Literal["difference", "ratio", "product"]
    left: Name
    right: Name
    right_min: float = 0.0
    """A ratio is missing where `right` is not above this."""
    unit: Label
    label_en: Label
    label_de: Label
