"""Beside the loop: homes that have been silent for a year leave the registry.

In: KV INSTALLATIONS. Out: deletions by compare-and-set. Guarantee: a home that sends again in the
same moment stays; tombstones of erased homes stay, for they keep late data out. The store forgets
by its own retention.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import nats.errors
import nats.js.errors

from heatpool_chassis import buckets, bus, reading
from heatpool_contract import registry, subjects

if TYPE_CHECKING:
    from nats.aio.client import Client
    from structlog.stdlib import BoundLogger

    from heatpool_chassis.lifecycle import Lifecycle
    from heatpool_chassis.metrics import WriterMetrics
    from heatpool_contract.registry import Installation

SILENCE_MS_MAX: Final = 365 * registry.DAY_MS
FIRST_S: Final = 600.0  # not while everything starts
ROUND_S: Final = 86_400.0
_STREAM: Final = f"KV_{subjects.KV_INSTALLATIONS}"
_PREFIX: Final = f"$KV.{subjects.KV_INSTALLATIONS}."


def expired(entry: Installation, now_ms: int) -> bool:
    """PURE: whether nothing was heard of a home for a year, neither records nor keys."""
    heard_ms = max(entry.last_ms, entry.registered_ms or 0)
    return not entry.erased and now_ms - heard_ms > SILENCE_MS_MAX


class Expiry:
    """Looks once a day."""

    def __init__(
        self, life: Lifecycle, metrics: WriterMetrics, client: Client, log: BoundLogger
    ) -> None:
        self._life = life
        self._metrics = metrics
        self._client = client
        self._js = client.jetstream(timeout=bus.CONTROL_TIMEOUT_S)
        self._log = log

    async def run(self) -> None:
        """Until the process stops."""
        pause_s = FIRST_S
        while not await self._life.stopped_within(pause_s):
            try:
                await self.look(round(time.time() * 1000))
                pause_s = ROUND_S
            except (nats.errors.Error, TimeoutError, bus.BusError) as error:
                self._log.warning("expiry_failed", reason=type(error).__name__)
                pause_s = FIRST_S

    async def look(self, now_ms: int) -> int:
        """One round; how many left."""
        bucket = buckets.bound(self._js, subjects.KV_INSTALLATIONS)
        gone = 0
        async for message in reading.messages(self._client, _STREAM, f"{_PREFIX}>"):
            if not message.data:  # a deletion's marker
                continue
            try:
                entry = registry.decode(message.data)
            except registry.MalformedEntryError:
                self._metrics.registry_updates.labels("malformed").inc()
                continue
            if expired(entry, now_ms):
                key = message.subject.removeprefix(_PREFIX)
                try:
                    await bucket.delete(key, last=message.seq)
                except nats.js.errors.BadRequestError:
                    continue  # it has just been heard of
                gone += 1
        self._metrics.registry_updates.labels("expired").inc(gone)
        if gone:
            self._log.info("expired", installations=gone)
        return gone
