"""THE LOOP: fetch, decode, fold, hand over to the post, settle.

In: `telemetry.<model>.<installation>` through the durable consumer `writer`. Out: posts to
VictoriaMetrics; `settlement` acknowledges them when they are durable. Guarantee: at least once into
the store, exactly once for its readers. While the store takes one batch the next is folded, never a
third. While the store is away nothing is fetched, and what is in hand is kept alive; what can never
be written goes to the dead letters, unless there is so much of it that the fault must be ours: then
the writer stops and says so.
"""

from __future__ import annotations

import contextlib
import time
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING, Final

import nats.errors
import nats.js.errors

from heatpool_chassis import bus, topology
from heatpool_contract import subjects
from heatpool_writer.batch import Batch, PoisonError, take
from heatpool_writer.books import Fate
from heatpool_writer.burial import Burial
from heatpool_writer.posting import PAUSE_S, Poster, age_s
from heatpool_writer.settlement import IN_PROGRESS, KEEP_ALIVE_S, Settlement, StoreState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nats.aio.client import Client
    from nats.aio.msg import Msg
    from nats.js.client import JetStreamContext
    from structlog.stdlib import BoundLogger

    from heatpool_chassis.lifecycle import Lifecycle
    from heatpool_chassis.metrics import WriterMetrics
    from heatpool_chassis.victoria import Victoria
    from heatpool_writer.contributions import Contributions
    from heatpool_writer.settings import Settings

FETCH_MESSAGES_MAX: Final = 50  # x 480 KiB stays below the subscription's pending bytes
FETCH_S: Final = 0.25  # pull requests are not repeated after a reconnect: keep them short
PENDING_BYTES_MAX: Final = 64 * 1024 * 1024
HAND_OVER_S: Final = 0.25  # how long the loop waits for the post, before it settles again
DRAINED_SAMPLES_MIN: Final = 10_000  # then a post's fixed cost no longer counts


