"""PURE: token buckets, one a key, in bounded memory.

In: who, how much, when. Out: how long to wait, 0 for go ahead. Guarantee: at most `entries_max`
buckets; the least recently used one is forgotten first, which makes it full again, never emptier.
A bucket may be overdrawn by one request, so that no request is too large to be taken ever.
"""

from __future__ import annotations

from collections import OrderedDict

import msgspec


class Rate(msgspec.Struct, frozen=True):
    """Size and refill of a bucket."""

    burst: float
    per_s: float


class Buckets:
    """Buckets of the same rate."""

    def __init__(self, rate: Rate, entries_max: int) -> None:
        self._rate = rate
        self._entries_max = entries_max
        self._known: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def take(self, key: str, cost: float, now_s: float) -> float:
        """Charge `cost`; 0, or the seconds until `key` may come again (nothing charged then)."""
        level = self._level(key, now_s)
        if level <= 0:
            return max(-level / self._rate.per_s, 1.0)
        self._remember(key, level - cost, now_s)
        return 0.0

    def give_back(self, key: str, cost: float, now_s: float) -> None:
        """Undo a charge: what it was for did not happen."""
        self._remember(key, min(self._rate.burst, self._level(key, now_s) + cost), now_s)

    def _level(self, key: str, now_s: float) -> float:
        level, since_s = self._known.get(key, (self._rate.burst, now_s))
        return min(self._rate.burst, level + max(0.0, now_s - since_s) * self._rate.per_s)

    def _remember(self, key: str, level: float, now_s: float) -> None:
        self._known[key] = (level, now_s)
        self._known.move_to_end(key)
        if len(self._known) > self._entries_max:
            self._known.popitem(last=False)
