"""THE LOOP: fetch, decode, fold, post, settle.

In: `telemetry.<model>.<installation>` through the durable consumer `writer`. Out: posts to
VictoriaMetrics; `settlement` acknowledges them when they are durable. Guarantee: at least once into
the store, exactly once for its readers. While the store is away nothing is fetched, and what is
in hand is kept alive; what can never be written goes to the dead letters, unless there is so much
of it that the fault must be ours: then the writer stops and says so.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import nats.errors
import nats.js.errors

from heatpool_chassis import bus, topology
from heatpool_chassis.victoria import StoreRejectedError, StoreUnavailableError
from heatpool_contract import subjects
from heatpool_contract.refusals import Refusal
from heatpool_writer.batch import Batch, PoisonError, Taken, lines, rows, take
from heatpool_writer.books import Fate
from heatpool_writer.ledger import Held
from heatpool_writer.poison import Breaker
from heatpool_writer.settlement import IN_PROGRESS, KEEP_ALIVE_S, NAK, Settlement

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
PAUSE_S: Final = 1.0
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
        self._breaker = Breaker()
        self._batch: Batch[Msg] = Batch()
        self._kept_alive_s = 0.0

    async def run(self) -> None:
        """Until the process stops; then post what is in hand and acknowledge what is durable."""
        subscription = await self._js.pull_subscribe_bind(
            subjects.DURABLE_WRITER,
            stream=subjects.STREAM_TELEMETRY,
            pending_bytes_limit=PENDING_BYTES_MAX,
        )
        while not self._life.stopping.is_set():
            self._life.metrics.loop_beat.set_to_current_time()
            drained = False
            if not await self._store_is_there() or self._breaker.open_because is not None:
                with self._timed("wait"):
                    await self._life.stopped_within(PAUSE_S)
            elif not self._is_due():  # a batch that the store did not take must not grow
                with self._timed("poll"):
                    messages = await self._fetch(subscription)
                with self._timed("fold"):
                    for message in messages:
                        await self._fold(message)
                drained = not messages
            if (
                self._is_due() or self._is_worth_it(drained=drained)
            ) and self._settlement.store_life:
                with self._timed("post"):
                    await self._post()
            with self._timed("settle"):
                await self._settle()
        await self._post()
        await self._return_batch()
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
        if not there and self._life.checks.get("victoria", True):
            self._log.warning("store_unavailable")
        self._life.set_check("victoria", ok=there)
        faults = self._settlement.store_faults
        if faults and self._life.checks.get("store_flags", True):
            self._log.error("store_flags_wrong", flags=", ".join(faults))
        self._life.set_check("store_flags", ok=not faults)
        return there

    async def _fetch(self, subscription: JetStreamContext.PullSubscription) -> list[Msg]:
        try:
            return await subscription.fetch(FETCH_MESSAGES_MAX, timeout=FETCH_S)
        except TimeoutError:
            return []
        except nats.js.errors.APIError as error:  # 503 also means: nobody serves this consumer
            self._log.warning("fetch_failed", reason=f"{error.code} {error.description}")
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
            taken = take(message.subject, message.data, metadata.sequence.stream)
        except PoisonError as poison:
            self._settlement.count(fate, 1, 0)
            await self._bury(message, poison.reason, poison.model, 0)
            return
        self._breaker.fine(taken.chunk.model)
        self._settlement.count(fate, 1, taken.samples)
        self._batch.add(message, taken, time.monotonic())

    async def _bury(self, message: Msg, reason: Refusal, model: str, samples: int) -> None:
        """Out of the way of the others, unless that happens too often."""
        buried = False
        if self._breaker.poisoned(model):
            try:
                await bus.bury(self._js, message, reason, model)
                await message.ack_sync()
                buried = True
            except (bus.BusUnavailableError, nats.errors.Error, TimeoutError) as error:
                self._log.warning("burial_failed", reason=str(error))  # it will come again
        elif self._life.checks.get("poison", True):
            self._life.set_check("poison", ok=False)
            self._metrics.poison_breaker.labels(self._breaker.open_because).set(1)
            self._log.error("too_many_dead_letters", model=self._breaker.open_because)
        if buried:
            self._metrics.dead.labels(reason).inc()
            self._log.warning("dead_letter", reason=reason, model=model)
        else:
            await self._settlement.send([message.reply], NAK)
        self._settlement.count(Fate.DEAD if buried else Fate.RETURNED, 1, samples)

    async def _post(self) -> None:
        """Post the batch. Unreachable store: keep the batch, try again next time round."""
        try:
            await self._drop_erased()
        except bus.BusUnavailableError as error:
            self._log.warning("registry_failed", reason=str(error))
            await self._life.stopped_within(bus.RECONNECT_WAIT_S)
            return
        if not self._batch.messages:
            self._batch = Batch()
            return
        try:
            with self._metrics.post_seconds.time():
                await self._import(self._batch.messages)
        except StoreUnavailableError as error:
            self._log.warning("post_failed", reason=str(error), samples=self._batch.samples)
            self._settlement.store_life = ""
            await self._life.stopped_within(PAUSE_S)  # it may answer questions and take nothing
            return
        except StoreRejectedError:
            await self._post_one_by_one()
        self._metrics.batch_samples.observe(self._batch.samples)
        self._log.info(
            "batch_written",
            messages=len(self._batch.messages),
            samples=self._batch.samples,
            oldest_s=round(self._oldest_s(), 3),
        )
        self._batch = Batch()

    async def _drop_erased(self) -> None:
        """Let go of what homes sent that asked for erasure."""
        homes = {taken.installation for _message, taken in self._batch.messages}
        gone = await self._contributions.erased(homes)
        if not gone:
            return
        dropped = [pair for pair in self._batch.messages if pair[1].installation in gone]
        kept: Batch[Msg] = Batch()
        for message, taken in self._batch.messages:
            if taken.installation not in gone:
                kept.add(message, taken, self._batch.opened_s or 0.0)
        self._batch = kept
        await self._settlement.acknowledge(Fate.ERASED, _held(dropped))

    async def _import(self, messages: list[tuple[Msg, Taken]]) -> None:
        taken = [one for _message, one in messages]
        await self._store.import_lines(lines(taken))
        self._settlement.written(_held(messages), rows(taken))

    async def _post_one_by_one(self) -> None:
        """The store refused the batch: find the messages that it means."""
        for message, one in self._batch.messages:
            try:
                await self._import([(message, one)])
                self._breaker.fine(one.chunk.model)
            except StoreRejectedError:
                await self._bury(message, Refusal.STORE_REJECTED, one.chunk.model, one.samples)
            except StoreUnavailableError:
                self._settlement.store_life = ""
                await self._return([(message, one)])

    async def _return_batch(self) -> None:
        """The process stops, and the store did not take the batch: another writer may."""
        await self._return(self._batch.messages)
        self._batch = Batch()

    async def _return(self, messages: list[tuple[Msg, Taken]]) -> None:
        await self._settlement.send((message.reply for message, _one in messages), NAK)
        self._settlement.enter(Fate.RETURNED, _held(messages))

    async def _settle(self) -> None:
        now_s = time.monotonic()
        if now_s - self._kept_alive_s >= KEEP_ALIVE_S:
            self._kept_alive_s = now_s
            in_hand = (message.reply for message, _one in self._batch.messages)
            await self._settlement.send(in_hand, IN_PROGRESS)
        await self._settlement.settle()
        self._observe()

    def _observe(self) -> None:
        ledger = self._settlement.ledger
        messages, samples = self._settlement.books.difference(
            len(self._batch.messages) + ledger.messages, self._batch.samples + ledger.samples
        )
        self._metrics.ledger_difference.labels("messages").set(messages)
        self._metrics.ledger_difference.labels("samples").set(samples)
        self._metrics.in_hand_samples.set(self._batch.samples + ledger.samples)
        self._metrics.oldest_unwritten_seconds.set(self._oldest_s())

    def _oldest_s(self) -> float:
        """Age of the batch's oldest message, by the stream's clock."""
        if not self._batch.messages:
            return 0.0
        oldest = min(message.metadata.timestamp for message, _one in self._batch.messages)
        return max(0.0, time.time() - oldest.timestamp())

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        started_s = time.perf_counter()
        yield
        self._metrics.loop_seconds.labels(stage).inc(time.perf_counter() - started_s)


def _held(messages: list[tuple[Msg, Taken]]) -> list[Held]:
    return [
        Held(message.reply, taken.installation, taken.contribution) for message, taken in messages
    ]
