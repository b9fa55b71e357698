"""THE LOOP: fetch, decode, fold, post, acknowledge when durable.

In: `telemetry.<model>.<installation>` through the durable consumer `writer`. Out: posts to
VictoriaMetrics. Guarantee: at least once into the store, exactly once for its readers;
acknowledged only `durable_s` after the store's 204 and in the same life of the store. While the
store is away nothing is fetched, and what is in hand is kept alive with `in_progress`.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import nats.errors

from heatpool_chassis import bus
from heatpool_chassis.victoria import StoreRejectedError, StoreUnavailableError
from heatpool_contract import subjects
from heatpool_contract.refusals import Refusal
from heatpool_writer.batch import AckLedger, Batch, PoisonError, Taken, Written, lines, take

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

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
STORE_PAUSE_S: Final = 1.0
KEEP_ALIVE_S: Final = 20.0  # a third of the consumer's ack_wait
SETTLE_S: Final = 1.0


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
        self._js: JetStreamContext = client.jetstream(timeout=bus.CONTROL_TIMEOUT_S)
        self._store = store
        self._contributions = contributions
        self._log = log
        self._batch: Batch[Msg] = Batch()
        self._ledger: AckLedger[Msg] = AckLedger()
        self._store_life = ""
        self._settled_s = 0.0
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
            if not await self._know_store():
                await self._life.stopped_within(STORE_PAUSE_S)
                await self._keep_alive()
                continue
            if not self._is_due():  # a batch that the store did not take must not grow
                with self._timed("poll"):
                    messages = await self._fetch(subscription)
                with self._timed("fold"):
                    for message in messages:
                        await self._fold(message)
            if self._is_due():
                with self._timed("post"):
                    await self._post()
            with self._timed("settle"):
                await self._settle()
        await self._post()
        await self._settle(at_once=True)

    def _is_due(self) -> bool:
        return self._batch.is_due(
            time.monotonic(), self._settings.batch_samples_max, self._settings.batch_age_s_max
        )

    async def _know_store(self) -> bool:
        """Whether the store answers; learns which life of it that is."""
        if self._store_life:
            return True
        try:
            self._store_life = await self._life_of_store()
        except StoreUnavailableError as error:
            if self._life.checks.get("victoria", True):
                self._log.warning("store_unavailable", reason=str(error))
            self._life.set_check("victoria", ok=False)
            return False
        self._life.set_check("victoria", ok=True)
        return True

    async def _life_of_store(self) -> str:
        metrics = await self._store.metrics()
        dropped = {"invalid": 0.0, "ignored": 0.0}
        for name, value in metrics.items():
            for reason in dropped:
                if name.startswith(f"vm_rows_{reason}_total"):
                    dropped[reason] += value
        for reason, value in dropped.items():
            self._metrics.store_difference.labels(reason).set(value)
        return (
            f"{metrics.get('vm_app_start_timestamp')}/{metrics.get('process_start_time_seconds')}"
        )

    async def _fetch(self, subscription: JetStreamContext.PullSubscription) -> list[Msg]:
        try:
            messages = await subscription.fetch(FETCH_MESSAGES_MAX, timeout=FETCH_S)
        except TimeoutError:
            return []
        except (nats.errors.Error, ConnectionError) as error:  # disconnected: it comes back
            self._log.warning("fetch_failed", reason=type(error).__name__)
            await self._life.stopped_within(bus.RECONNECT_WAIT_S)
            return []
        return messages

    async def _fold(self, message: Msg) -> None:
        metadata = message.metadata
        fate = "redelivered" if (metadata.num_delivered or 1) > 1 else "received"
        self._metrics.messages.labels(fate).inc()
        try:
            taken = take(message.subject, message.data, metadata.sequence.stream)
        except PoisonError as poison:
            await self._bury(message, poison.reason, poison.model)
            return
        self._metrics.samples.labels(fate).inc(taken.samples)
        self._batch.add(message, taken, time.monotonic())

    async def _bury(self, message: Msg, reason: Refusal, model: str) -> None:
        try:
            await bus.bury(self._js, message, reason, model)
            await message.ack_sync()
        except (bus.BusUnavailableError, nats.errors.Error, TimeoutError) as error:
            self._log.warning("burial_failed", reason=str(error))  # it will be delivered again
            return
        self._metrics.dead.labels(reason).inc()
        self._metrics.messages.labels("dead").inc()
        self._log.warning("dead_letter", reason=reason, model=model)

    async def _post(self) -> None:
        """Post the batch. Unreachable store: keep the batch, try again next time round."""
        if not self._batch.messages:
            return
        taken = [one for _message, one in self._batch.messages]
        try:
            with self._metrics.post_seconds.time():
                await self._store.import_lines(lines(taken))
        except StoreUnavailableError as error:
            self._log.warning("post_failed", reason=str(error), samples=self._batch.samples)
            self._store_life = ""
            await self._life.stopped_within(STORE_PAUSE_S)
            return
        except StoreRejectedError:
            await self._post_one_by_one()
        else:
            self._remember(self._batch.messages)
        self._metrics.batch_samples.observe(self._batch.samples)
        self._log.info(
            "batch_written",
            messages=len(taken),
            samples=self._batch.samples,
            oldest_s=round(time.monotonic() - (self._batch.opened_s or 0.0), 3),
        )
        self._batch = Batch()

    async def _post_one_by_one(self) -> None:
        """The store refused the batch: find the messages that it means."""
        for message, one in self._batch.messages:
            try:
                await self._store.import_lines(lines([one]))
            except StoreRejectedError:
                await self._bury(message, Refusal.STORE_REJECTED, one.chunk.model)
            except StoreUnavailableError:
                await self._take_back([(message, one)])
            else:
                self._remember([(message, one)])

    def _remember(self, messages: list[tuple[Msg, Taken]]) -> None:
        self._ledger.add(Written(time.monotonic(), self._store_life, messages))
        self._metrics.samples.labels("written").inc(sum(one.samples for _m, one in messages))

    async def _settle(self, *, at_once: bool = False) -> None:
        """Acknowledge what is durable; take back what a restart of the store may have lost."""
        now_s = time.monotonic()
        await self._keep_alive()
        if now_s - self._settled_s < SETTLE_S and not at_once:
            return
        self._settled_s = now_s
        self._observe(now_s)
        if not self._ledger.any_due(now_s, self._settings.durable_s):
            return
        try:
            self._store_life = await self._life_of_store()
        except StoreUnavailableError:
            self._store_life = ""
            return
        if lost := self._ledger.lost(self._store_life):
            self._metrics.rewinds.inc()
            self._log.warning("store_restarted", messages_taken_back=len(lost))
            await self._take_back(lost)
        ripe = self._ledger.durable(now_s, self._settings.durable_s)
        if not ripe:
            return
        try:
            await self._contributions.record([one for _message, one in ripe])
        except bus.BusUnavailableError as error:
            self._log.warning("registry_failed", reason=str(error))
            await self._take_back(ripe)
            return
        await self._each([message for message, _one in ripe], "ack")
        self._metrics.messages.labels("acknowledged").inc(len(ripe))
        self._metrics.samples.labels("durable").inc(sum(one.samples for _message, one in ripe))

    async def _take_back(self, messages: list[tuple[Msg, Taken]]) -> None:
        """Ask for redelivery; if that fails, the consumer's ack_wait brings them anyway."""
        await self._each([message for message, _one in messages], "nak")

    async def _keep_alive(self) -> None:
        """Tell the server that what is in hand is being worked on."""
        now_s = time.monotonic()
        if now_s - self._kept_alive_s < KEEP_ALIVE_S:
            return
        self._kept_alive_s = now_s
        await self._each(
            [*(message for message, _one in self._batch.messages), *self._ledger.messages()],
            "in_progress",
        )

    async def _each(self, messages: Iterable[Msg], verb: str) -> None:
        try:
            for message in messages:
                if verb == "ack":
                    await message.ack()
                elif verb == "nak":
                    await message.nak()
                else:
                    await message.in_progress()
        except (nats.errors.Error, ConnectionError) as error:
            self._log.warning("acknowledgement_failed", verb=verb, reason=type(error).__name__)

    def _observe(self, now_s: float) -> None:
        opened_s = self._batch.opened_s
        self._metrics.oldest_unwritten_seconds.set(0 if opened_s is None else now_s - opened_s)
        self._metrics.unacknowledged.set(len(self._ledger))

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        started_s = time.perf_counter()
        yield
        self._metrics.loop_seconds.labels(stage).inc(time.perf_counter() - started_s)
