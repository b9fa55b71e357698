"""Rows of the history, as values."""

from __future__ import annotations

import msgspec

from heatpool_client.besides import FindingKind
from heatpool_contract.explanation import Circumstance, Contribution


class Why(msgspec.Struct, frozen=True):
    """What made a score high."""

    contributions: tuple[Contribution, ...]
    circumstances: tuple[Circumstance, ...]


class ScoreRow(msgspec.Struct, frozen=True, array_like=True):
    """One score, as it is kept."""

    timestamp_s: int
    mode: str
    channel: str
    smoothed: float
    threshold: float
    is_over: bool
    is_alarm: bool
    why: bytes | None = None
    """JSON of `Why`; None while not over."""


class FindingRow(msgspec.Struct, frozen=True, array_like=True):
    """What days, rules or wear found, once in `FINDING_S` as long as it holds."""

    timestamp_s: int
    kind: FindingKind
    name: str
    is_alarm: bool
    text: str
    text_de: str


class Bin(msgspec.Struct, frozen=True, array_like=True):
    """A quantity in one bin of another."""

    middle: float
    count: int
    mean: float
    expected: float | None
    """Mean of what the reference says; None: nothing steady in this bin."""


def why_of(row: ScoreRow) -> Why | None:
    """What made this score high; None if it was not, or an older program wrote it."""
    try:
        return None if row.why is None else msgspec.json.decode(row.why, type=Why)
    except ValueError:
        return None
