"""How the pool has grown and which models have how many homes: KV `COMMUNITY`, key `census`.

In: the registry's sums, once a day (hub's rollup). Out: counts, never a home (docs/decisions/0810).
"""

from __future__ import annotations

from typing import Final

import msgspec

CENSUS_KEY: Final = "census"  # snapshots have dots in their keys
DAYS_MAX: Final = 400
"""A year and the month before, 45 bytes each: the whole entry is far below NATS's 1 MiB."""


class CensusDay(msgspec.Struct, frozen=True, kw_only=True):
    """The pool at the end of one day."""

    day: int
    """UTC, days since 1970."""
    homes: int
    points: int
    """Values, rounded down to two digits."""


class CensusModel(msgspec.Struct, frozen=True, kw_only=True):
    """One model that is shown by name, or was."""

    model: str
    homes: int
    """As counted when it was published last; what is shown is rounded down."""
    is_shown: bool


class Census(msgspec.Struct, frozen=True, kw_only=True):
    """What is published until the next day."""

    days: tuple[CensusDay, ...]
    """Oldest first."""
    models: tuple[CensusModel, ...]
    others: int
    """Homes of models that are not shown, as counted when it was published last."""


class MalformedCensusError(Exception):
    """A value in the bucket that is none."""


def encode(census: Census) -> bytes:
    """To the value in the bucket."""
    return msgspec.json.encode(census)


def decode(value: bytes) -> Census:
    """The value in the bucket.

    Raises:
        MalformedCensusError: it is none.
    """
    try:
        return msgspec.json.decode(value, type=Census)
    except msgspec.DecodeError as error:
        raise MalformedCensusError(str(error)) from error
