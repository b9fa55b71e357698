"""PURE: how far the loggers' clocks are off, in bounded memory.

In: an installation's `sent_at` and the edge's clock. Out: skew in seconds, and how many homes are
in which band. Guarantee: at most `HOMES_MAX` homes are remembered, the most recent ones; no
record is changed for it.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from typing import Final

HOMES_MAX: Final = 50_000
SKEW_S_MAX: Final = 1e9  # what claims more is no clock
BANDS: Final = ((5.0, "within_5s"), (60.0, "within_1m"), (300.0, "within_5m"))
BAND_BEYOND: Final = "beyond"


def skew_s(sent_at: float | None, now_s: float) -> float | None:
    """Seconds by which the logger's clock is ahead; None if it does not say or makes no sense.

    The way of the request counts as skew: seconds, where the clocks that matter are off by hours.
    """
    if sent_at is None or not abs(sent_at - now_s) <= SKEW_S_MAX:
        return None
    return sent_at - now_s


def band(skew: float) -> str:
    """Name of the band of a skew."""
    for limit_s, name in BANDS:
        if abs(skew) <= limit_s:
            return name
    return BAND_BEYOND


class Clocks:
    """The last known band of each home."""

    def __init__(self) -> None:
        self._bands: OrderedDict[str, str] = OrderedDict()
        self._homes: Counter[str] = Counter()

    def in_band(self, name: str) -> int:
        """How many homes last showed a skew of that band."""
        return self._homes[name]

    def observe(self, installation: str, skew: float) -> None:
        """Remember the newest skew of a home."""
        self._forget(self._bands.pop(installation, None))
        self._bands[installation] = band(skew)
        self._homes[self._bands[installation]] += 1
        if len(self._bands) > HOMES_MAX:
            self._forget(self._bands.popitem(last=False)[1])

    def _forget(self, name: str | None) -> None:
        if name is not None:
            self._homes[name] -= 1
