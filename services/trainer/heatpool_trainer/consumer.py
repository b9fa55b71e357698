"""THE LOOP: see what is new, remember it, train what is due, publish what passed.

In: headers of `telemetry.<model>.<installation>` through the durable `trainer`. Out: releases and
reports. Guarantee: a message is acknowledged once its news are in KV, so a kill forgets nothing; a
training reads only what the writer has made durable; one training at a time, in a process of its
own, so that the loop goes on answering NATS.
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from datetime import UTC, datetime
from multiprocessing import get_context
from typing import TYPE_CHECKING, Final

import msgspec
import nats.errors
import nats.js.errors
from nats.js.kv import KeyValue
from nats.js.object_store import ObjectStore

from heatpool_chassis import buckets, bus
from heatpool_contract import release, subjects
from heatpool_contract.manifest import ReleaseFacts
from heatpool_contract.release import News, ReleasePointer, TrainingReport
from heatpool_trainer import news as newsroom
from heatpool_trainer import publishing, tidying
from heatpool_trainer.erasing import erasing
from heatpool_trainer.training import Job, Trained, train

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.aio.msg import Msg
    from nats.js.client import JetStreamContext
    from structlog.stdlib import BoundLogger

    from heatpool_chassis.lifecycle import Lifecycle
    from heatpool_chassis.metrics import TrainerMetrics
    from heatpool_trainer.publishing import Signing
    from heatpool_trainer.settings import Settings

FETCH_MESSAGES_MAX: Final = 500  # headers only: a few hundred bytes each
FETCH_S: Final = 0.5
FUTURE_MS: Final = 300_000  # records may be five minutes ahead
DAY_MS: Final = 86_400_000
MIN_CLIENT: Final = "0.1.0"


class Buckets(msgspec.Struct, frozen=True):
    """Where the trainer writes."""

    pointers: KeyValue
    reports: KeyValue
    models: ObjectStore


class Trainer:
    """One trainer."""

    def __init__(  # noqa: PLR0913, PLR0917 - the ports of the loop, wired once in __main__
        self,
        settings: Settings,
        life: Lifecycle,
        metrics: TrainerMetrics,
        client: Client,
        buckets: Buckets,
        signing: Signing,
        log: BoundLogger,
    ) -> None:
        self._settings = settings
        self._life = life
        self._metrics = metrics
        self._client = client
        self._js: JetStreamContext = client.jetstream(timeout=bus.CONTROL_TIMEOUT_S)
        self._buckets = buckets
        self._signing = signing
        self._log = log
        self._news: dict[str, News] = {}
        self._seq_seen = 0

    async def run(self) -> None:
        """Until the process stops. A training that runs then is given up; it starts again later."""
        self._news = await self._remembered()
        # A trainer that stood still is the one that misses messages: count from where it was.
        self._seq_seen = max((item.seq_last for item in self._news.values()), default=0)
        subscription = await self._js.pull_subscribe_bind(
            subjects.DURABLE_TRAINER, stream=subjects.STREAM_TELEMETRY
        )
        training: asyncio.Task[None] | None = None
        try:
            while not self._life.stopping.is_set():
                self._life.metrics.loop_beat.set_to_current_time()
                await self._note(await self._fetch(subscription))
                if training is not None and training.done():
                    training.result()  # what nobody foresaw ends the process
                    training = None
                if training is None and (due := await self._next_due()) is not None:
                    training = asyncio.create_task(self._train(due))
        finally:
            if training is not None:
                training.cancel()
                await asyncio.gather(training, return_exceptions=True)

    async def _remembered(self) -> dict[str, News]:
        found: dict[str, News] = {}
        for key in await buckets.keys(self._client, subjects.KV_PROGRESS):
            if key.startswith(release.news_key("")):
                entry = await self._buckets.reports.get(key)
                known = release.decode_news(entry.value or b"")
                found[known.model] = known
        return found

    async def _fetch(self, subscription: JetStreamContext.PullSubscription) -> list[Msg]:
        try:
            return await subscription.fetch(FETCH_MESSAGES_MAX, timeout=FETCH_S)
        except TimeoutError:
            return []
        except (nats.errors.Error, ConnectionError) as error:  # disconnected: it comes back
            self._log.warning("fetch_failed", reason=type(error).__name__)
            await self._life.stopped_within(bus.RECONNECT_WAIT_S)
            return []

    async def _note(self, messages: list[Msg]) -> None:
        """Remember what is new, then acknowledge it."""
        if not messages:
            return
        seen = [(message.subject, message.metadata.sequence.stream) for message in messages]
        seqs = [seq for _subject, seq in seen]
        self._metrics.gap_messages.inc(newsroom.missed(self._seq_seen, seqs))
        self._seq_seen = max(self._seq_seen, *seqs)
        changed = newsroom.fold(self._news, seen, _now_ms())
        try:
            for model, item in changed.items():
                await self._buckets.reports.put(release.news_key(model), release.encode(item))
            self._news |= changed
            for message in messages:
                await message.ack()
        except (nats.errors.Error, TimeoutError, ConnectionError) as error:
            self._log.warning("news_not_kept", reason=type(error).__name__)  # redelivered
            return
        self._metrics.messages.labels("noted").inc(len(messages))

    async def _next_due(self) -> News | None:
        """The model to train now, if all that was seen of it is in the store."""
        due = [
            item
            for item in self._news.values()
            if newsroom.is_due(
                item,
                _now_ms(),
                quiet_s=self._settings.quiet_s,
                interval_s_min=self._settings.interval_s_min,
                interval_s_max=self._settings.interval_s_max,
            )
        ]
        if not due:
            return None
        longest_waiting = min(due, key=lambda item: (item.trained_ms, item.model))
        try:
            info = await self._js.consumer_info(subjects.STREAM_TELEMETRY, subjects.DURABLE_WRITER)
        except (nats.errors.Error, TimeoutError):
            return None
        floor = info.ack_floor.stream_seq if info.ack_floor else 0
        return longest_waiting if floor >= longest_waiting.seq_last else None

    async def _train(self, item: News) -> None:
        """Train one model and publish the outcome, or report why not."""
        began_ms, began_s = _now_ms(), time.monotonic()
        model = item.model
        await self._report(TrainingReport(model=model, at_ms=began_ms, outcome="training"))
        self._log.info("training", model=model, messages=item.messages)
        try:
            pointer, _revision = await publishing.current(self._buckets.pointers, model)
            trained = await self._in_child(
                self._job(model, began_ms, pointer, await erasing(self._client))
            )
            report = await self._conclude(model, trained, pointer, began_ms)
        except (bus.BusUnavailableError, publishing.LostRaceError, BrokenProcessPool) as error:
            report = TrainingReport(
                model=model, at_ms=began_ms, outcome="failed", reasons=(type(error).__name__,)
            )
        took_s = time.monotonic() - began_s
        self._metrics.training_seconds.observe(took_s)
        self._metrics.trainings.labels(report.outcome).inc()
        await self._report(msgspec.structs.replace(report, took_s=round(took_s, 3)))
        failed = report.outcome == "failed"
        after = newsroom.after_training(item, self._news[model], began_ms, failed=failed)
        self._news[model] = after
        await self._buckets.reports.put(release.news_key(model), release.encode(after))
        self._log.info(
            "trained",
            model=model,
            outcome=report.outcome,
            reasons=report.reasons,
            installations=report.installations,
            samples=report.samples,
            took_s=round(took_s, 1),
        )

    def _job(
        self, model: str, now_ms: int, pointer: ReleasePointer | None, erasing: frozenset[str]
    ) -> Job:
        settings = self._settings
        end_ms = now_ms + FUTURE_MS
        return Job(
            model=model,
            victoria_read_url=settings.victoria_read_url,
            start_ms=end_ms - settings.window_days * DAY_MS,
            end_ms=end_ms,
            installations_min=settings.installations_min,
            samples_min=settings.samples_min,
            predecessor_homes=pointer.current.installations if pointer else 0,
            catalogue=str(settings.catalogue) if settings.catalogue else None,
            erasing=erasing,
        )

    async def _in_child(self, job: Job) -> Trained:
        loop = asyncio.get_running_loop()
        pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"))
        try:
            answer = await loop.run_in_executor(pool, train, msgspec.json.encode(job))
        finally:
            for process in list((pool._processes or {}).values()):  # noqa: SLF001 - no public way to end a running child
                process.terminate()
            pool.shutdown(wait=False, cancel_futures=True)
        return msgspec.msgpack.decode(answer, type=Trained)

    async def _conclude(
        self, model: str, trained: Trained, pointer: ReleasePointer | None, now_ms: int
    ) -> TrainingReport:
        report = TrainingReport(
            model=model,
            at_ms=now_ms,
            outcome=trained.outcome,
            reasons=trained.reasons,
            installations=trained.installations,
            samples=trained.samples,
            figures=trained.figures,
        )
        if trained.outcome != "released":
            return report
        if publishing.is_unchanged(pointer, trained.payload, self._settings.epoch):
            return msgspec.structs.replace(report, outcome="unchanged")
        facts = ReleaseFacts(
            model=model,
            version=f"v{datetime.fromtimestamp(now_ms / 1000, UTC):%Y.%m}",
            epoch=self._settings.epoch,
            seq=publishing.next_seq(pointer, self._settings.epoch),
            created_s=now_ms // 1000,
            expires_s=now_ms // 1000 + self._settings.release_days_valid * 86_400,
            engine=trained.engine,
            min_client=MIN_CLIENT,
            installations=trained.installations,
            samples=trained.samples,
            provenance=trained.provenance,
        )
        served = await publishing.publish(
            self._buckets.models,
            self._buckets.pointers,
            trained.payload,
            facts,
            trained.state,
            self._signing,
            self._settings.canary_share,
        )
        self._metrics.release_timestamp.labels(model).set(served.created_ms / 1000)
        self._log.info("released", model=model, model_hash=served.model_hash, seq=served.seq)
        await self._tidy()
        return msgspec.structs.replace(report, version=served.version, model_hash=served.model_hash)

    async def _tidy(self) -> None:
        """A release has made another one old. What goes wrong here is tried after the next one."""
        try:
            done = await tidying.tidy(self._js, time.time())
        except (nats.errors.Error, TimeoutError, release.MalformedPointerError) as error:
            self._log.warning("not_tidied", reason=type(error).__name__)
        else:
            self._log.info("tidied", files=done.files, parts=done.parts)

    async def _report(self, report: TrainingReport) -> None:
        await self._buckets.reports.put(report.model, release.encode(report))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
