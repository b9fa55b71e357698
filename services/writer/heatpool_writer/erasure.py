"""Beside the loop: the erasures that were asked for, one numbered step at a time.

In: KV ERASURES, which the hub and `heatpoolctl erase` write. Out: nothing of the home in stream,
dead letters, store and registry but its tombstone. Guarantee: `contract.erasures`; several writers
may work on the same erasure, compare-and-set lets one of them record each step.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import msgspec
import nats.errors
import nats.js.errors

from heatpool_chassis import buckets, bus, reading
from heatpool_chassis.victoria import StoreError
from heatpool_contract import erasures, registry, subjects
from heatpool_contract.erasures import Erasure, Found, Step
from heatpool_writer.contributions import read_entry

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.js.kv import KeyValue
    from structlog.stdlib import BoundLogger

    from heatpool_chassis.lifecycle import Lifecycle
    from heatpool_chassis.metrics import WriterMetrics
    from heatpool_chassis.victoria import Victoria
    from heatpool_contract.erasures import Waits
    from heatpool_writer.contributions import Contributions

ROUND_S: Final = 5.0
FUTURE_MS: Final = 2 * 86_400_000  # what the store takes ahead of its clock
MONTHS_S_MAX: Final = 400 * 86_400


class Eraser:
    """Looks every few seconds what can be done."""

    def __init__(  # noqa: PLR0913, PLR0917 - its ports, wired once
        self,
        life: Lifecycle,
        metrics: WriterMetrics,
        client: Client,
        store: Victoria,
        contributions: Contributions,
        log: BoundLogger,
        waits: Waits,
    ) -> None:
        self._life = life
        self._metrics = metrics
        self._client = client
        self._js = client.jetstream(timeout=bus.CONTROL_TIMEOUT_S)
        self._store = store
        self._contributions = contributions
        self._log = log
        self._waits = waits
        self._done: set[str] = set()

    async def run(self) -> None:
        """Until the process stops."""
        while not await self._life.stopped_within(ROUND_S):
            try:
                await self.look(round(time.time() * 1000))
            except (nats.errors.Error, TimeoutError, bus.BusError, StoreError) as error:
                self._log.warning("erasure_delayed", reason=type(error).__name__)

    async def look(self, now_ms: int) -> None:
        """One round: every step that is due, as far as it goes without waiting."""
        bucket = buckets.bound(self._js, subjects.KV_ERASURES)
        for receipt in await buckets.keys(self._client, subjects.KV_ERASURES):
            if receipt not in self._done:
                await self._pursue(bucket, receipt, now_ms)

    async def _pursue(self, bucket: KeyValue, receipt: str, now_ms: int) -> None:
        while True:
            found = await bucket.get(receipt)
            try:
                erasure = erasures.decode(found.value or b"")
            except erasures.MalformedErasureError:
                self._log.error("erasure_malformed", receipt=receipt)
                self._done.add(receipt)
                return
            if erasure.step is Step.DONE:
                self._done.add(receipt)
                return
            # Another writer may have written the tombstone: what this one knows may be old.
            self._contributions.forget(erasure.installation)
            if now_ms < erasure.not_before_ms:
                return
            done = await self._do(erasure)
            after = erasures.advance(erasure, done, now_ms, self._waits)
            try:
                await bucket.update(receipt, erasures.encode(after), last=found.revision)
            except nats.js.errors.KeyWrongLastSequenceError:
                return  # another writer has recorded this step
            self._metrics.erasure_steps.labels(erasure.step.name.lower()).inc()
            self._log.info("erasure", receipt=receipt, step=erasure.step.name.lower())

    async def _do(self, erasure: Erasure) -> Found:  # noqa: C901 - one case a step
        home = erasure.installation
        match erasure.step:
            case Step.TOMBSTONE:
                return await self._bury(home)
            case Step.STREAM:
                return Found(messages=await self._delete_messages(home))
            case Step.SERIES:
                await self._store.delete_series(_selector(home))
            case Step.REGISTRY:
                await self._write(home, registry.Installation(erased=True))
            case Step.REPEAT:
                deleted = await self._delete_messages(home)
                await self._store.delete_series(_selector(home))
                return Found(messages=deleted)
            case Step.MERGE:
                for month in erasure.months:
                    await self._store.force_merge(month)
            case Step.VISIBLE:
                return Found(rows_left=await self._rows(home))
            case Step.PROOF:
                left = await self._rows(home) + len(await self._messages(home))
                return Found(rows_left=left + await self._not_reduced(home))
            case Step.LEDGER | Step.DONE:
                pass
        return Found()

    async def _bury(self, home: str) -> Found:
        """The tombstone. Keys and figures stay until every writer knows of it."""
        entry, revision = await self._entry(home)
        entry = entry or registry.Installation()
        if not entry.erased:
            marked = msgspec.structs.replace(entry, erased=True)
            await self._bucket_update(home, marked, revision)
        return Found(months=_months(entry), samples=entry.samples)

    async def _write(self, home: str, entry: registry.Installation) -> None:
        known, revision = await self._entry(home)
        if known != entry:
            await self._bucket_update(home, entry, revision)

    async def _bucket_update(self, home: str, entry: registry.Installation, last: int) -> None:
        bucket = buckets.bound(self._js, subjects.KV_INSTALLATIONS)
        await bucket.update(home, registry.encode(entry), last=last)
        self._contributions.forget(home)

    async def _entry(self, home: str) -> tuple[registry.Installation | None, int]:
        bucket = buckets.bound(self._js, subjects.KV_INSTALLATIONS)
        return await read_entry(bucket, home)

    async def _not_reduced(self, home: str) -> int:
        entry, _revision = await self._entry(home)
        return int(entry != registry.Installation(erased=True))

    async def _messages(self, home: str) -> list[tuple[str, int]]:
        """(stream, sequence) of everything that carries the home's name."""
        found = [
            (subjects.STREAM_TELEMETRY, message.seq)
            async for message in reading.messages(
                self._client, subjects.STREAM_TELEMETRY, f"telemetry.*.{home}"
            )
        ]
        async for message in reading.messages(
            self._client, subjects.STREAM_DEADLETTER, subjects.SUBJECTS_DEADLETTER
        ):
            origin = message.headers.get(subjects.HEADER_ORIGIN_SUBJECT, "")
            if origin.endswith(f".{home}") or home.encode() in message.data:
                found.append((subjects.STREAM_DEADLETTER, message.seq))
        return found

    async def _delete_messages(self, home: str) -> int:
        """One by one: unlike a purge, deleting a message overwrites its bytes on disk."""
        messages = await self._messages(home)
        for stream, seq in messages:
            try:
                await self._js.delete_msg(stream, seq)
            except nats.js.errors.APIError as error:
                if error.code != _NOT_FOUND and error.err_code != _SEQUENCE_NOT_FOUND:
                    raise
        return len(messages)

    async def _rows(self, home: str) -> int:
        """Samples that an export of all time shows."""
        await self._store.force_flush()
        rows = 0
        end_ms = round(time.time() * 1000) + FUTURE_MS
        async for series in self._store.export(_selector(home), 0, end_ms):
            rows += len(series.timestamps)
        return rows


_NOT_FOUND: Final = 404
_SEQUENCE_NOT_FOUND: Final = 10043  # JSSequenceNotFoundErrF: another writer was faster


def _selector(home: str) -> str:
    return f'{{installation="{home}"}}'


def _months(entry: registry.Installation) -> tuple[str, ...]:
    """Partitions of the store between the home's oldest and newest record."""
    if not entry.samples:
        return ()
    last_s = entry.last_ms // 1000
    first_s = max(entry.first_ms // 1000, last_s - MONTHS_S_MAX)
    days = range(first_s, last_s + 86_400, 86_400)
    stamps = (*days, last_s)
    return tuple(sorted({datetime.fromtimestamp(stamp, UTC).strftime("%Y_%m") for stamp in stamps}))
