"""PURE: which homes a training takes.

In: homes that have data, what the registry says of them, the time. Out: those admitted, those in
quarantine, those erased. Guarantee: every home is in exactly one of the three; the age of a home is
counted by the pool's clock from its first contribution, because timestamps are what the home says:
who has invented a home today can give it a year of history, but not an age.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from heatpool_contract.registry import Installation

DAY_MS: Final = 86_400_000


class Admitted(msgspec.Struct, frozen=True):
    """Homes by what becomes of them, each in order."""

    homes: tuple[str, ...]
    quarantined: tuple[str, ...]
    erased: tuple[str, ...]


def admit(
    homes: Sequence[str],
    entries: Mapping[str, Installation],
    now_ms: int,
    quarantine_days: float,
    erasing: Collection[str] = (),
) -> Admitted:
    """Sort the homes; `erasing` are those whose erasure is under way.

    A home without an entry, or whose first contribution is not known, is as young as can be.
    """
    erased = tuple(
        home for home in homes if home in erasing or (home in entries and entries[home].erased)
    )
    born_ms = {
        home: entries[home].contributed_ms if home in entries else 0
        for home in homes
        if home not in set(erased)
    }
    young = tuple(
        home
        for home, since_ms in born_ms.items()
        if quarantine_days > 0 and (not since_ms or now_ms - since_ms < quarantine_days * DAY_MS)
    )
    return Admitted(tuple(home for home in born_ms if home not in set(young)), young, erased)
