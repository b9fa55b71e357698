"""PURE: the conservation ledger, of this process and against the store's own count.

In: what happened to messages; the store's counters. Out: differences, which must be nought.
Guarantee: every delivery is counted once in and once out, by different code; what the store
swallowed behind a 204 shows, because it is counted there and here.
"""

from __future__ import annotations

from collections import Counter, deque
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import msgspec

from heatpool_chassis.victoria import METRIC_AGE

if TYPE_CHECKING:
    from collections.abc import Mapping

COUNTERS_STALE_S: Final = 2.0
"""VictoriaMetrics renders its metrics once a second at most: right after a post the counters may
still be those before it (measured on 1.79.5)."""


class Fate(StrEnum):
    """What happened to a delivery."""

    RECEIVED = "received"
    REDELIVERED = "redelivered"
    ACKNOWLEDGED = "acknowledged"
    DEAD = "dead"
    ERASED = "erased"
    RETURNED = "returned"


_IN: Final = frozenset({Fate.RECEIVED, Fate.REDELIVERED})


class Books:
    """received + redelivered = acknowledged + dead + erased + returned + in hand."""

    def __init__(self) -> None:
        self.messages: Counter[Fate] = Counter()
        self.samples: Counter[Fate] = Counter()

    def count(self, fate: Fate, messages: int, samples: int) -> None:
        """Enter messages and their samples (none for what could not be decoded)."""
        self.messages[fate] += messages
        self.samples[fate] += samples

    def difference(self, messages_in_hand: int, samples_in_hand: int) -> tuple[int, int]:
        """Messages and samples that the books cannot account for; (0, 0) or there is a defect."""
        return (
            _balance(self.messages) - messages_in_hand,
            _balance(self.samples) - samples_in_hand,
        )


def _balance(counted: Counter[Fate]) -> int:
    return sum(count if fate in _IN else -count for fate, count in counted.items())


class Counters(msgspec.Struct, frozen=True):
    """What the store says of itself."""

    life: str
    """Changes when the store starts anew."""
    inserted: int
    """Rows that imports brought, also those it then ignored."""
    invalid: int
    """Lines it could not read; it answers 204 all the same."""
    ignored: int
    """Rows outside of its retention or in the future."""
    age_s: float = float("inf")
    """Of this life, in whole seconds of the store's clock."""


def counters(metrics: Mapping[str, float]) -> Counters:
    """The store's metrics -> what the ledger needs of them."""

    def total(prefix: str, label: str = "") -> int:
        return int(
            sum(
                value
                for name, value in metrics.items()
                if name.startswith(prefix) and label in name
            )
        )

    started = (
        metrics.get("vm_app_start_timestamp"),
        metrics.get("process_start_time_seconds"),
    )
    return Counters(
        life="/".join(map(str, started)),
        inserted=total("vm_rows_inserted_total", 'type="vmimport"'),
        invalid=total("vm_rows_invalid_total", 'type="vmimport"'),
        ignored=total("vm_rows_ignored_total"),
        age_s=metrics.get(METRIC_AGE, float("inf")),
    )


class Difference(msgspec.Struct, frozen=True):
    """Between what was sent and what the store counted, since the writer knows the store."""

    missing: int = 0
    """Rows that were answered with 204 and never counted."""
    surplus: int = 0
    """Rows that somebody else imported, or a post that failed after it had arrived."""
    invalid: int = 0
    ignored: int = 0

    @property
    def alarm(self) -> bool:
        """Whether samples may have been lost behind a success."""
        return bool(self.missing or self.invalid or self.ignored)


class StoreBooks:
    """Rows sent to one life of the store against the rows that it counted."""

    def __init__(self) -> None:
        self._base: Counters | None = None
        self._sent = 0
        self._recent: deque[tuple[float, int]] = deque()
        self._before = self._last = Difference()

    def sent(self, life: str, rows: int, now_s: float) -> None:
        """A post that began in this life of the store was answered with success.

        If the store has been restarted meanwhile, nobody knows which life counted the rows.
        """
        if self._base is None or self._base.life != life:
            return
        self._sent += rows
        self._recent.append((now_s, rows))

    def compare(self, now: Counters, now_s: float) -> Difference:
        """All differences so far. A new life of the store keeps those of its predecessors."""
        if self._base is None or now.life != self._base.life:
            self._before = self._last
            self._base = now
            self._sent = 0
            self._recent.clear()
        while self._recent and now_s - self._recent[0][0] >= COUNTERS_STALE_S:
            self._recent.popleft()
        fresh = sum(rows for _at_s, rows in self._recent)
        counted = now.inserted - self._base.inserted
        before = self._before
        self._last = Difference(
            missing=before.missing + max(0, self._sent - fresh - counted),
            surplus=before.surplus + max(0, counted - self._sent),
            invalid=before.invalid + now.invalid - self._base.invalid,
            ignored=before.ignored + now.ignored - self._base.ignored,
        )
        return self._last
