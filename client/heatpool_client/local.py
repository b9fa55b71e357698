"""A detector of one's own, for homes that do not share: learns here, knows nobody else.

In: readings. Out: a score from 0 (as always) to 1, and whether it is unusual here. Guarantee:
nothing is sent or stored; it learns while it scores, so that a slow fault becomes usual to it. That
is the difference to the pool's detector, and it is said wherever it is shown.

Half-Space Trees (Tan, Ting, Liu: Fast Anomaly Detection for Streaming Data, IJCAI 2011) as in river
(https://riverml.xyz), which comes with `heatpool-client[local]`. State is not kept over restarts:
river offers pickle alone, and nothing that runs code on load is read here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from heatpool_client.explaining import numeric
from heatpool_client.faults import ClientError, Fault

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WINDOW: Final = 250  # readings until the first score, as in the paper
QUANTILE: Final = 0.995
_TREES: Final = 25
_HEIGHT: Final = 8
_SEED: Final = 7
_LIMITS: Final = (-1.0, 2.0)  # what was seen fills the middle third: outside there is room to err


class _Trees(Protocol):
    """What is used of river, which ships no complete types."""

    def learn_one(self, x: dict[str, float]) -> None: ...

    def score_one(self, x: dict[str, float]) -> float: ...


class _Quantile(Protocol):
    """As above."""

    def update(self, x: float) -> None: ...

    def get(self) -> float | None: ...


class LocalScore(msgspec.Struct, frozen=True):
    """What the own detector says."""

    score: float
    threshold: float | None
    """The 99.5 % quantile of all scores so far; None while it learns."""
    unusual: bool


class LocalDetector:
    """Learns from and scores the readings of one home."""

    def __init__(self, fields: Sequence[str]) -> None:
        """Start from nothing.

        Args:
            fields: the quantities to watch; readings without one of them are passed over.

        Raises:
            ClientError: `extra_missing`.
        """
        try:
            from river import anomaly, stats  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise ClientError(Fault.EXTRA_MISSING, "local") from error
        self._fields = tuple(fields)
        self._lows: dict[str, float] = {}
        self._highs: dict[str, float] = {}
        self._trees: _Trees = anomaly.HalfSpaceTrees(
            n_trees=_TREES,
            height=_HEIGHT,
            window_size=WINDOW,
            limits=dict.fromkeys(self._fields, _LIMITS),
            seed=_SEED,
        )
        self._quantile: _Quantile = stats.Quantile(QUANTILE)
        self._seen = 0

    def score(self, reading: Mapping[str, object]) -> LocalScore | None:
        """Score a reading and learn from it; None if a field is missing."""
        values = numeric(reading)
        if any(name not in values for name in self._fields):
            return None
        row = {name: values[name] for name in self._fields}
        scaled = {name: self._scaled(name, value) for name, value in row.items()}
        found = float(self._trees.score_one(scaled))
        self._trees.learn_one(scaled)
        self._seen += 1
        if self._seen <= 2 * WINDOW:  # the first window has no trees, the second one no quantile
            if self._seen > WINDOW:
                self._quantile.update(found)
            return LocalScore(found, None, unusual=False)
        limit = self._quantile.get() or 0.0
        self._quantile.update(found)
        return LocalScore(found, limit, unusual=found > limit)

    def _scaled(self, name: str, value: float) -> float:
        """0 to 1 within what was seen in the first window, which alone sets the range."""
        low, high = self._lows.get(name, value), self._highs.get(name, value)
        if self._seen < WINDOW:
            low, high = min(low, value), max(high, value)
            self._lows[name], self._highs[name] = low, high
        return (value - low) / (high - low) if high > low else 0.5 + (value - low)
