"""THE LOOP: see what is new, remember it, train what is due, publish what passed.

In: headers of `telemetry.<model>.<installation>` through the durable `trainer`. Out: releases and
reports. Guarantee: a message is acknowledged once its news are in KV, so a kill forgets nothing; a
training reads only what the writer has made durable; one training at a time here, and of a model
nowhere else (its lease); in a process of its own, so that the loop goes on answering NATS.
"""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec
import nats.errors

from heatpool_chassis import bus
from heatpool_contract import release, subjects
from heatpool_contract.release import TrainingReport
from heatpool_trainer import news as newsroom
from heatpool_trainer import tidying
from heatpool_trainer.bulletin import FAULTS
from heatpool_trainer.training import Progress

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.aio.msg import Msg
    from nats.js.client import JetStreamContext
    from nats.js.kv import KeyValue
    from structlog.stdlib import BoundLogger

    from heatpool_chassis.lifecycle import Lifecycle
    from heatpool_chassis.metrics import TrainerMetrics
    from heatpool_contract.release import News
    from heatpool_trainer.attempt import Attempts
    from heatpool_trainer.bulletin import Bulletin
    from heatpool_trainer.settings import Settings

FETCH_MESSAGES_MAX: Final = 500  # headers only: a few hundred bytes each
FETCH_S: Final = 0.5
LOOK_S: Final = 2.0  # how often the bulletin is read for what is due
TELL_S: Final = 2.0  # how often progress is written and the lease renewed
CANCEL_S: Final = 1.0


