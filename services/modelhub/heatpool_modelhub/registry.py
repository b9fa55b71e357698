"""KV `INSTALLATIONS` -> what the hub knows of each installation, in memory.

In: entries and their changes (`following`). Out: an installation by its pseudonym, the pool of a
model or of all. Guarantee: an answer costs one look-up, however much is stored; sums are kept with
every change and equal a count over all entries; what cannot be read or held is counted.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Final

import msgspec

from heatpool_contract import registry as contract
from heatpool_contract.dsse import KEY_BYTES
from heatpool_contract.identity import model_slug
from heatpool_contract.subjects import KV_INSTALLATIONS
from heatpool_modelhub.eligibility import EMPTY_POOL, Pool

if TYPE_CHECKING:
    from heatpool_chassis.metrics import ModelhubMetrics
    from heatpool_contract.identity import Pseudonym
    from heatpool_contract.registry import Installation

_PSEUDONYM: Final = re.compile("[0-9a-f]{32}")


class Registry:
    """A view of the bucket, see `following.View`."""

    def __init__(self, entries_max: int, metrics: ModelhubMetrics) -> None:
        self.is_loaded = False
        """Whether it has been complete once. Before, nobody may be called unknown."""
        self.newest_ms = 0
        """Time of the newest reading of all; shown in coarse steps only."""
        self._entries_max = entries_max
        self._metrics = metrics
        self._entries: dict[str, Installation] = {}
        self._pools: dict[str, Pool] = {}
        self._all = EMPTY_POOL
        self._unseen: set[str] = set()

    def find(self, installation: Pseudonym) -> Installation | None:
        """The entry of an installation; its `applied` is left out, to save memory."""
        return self._entries.get(installation)

    def pool(self, model: str | None) -> Pool:
        """What there is of a model (slug); None: of all."""
        return self._all if model is None else self._pools.get(model, EMPTY_POOL)

    def pools(self) -> dict[str, Pool]:
        """What there is of each model."""
        return dict(self._pools)

    def __len__(self) -> int:
        return len(self._entries)

    def begin(self) -> None:
        """See `following.View`."""
        self._unseen = set(self._entries)

    def apply(self, key: str, value: bytes | None) -> None:
        """See `following.View`. A value that cannot be read leaves the entry as it was."""
        self._unseen.discard(key)
        if value is None:
            self._put(key, None)
            return
        try:
            entry = _read(key, value)
        except contract.MalformedEntryError:
            self._metrics.malformed.labels(KV_INSTALLATIONS).inc()
            return
        if key not in self._entries and len(self._entries) >= self._entries_max:
            self._metrics.overflow.labels(KV_INSTALLATIONS).inc()
            return
        self._put(key, entry)

    def complete(self) -> None:
        """See `following.View`."""
        for key in self._unseen:
            self._put(key, None)
        self._unseen = set()
        self.is_loaded = True

    def _put(self, key: str, entry: Installation | None) -> None:
        old = self._entries.get(key)
        if entry is None:
            self._entries.pop(key, None)
        else:
            self._entries[key] = entry
            self.newest_ms = max(self.newest_ms, entry.last_ms)
        self._account(old, -1)
        self._account(entry, +1)
        self._metrics.installations.set(len(self._entries))

    def _account(self, entry: Installation | None, sign: int) -> None:
        if entry is None or entry.erased or entry.samples == 0:
            return
        self._all = _plus(self._all, entry, sign)
        pool = _plus(self._pools.get(entry.model, EMPTY_POOL), entry, sign)
        if pool == EMPTY_POOL:
            del self._pools[entry.model]
        else:
            self._pools[entry.model] = pool


def _plus(pool: Pool, entry: Installation, sign: int) -> Pool:
    return Pool(pool.installations + sign, pool.samples + sign * entry.samples)


def _read(key: str, value: bytes) -> Installation:
    if not _PSEUDONYM.fullmatch(key):
        raise contract.MalformedEntryError("the key is no pseudonym")
    entry = contract.decode(value)
    if (
        (entry.model and model_slug(entry.model) != entry.model)
        or (entry.samples and not entry.model)
        or min(entry.samples, entry.days_mask, entry.day_last) < 0
        or any(key is not None and len(key) != KEY_BYTES for key in (entry.ed25519, entry.x25519))
    ):
        raise contract.MalformedEntryError("values that no service writes")
    return msgspec.structs.replace(
        entry, applied=(), model=sys.intern(entry.model), version=sys.intern(entry.version)
    )
