"""What waits in the spool, as values."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from heatpool_client.submission import Sender

Order = Literal["oldest", "newest"]

DROPPED_SIZE: Final = "dropped_size"
DROPPED_AGE: Final = "dropped_age"
DAMAGED: Final = "spool_damaged"
SALVAGED: Final = "spool_salvaged"
WITHDRAWN: Final = "withdrawn"


class Bounds(msgspec.Struct, frozen=True):
    """How much may wait, and for how long."""

    bytes_max: int = 64 * 1024 * 1024
    """Of records with their overhead."""
    age_s_max: float = 90 * 86_400.0


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """Why the pool did not take a batch."""

    status: int
    code: str
    detail: str
    detail_de: str
    at_s: int


class Batch(msgspec.Struct, frozen=True):
    """Records that belong together for good."""

    number: int
    sender: Sender
    records: tuple[bytes, ...]
    """JSON of each, in the order of time."""
    attempts: int = 0
    """Made before this one."""


class SetAside(msgspec.Struct, frozen=True):
    """A batch that the pool refused."""

    number: int
    records: int
    reason: Reason


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """What is in the spool."""

    records: int
    """Set aside ones included."""
    bytes: int
    oldest_s: float | None
    newest_s: float | None
    set_aside: list[SetAside]
    counts: dict[str, int]
    """Everything ever counted: left out, dropped, rejected, refused, sent."""