class Trainer:
    """One trainer."""

    def __init__(  # noqa: PLR0913, PLR0917 - the ports of the loop, wired once in __main__
        self,
        settings: Settings,
        life: Lifecycle,
        metrics: TrainerMetrics,
        client: Client,
        reports: KeyValue,
        bulletin: Bulletin,
        attempts: Attempts,
        log: BoundLogger,
    ) -> None:
        self._settings = settings
        self._life = life
        self._metrics = metrics
        self._js: JetStreamContext = client.jetstream(timeout=bus.CONTROL_TIMEOUT_S)
        self._reports = reports
        self._bulletin = bulletin
        self._attempts = attempts
        self._log = log
        self._seq_seen = 0
        self._looked_s = 0.0
        self._given_up = asyncio.Event()

    async def run(self) -> None:
        """Until the process stops. A training that runs then is given up; it starts again later."""
        # A trainer that stood still is the one that misses messages: count from where it was.
        known = (await self._bulletin.read()).values()
        self._seq_seen = max((item.seq_last for item in known), default=0)
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
                    training = asyncio.create_task(self.train(due))
        finally:
            if training is not None:
                await ended(training)

    def forget(self, home: str) -> None:
        """An erased home: a training that has read it is given up and made again without it."""
        if home in self._attempts.homes:
            self._given_up.set()

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
        now_ms = _now_ms()
        try:
            for model, (number, last) in newsroom.counted(seen).items():
                added = partial(newsroom.noted, messages=number, seq_last=last, now_ms=now_ms)
                await self._bulletin.change(model, added)
            for message in messages:
                await message.ack()
        except FAULTS as error:
            self._log.warning("news_not_kept", reason=type(error).__name__)  # redelivered
            return
        self._metrics.messages.labels("noted").inc(len(messages))

    async def _next_due(self) -> News | None:
        """The model to train now, if all that was seen of it is in the store and it is free."""
        if time.monotonic() - self._looked_s < LOOK_S:
            return None
        self._looked_s = time.monotonic()
        try:
            due = [item for item in (await self._bulletin.read()).values() if self._is_due(item)]
            if not due:
                return None
            info = await self._js.consumer_info(subjects.STREAM_TELEMETRY, subjects.DURABLE_WRITER)
            floor = info.ack_floor.stream_seq if info.ack_floor else 0
            for item in sorted(due, key=lambda one: (one.trained_ms, one.model)):
                if floor >= item.seq_last and await self._bulletin.acquire(item.model, _now_ms()):
                    return await self._still_due(item)
        except FAULTS as error:
            self._log.warning("bulletin_not_read", reason=type(error).__name__)
        return None

    async def _still_due(self, item: News) -> News | None:
        """The news as they are now that the model is ours: another trainer may just be done."""
        now = (await self._bulletin.read()).get(item.model)
        if now is not None and self._is_due(now):
            return now
        await self._bulletin.give_back(item.model)
        return None

    def _is_due(self, item: News) -> bool:
        return newsroom.is_due(item, _now_ms(), self._settings.schedule)

    async def train(self, item: News) -> None:
        """Train one model whose lease we have, and report."""
        began_ms, began_s = _now_ms(), time.monotonic()
        model = item.model
        self._given_up.clear()
        self._log.info("training", model=model, messages=item.messages)
        report = await self._watched(item, began_ms)
        took_s = time.monotonic() - began_s
        self._count(report, took_s)
        failed = report.outcome == "failed"
        try:
            await self._report(msgspec.structs.replace(report, took_s=round(took_s, 3)))
            after = partial(newsroom.after_training, item, began_ms=began_ms, failed=failed)
            await self._bulletin.change(model, after)
            await self._bulletin.give_back(model)
        except FAULTS as error:  # then it is made again, and comes to the same
            self._log.warning("report_not_kept", model=model, reason=type(error).__name__)
        if report.outcome == "released":
            await self._tidy()
        self._log.info(
            "trained",
            model=model,
            outcome=report.outcome,
            reasons=report.reasons,
            installations=report.installations,
            quarantined=report.homes_quarantined,
            rejected=len(report.homes_rejected),
            samples=report.samples,
            took_s=round(took_s, 1),
        )

    async def _watched(self, item: News, began_ms: int) -> TrainingReport:
        """The attempt, with its progress told; given up if an erasure or another trainer asks."""
        stage = Progress("begin", 0.0)

        def told(progress: Progress) -> None:
            nonlocal stage
            stage = progress

        given_up = TrainingReport(model=item.model, at_ms=began_ms, outcome="failed")
        work = asyncio.create_task(self._attempts.attempt(item, began_ms, told))
        try:
            while not work.done():
                await self._tell(item.model, began_ms, stage)
                if self._given_up.is_set():
                    return msgspec.structs.replace(given_up, reasons=("home_erased",))
                if not await self._holds(item.model):
                    return msgspec.structs.replace(given_up, reasons=("lease_lost",))
                await asyncio.wait({work}, timeout=TELL_S)
            return work.result()
        finally:
            await ended(work)

    async def _tell(self, model: str, began_ms: int, progress: Progress) -> None:
        running = TrainingReport(
            model=model,
            at_ms=began_ms,
            outcome="training",
            stage=progress.stage,
            share=round(progress.share, 3),
        )
        try:
            await self._report(running)
        except FAULTS as error:
            self._log.warning("progress_not_told", reason=type(error).__name__)

    async def _holds(self, model: str) -> bool:
        """Whether the model still is ours; while NATS is away, nobody can take it."""
        try:
            return await self._bulletin.acquire(model, _now_ms())
        except FAULTS:
            return True

    def _count(self, report: TrainingReport, took_s: float) -> None:
        self._metrics.training_seconds.observe(took_s)
        self._metrics.trainings.labels(report.outcome).inc()
        self._metrics.homes_quarantined.labels(report.model).set(report.homes_quarantined)
        self._metrics.homes_rejected.labels(report.model).set(len(report.homes_rejected))

    async def _tidy(self) -> None:
        """A release has made another one old. What goes wrong here is tried after the next one."""
        try:
            done = await tidying.tidy(self._js, time.time())
        except (nats.errors.Error, TimeoutError, release.MalformedPointerError) as error:
            self._log.warning("not_tidied", reason=type(error).__name__)
        else:
            self._log.info("tidied", files=done.files, parts=done.parts)

    async def _report(self, report: TrainingReport) -> None:
        await self._reports.put(report.model, release.encode(report))


async def ended(task: asyncio.Task[object] | asyncio.Task[None]) -> None:
    """Cancel a task until it is done.

    Once is not enough: `wait_for` of Python 3.11 loses a cancellation that comes together with its
    result, and nats-py takes some for a closed connection.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=CANCEL_S)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