class Writer:
    """One writer. Several share the durable; the server deals the messages out."""

    def __init__(  # noqa: PLR0913, PLR0917 - the ports of the loop, wired once in __main__
        self,
        settings: Settings,
        life: Lifecycle,
        metrics: WriterMetrics,
        client: Client,
        store: Victoria,
        contributions: Contributions,
        log: BoundLogger,
    ) -> None:
        self._settings = settings
        self._life = life
        self._metrics = metrics
        self._client = client
        self._js: JetStreamContext = client.jetstream(timeout=bus.CONTROL_TIMEOUT_S)
        self._store = store
        self._contributions = contributions
        self._log = log
        self._settlement = Settlement(
            settings.durable_s, metrics, client, store, contributions, log
        )
        self._burial = Burial(life, metrics, self._js, self._settlement, log)
        self._poster = Poster(metrics, store, contributions, self._settlement, self._burial, log)
        self._batch: Batch[Msg] = Batch()
        self._kept_alive_s = 0.0

    async def run(self) -> None:
        """Until the process stops; then post what is in hand and acknowledge what is durable."""
        subscription = await self._js.pull_subscribe_bind(
            subjects.DURABLE_WRITER,
            stream=subjects.STREAM_TELEMETRY,
            pending_bytes_limit=PENDING_BYTES_MAX,
        )
        try:
            while not self._life.stopping.is_set():
                await self._round(subscription)
            await self._end()
        finally:
            await self._poster.abandon()

    async def _round(self, subscription: JetStreamContext.PullSubscription) -> None:
        self._life.metrics.loop_beat.set_to_current_time()
        drained = False
        if not await self._store_is_there() or self._burial.stopped:
            with self._timed("wait"):
                await self._life.stopped_within(PAUSE_S)
        elif not self._is_due():  # a batch that cannot be handed over must not grow
            with self._timed("poll"):
                messages = await self._fetch(subscription)
            with self._timed("fold"):
                for message in messages:
                    await self._fold(message)
            drained = not messages
        if self._poster.free and (self._is_due() or self._is_worth_it(drained=drained)):
            self._poster.hand_over(self._batch)
            self._batch = Batch()
        with self._timed("post"):
            await self._poster.advance(HAND_OVER_S if self._is_due() else 0.0)
        with self._timed("settle"):
            await self._settle()

    async def _end(self) -> None:
        await self._poster.end()
        self._poster.hand_over(self._batch)
        self._batch = Batch()
        await self._poster.end()
        await self._settlement.end()
        self._observe()

    def _is_due(self) -> bool:
        return self._batch.is_due(
            time.monotonic(), self._settings.batch_samples_max, self._settings.batch_age_s_max
        )

    def _is_worth_it(self, *, drained: bool) -> bool:
        """Whether to post early: nothing more is coming, and it is no longer a lone message."""
        return drained and self._batch.samples >= DRAINED_SAMPLES_MIN

    async def _store_is_there(self) -> bool:
        """Asked every time round, because settling may find the store first, too."""
        there = bool(self._settlement.store_life) or await self._settlement.know_store()
        state = self._settlement.store_state
        for each in StoreState:
            self._metrics.store_state.labels(each).set(each is state)
        self._report("victoria", ok=state is not StoreState.AWAY, else_log="store_unavailable")
        self._report("store_age", ok=state is not StoreState.YOUNG, else_log="store_too_young")
        faults = self._settlement.store_faults
        if faults and self._life.checks.get("store_flags", True):
            self._log.error("store_flags_wrong", flags=", ".join(faults))
        self._life.set_check("store_flags", ok=not faults)
        return there

    def _report(self, check: str, *, ok: bool, else_log: str) -> None:
        if not ok and self._life.checks.get(check, True):
            self._log.warning(else_log)
        self._life.set_check(check, ok=ok)

    async def _fetch(self, subscription: JetStreamContext.PullSubscription) -> list[Msg]:
        try:
            return await subscription.fetch(FETCH_MESSAGES_MAX, timeout=FETCH_S)
        except TimeoutError:
            return []
        except nats.js.errors.APIError as error:  # 503 also means: nobody serves this consumer
            self._log.warning("fetch_failed", reason=f"{error.code} {error.description}")
            # In an election of a cluster nobody says; only a consumer that is gone is an error.
            with contextlib.suppress(bus.BusUnavailableError):
                await bus.verify_consumer(
                    self._client, subjects.STREAM_TELEMETRY, topology.writer_consumer()
                )
        except (nats.errors.Error, ConnectionError) as error:  # disconnected: it comes back
            self._log.warning("fetch_failed", reason=type(error).__name__)
        await self._life.stopped_within(bus.RECONNECT_WAIT_S)
        return []

    async def _fold(self, message: Msg) -> None:
        metadata = message.metadata
        fate = Fate.REDELIVERED if (metadata.num_delivered or 1) > 1 else Fate.RECEIVED
        try:
            received_ms = round(metadata.timestamp.timestamp() * 1000)
            taken = take(message.subject, message.data, metadata.sequence.stream, received_ms)
        except PoisonError as poison:
            self._settlement.count(fate, 1, 0)
            await self._burial.bury(message, poison.reason, poison.model, 0)
            return
        self._burial.fine(taken.chunk.model)
        self._settlement.count(fate, 1, taken.samples)
        self._batch.add(message, taken, time.monotonic())

    async def _settle(self) -> None:
        now_s = time.monotonic()
        if now_s - self._kept_alive_s >= KEEP_ALIVE_S:
            self._kept_alive_s = now_s
            folded = (message.reply for message, _one in self._batch.messages)
            await self._settlement.send(chain(self._poster.replies(), folded), IN_PROGRESS)
        await self._settlement.settle()
        self._observe()

    def _observe(self) -> None:
        ledger, batches = self._settlement.ledger, (self._batch, self._poster.batch)
        in_hand = sum(len(batch.messages) for batch in batches) + ledger.messages
        samples_in_hand = sum(batch.samples for batch in batches) + ledger.samples
        messages, samples = self._settlement.books.difference(in_hand, samples_in_hand)
        self._metrics.ledger_difference.labels("messages").set(messages)
        self._metrics.ledger_difference.labels("samples").set(samples)
        self._metrics.in_hand_samples.set(samples_in_hand)
        now_s = time.time()
        self._metrics.oldest_unwritten_seconds.set(max(age_s(batch, now_s) for batch in batches))

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        started_s = time.perf_counter()
        yield
        self._metrics.loop_seconds.labels(stage).inc(time.perf_counter() - started_s)
