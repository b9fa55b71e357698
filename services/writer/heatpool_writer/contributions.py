"""What became durable -> KV INSTALLATIONS, by compare-and-set.

In: contributions of messages that are about to be acknowledged. Out: entries of the registry.
Guarantee: one write an installation and batch, never over somebody else's change (the hub adds
keys); a repeat after a crash changes nothing (`registry.fold`).
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, defaultdict
from typing import TYPE_CHECKING, Final

import nats.errors
import nats.js.errors

from heatpool_chassis.bus import BusUnavailableError
from heatpool_contract import registry
from heatpool_contract.identity import CANARY_SLUG

if TYPE_CHECKING:
    from nats.js.kv import KeyValue

    from heatpool_chassis.metrics import WriterMetrics
    from heatpool_contract.registry import Contribution, Installation
    from heatpool_writer.ledger import Held

ENTRIES_CACHED_MAX: Final = 20_000  # half a kilobyte each
CONCURRENT_MAX: Final = 32
ATTEMPTS_MAX: Final = 8  # a conflict means that somebody else made progress


class Contributions:
    """The writer's hand on the registry."""

    def __init__(self, bucket: KeyValue, metrics: WriterMetrics) -> None:
        self.floor = 0
        """Sequences up to here are acknowledged for good; the janitor knows."""
        self._bucket = bucket
        self._metrics = metrics
        self._known: OrderedDict[str, tuple[Installation | None, int]] = OrderedDict()
        self._slots = asyncio.Semaphore(CONCURRENT_MAX)

    async def erased(self, installations: set[str]) -> set[str]:
        """Those of `installations` that have asked for erasure.

        Raises:
            BusUnavailableError: an entry could not be read.
        """
        gone: set[str] = set()
        try:
            async with asyncio.TaskGroup() as group:
                for installation in installations:
                    if (known := self._known.get(installation)) is None:
                        group.create_task(self._note_erased(installation, gone))
                    elif known[0] is not None and known[0].erased:
                        gone.add(installation)
        except* (nats.errors.Error, TimeoutError) as errors:
            kind = type(errors.exceptions[0]).__name__
            raise BusUnavailableError(f"registry not read: {kind}") from errors
        return gone

    def forget(self, installation: str) -> None:
        """Read the entry anew next time: somebody has changed it."""
        self._known.pop(installation, None)

    async def record(self, taken: list[Held]) -> None:
        """Fold contributions into the registry.

        Raises:
            BusUnavailableError: an entry could not be written; record all again.
        """
        added: dict[str, list[Contribution]] = defaultdict(list)
        for one in taken:
            if one.contribution.model != CANARY_SLUG:
                added[one.installation].append(one.contribution)
        try:
            async with asyncio.TaskGroup() as group:
                for installation, contributions in added.items():
                    group.create_task(self._record(installation, contributions))
        except* (nats.errors.Error, TimeoutError, BusUnavailableError) as errors:
            kind = type(errors.exceptions[0]).__name__
            raise BusUnavailableError(f"registry not written: {kind}") from errors

    async def _record(self, installation: str, contributions: list[Contribution]) -> None:
        async with self._slots:
            for _attempt in range(ATTEMPTS_MAX):
                entry, revision = await self._entry(installation)
                folded = entry
                for contribution in contributions:
                    folded = registry.fold(folded, contribution, self.floor)
                if folded is None or folded == entry:
                    self._metrics.registry_updates.labels("unchanged").inc()
                    return
                try:
                    revision = await self._bucket.update(
                        installation, registry.encode(folded), last=revision
                    )
                except nats.js.errors.KeyWrongLastSequenceError:
                    self._metrics.registry_updates.labels("conflict").inc()
                    self._known.pop(installation, None)
                    continue
                self._metrics.registry_updates.labels("written").inc()
                self._remember(installation, folded, revision)
                return
        raise BusUnavailableError("registry entry is contended")

    async def _note_erased(self, installation: str, gone: set[str]) -> None:
        async with self._slots:
            entry, revision = await self._entry(installation)
        self._remember(installation, entry, revision)
        if entry is not None and entry.erased:
            gone.add(installation)

    async def _entry(self, installation: str) -> tuple[Installation | None, int]:
        known = self._known.get(installation)
        if known is not None:
            return known
        try:
            return await read_entry(self._bucket, installation)
        except registry.MalformedEntryError:
            self._metrics.registry_updates.labels("malformed").inc()
            return None, await _revision(self._bucket, installation)

    def _remember(self, installation: str, entry: Installation | None, revision: int) -> None:
        self._known[installation] = (entry, revision)
        self._known.move_to_end(installation)
        if len(self._known) > ENTRIES_CACHED_MAX:
            self._known.popitem(last=False)


async def read_entry(bucket: KeyValue, installation: str) -> tuple[Installation | None, int]:
    """An entry and its revision, for a compare-and-set; (None, revision or 0) if there is none.

    Raises:
        registry.MalformedEntryError: the value is no entry.
    """
    try:
        found = await bucket.get(installation)
    except nats.js.errors.KeyDeletedError as error:
        return None, error.entry.revision or 0
    except nats.js.errors.KeyNotFoundError:
        return None, 0
    return registry.decode(found.value or b""), found.revision or 0


async def _revision(bucket: KeyValue, installation: str) -> int:
    return (await bucket.get(installation)).revision or 0
