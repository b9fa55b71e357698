"""What the pool knows of one installation: the value in KV `INSTALLATIONS`, key = pseudonym.

In: what the writer made durable, what the hub registered. Out: one entry of at most a few hundred
bytes. Guarantee: folding the same contribution twice changes nothing, so that a redelivery after a
crash does not count; times only ever widen.
"""

from __future__ import annotations

from typing import Final

import msgspec

WINDOW_DAYS: Final = 30
_MASK_DAYS: Final = 64  # more than the window, so that a backfill behind the newest day is kept
_REMEMBERED: Final = 64
"""Stream sequences an entry remembers: what one home has unacknowledged at most (one backfill of
a year is about 60 chunks)."""
DAY_MS: Final = 86_400_000


class Installation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One installation. `model` is the slug of what it last sent; all zero before it sent."""

    model: str = ""
    version: str = ""
    first_ms: int = 0
    """Oldest record."""
    last_ms: int = 0
    """Newest record."""
    day_last: int = 0
    """Day number (UTC, days since 1970) of the newest record."""
    days_mask: int = 0
    """Bit i: there are records of day `day_last - i`."""
    samples: int = 0
    applied: tuple[int, ...] = ()
    """Stream sequences folded last, so that a redelivery is recognised."""
    ed25519: bytes | None = None
    x25519: bytes | None = None
    registered_ms: int | None = None
    contributed_ms: int = 0
    """When the pool received its first record, by the pool's clock: `first_ms` is what the home
    says, and a home may say anything."""
    erased: bool = False


class Contribution(msgspec.Struct, frozen=True):
    """What one message of the stream added."""

    seq: int
    model: str
    version: str
    first_ms: int
    last_ms: int
    days: frozenset[int]
    samples: int
    received_ms: int = 0
    """When the stream took the message."""


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Installation)


class MalformedEntryError(Exception):
    """A value in the registry that is no `Installation`."""


def encode(entry: Installation) -> bytes:
    """An entry to the value in the bucket."""
    return _encoder.encode(entry)


def decode(value: bytes) -> Installation:
    """The value in the bucket to an entry.

    Raises:
        MalformedEntryError: it is none.
    """
    try:
        return _decoder.decode(value)
    except msgspec.DecodeError as error:
        raise MalformedEntryError(str(error)) from error


def fold(entry: Installation | None, added: Contribution, floor: int = 0) -> Installation:
    """The entry after one more contribution; unchanged if it was folded before or is erased.

    Sequences up to `floor` are acknowledged for good, so they need not be remembered.
    """
    entry = entry or Installation()
    if entry.erased or added.seq in entry.applied:
        return entry
    empty = entry.samples == 0
    newer = empty or added.last_ms >= entry.last_ms
    day_last = max(entry.day_last, *added.days)
    known = 0 if empty else entry.days_mask << (day_last - entry.day_last)
    return msgspec.structs.replace(
        entry,
        model=added.model if newer else entry.model,
        version=added.version if newer else entry.version,
        first_ms=added.first_ms if empty else min(entry.first_ms, added.first_ms),
        last_ms=max(entry.last_ms, added.last_ms),
        day_last=day_last,
        days_mask=(known | _mask(day_last, added.days)) & ((1 << _MASK_DAYS) - 1),
        samples=entry.samples + added.samples,
        contributed_ms=entry.contributed_ms or added.received_ms,
        applied=(*(seq for seq in entry.applied if seq > floor), added.seq)[-_REMEMBERED:],
    )


def contributed_days(entry: Installation, now_ms: int) -> int:
    """Distinct days with records among the last 30 (today included)."""
    behind = now_ms // DAY_MS - entry.day_last
    if behind >= WINDOW_DAYS:
        return 0
    if behind < 0:  # records up to five minutes ahead of our clock, around midnight
        return ((entry.days_mask >> -behind) & ((1 << WINDOW_DAYS) - 1)).bit_count()
    return (entry.days_mask & ((1 << (WINDOW_DAYS - behind)) - 1)).bit_count()


def _mask(day_last: int, days: frozenset[int]) -> int:
    mask = 0
    for day in days:
        if day_last - day < _MASK_DAYS:
            mask |= 1 << (day_last - day)
    return mask
