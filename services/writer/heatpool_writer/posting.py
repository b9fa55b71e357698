"""One batch on its way into the store, beside the loop that folds the next one.

In: a batch. Out: an entry in the settlement's ledger, dead letters, or the batch again at the next
round, if the store did not take it. Guarantee: one batch at a time, so that at most two are in
memory; it belongs to the life of the store that was known before the post began.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from heatpool_chassis import bus
from heatpool_chassis.victoria import StoreRejectedError, StoreUnavailableError
from heatpool_contract.refusals import Refusal
from heatpool_writer.batch import Batch, Taken, lines, rows
from heatpool_writer.books import Fate
from heatpool_writer.ledger import Held

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nats.aio.msg import Msg
    from structlog.stdlib import BoundLogger

    from heatpool_chassis.metrics import WriterMetrics
    from heatpool_chassis.victoria import Victoria
    from heatpool_writer.burial import Burial
    from heatpool_writer.contributions import Contributions
    from heatpool_writer.settlement import Settlement

PAUSE_S: Final = 1.0
"""After a post that failed: a store may answer questions and take nothing."""


class Poster:
    """Room for one batch."""

    def __init__(
        self,
        metrics: WriterMetrics,
        store: Victoria,
        contributions: Contributions,
        settlement: Settlement,
        burial: Burial,
        log: BoundLogger,
    ) -> None:
        self.batch: Batch[Msg] = Batch()
        """What is being posted, or waits for the store; empty: there is room."""
        self._metrics = metrics
        self._store = store
        self._contributions = contributions
        self._settlement = settlement
        self._burial = burial
        self._log = log
        self._task: asyncio.Task[None] | None = None
        self._not_before_s = 0.0

    @property
    def free(self) -> bool:
        """Whether a batch may be handed over."""
        return not self.batch.messages

    def hand_over(self, batch: Batch[Msg]) -> None:
        """Take a batch; only when free."""
        self.batch = batch

    async def advance(self, wait_s: float | None) -> None:
        """Begin what waits, end what is done; wait at most this long for a post under way."""
        due = self.batch.messages and time.monotonic() >= self._not_before_s
        if self._task is None and due and self._settlement.store_life:
            self._task = asyncio.create_task(self._post())
        if self._task is None:
            return
        await asyncio.wait({self._task}, timeout=wait_s)
        if self._task.done():
            ended, self._task = self._task, None
            ended.result()

    async def end(self) -> None:
        """One last attempt; what the store does not take goes back, for another writer."""
        self._not_before_s = 0.0
        await self.advance(wait_s=None)
        left, self.batch = self.batch.messages, Batch()
        await self._settlement.take_back(held(left))

    async def abandon(self) -> None:
        """Leave nothing running behind: the loop has failed or was cancelled."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def replies(self) -> Iterator[str]:
        """Of what is in hand, to keep it alive."""
        return (message.reply for message, _one in self.batch.messages)

    async def _post(self) -> None:
        try:
            await self._drop_erased()
            if self.batch.messages:
                with self._metrics.post_seconds.time():
                    await self._import_all()
        except bus.BusUnavailableError as error:
            self._log.warning("registry_failed", reason=str(error))
            self._not_before_s = time.monotonic() + bus.RECONNECT_WAIT_S
        except StoreUnavailableError as error:
            self._log.warning("post_failed", reason=str(error), samples=self.batch.samples)
            self._settlement.lose_sight()
            self._not_before_s = time.monotonic() + PAUSE_S

    async def _drop_erased(self) -> None:
        """Let go of what homes sent that asked for erasure."""
        homes = {taken.installation for _message, taken in self.batch.messages}
        gone = await self._contributions.erased(homes)
        if not gone:
            return
        dropped = [pair for pair in self.batch.messages if pair[1].installation in gone]
        kept: Batch[Msg] = Batch()
        for message, taken in self.batch.messages:
            if taken.installation not in gone:
                kept.add(message, taken, self.batch.opened_s or 0.0)
        self.batch = kept
        await self._settlement.let_go(Fate.ERASED, held(dropped))

    async def _import_all(self) -> None:
        messages, samples = len(self.batch.messages), self.batch.samples
        oldest_s = age_s(self.batch, time.time())
        try:
            await self._import(self.batch.messages)
            self.batch = Batch()
        except StoreRejectedError:
            await self._import_one_by_one()
        self._metrics.batch_samples.observe(samples)
        self._log.info(
            "batch_written", messages=messages, samples=samples, oldest_s=round(oldest_s, 3)
        )

    async def _import(self, messages: list[tuple[Msg, Taken]]) -> None:
        life = self._settlement.store_life
        taken = [one for _message, one in messages]
        await self._store.import_lines(lines(taken))
        self._settlement.written(life, held(messages), rows(taken))

    async def _import_one_by_one(self) -> None:
        """The store refused the batch: find the messages that it means.

        Each leaves the batch in the moment in which it is entered elsewhere: the loop may look at
        the books at any time.
        """
        while self.batch.messages:
            message, one = self.batch.messages[0]
            try:
                await self._import([(message, one)])
                self._burial.fine(one.chunk.model)
            except StoreRejectedError:
                await self._burial.bury(
                    message, Refusal.STORE_REJECTED, one.chunk.model, one.samples
                )
            self.batch.drop_first()


def held(messages: list[tuple[Msg, Taken]]) -> list[Held]:
    """What to remember of messages."""
    return [
        Held(message.reply, taken.installation, taken.contribution) for message, taken in messages
    ]


def age_s(batch: Batch[Msg], now_s: float) -> float:
    """Of the batch's oldest message, by the stream's clock."""
    if not batch.messages:
        return 0.0
    oldest = min(message.metadata.timestamp for message, _one in batch.messages)
    return max(0.0, now_s - oldest.timestamp())
