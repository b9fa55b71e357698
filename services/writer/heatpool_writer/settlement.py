"""From written to acknowledged: when the store has kept it long enough, in one life.

In: messages whose post was answered with 204. Out: acknowledgements, or requests for redelivery.
Guarantee: acknowledged only `durable_s` after the 204, if the store has not restarted since, and
after the registry has the contribution; everything else goes back to the stream.
"""

from __future__ import annotations

import time
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import nats.errors

from heatpool_chassis.bus import BusUnavailableError
from heatpool_chassis.victoria import StoreUnavailableError
from heatpool_writer.books import Books, Difference, Fate, StoreBooks, counters
from heatpool_writer.ledger import AckLedger, Held
from heatpool_writer.store_flags import faults

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nats.aio.client import Client
    from structlog.stdlib import BoundLogger

    from heatpool_chassis.metrics import WriterMetrics
    from heatpool_chassis.victoria import Victoria
    from heatpool_writer.contributions import Contributions

KEEP_ALIVE_S: Final = 20.0  # a third of the consumer's ack_wait
SETTLE_S: Final = 1.0
STORE_AGE_S_MIN: Final = 2.0
"""A life of the store is told by its start time, which counts whole seconds: one that is younger
than this could be followed by another of the same name, so nothing is entrusted to it yet."""
ACK: Final = b"+ACK"
NAK: Final = b"-NAK"
IN_PROGRESS: Final = b"+WPI"


class StoreState(StrEnum):
    """What the writer knows of the store."""

    READY = "ready"
    AWAY = "away"
    """It does not answer, or not to a post."""
    YOUNG = "young"
    """It answers, and has run for less than `STORE_AGE_S_MIN`."""


class Settlement:
    """The second half of a message's way through the writer."""

    def __init__(
        self,
        durable_s: float,
        metrics: WriterMetrics,
        client: Client,
        store: Victoria,
        contributions: Contributions,
        log: BoundLogger,
    ) -> None:
        self.ledger = AckLedger()
        self.books = Books()
        self.store_life = ""
        """Empty while nothing may be entrusted to the store."""
        self.store_state = StoreState.AWAY
        self.store_faults: list[str] = []
        """Flags of the store that would break a guarantee."""
        self._durable_s = durable_s
        self._metrics = metrics
        self._client = client
        self._store = store
        self._contributions = contributions
        self._log = log
        self._store_books = StoreBooks()
        self._alarmed = Difference()
        self._settled_s = 0.0

    async def know_store(self) -> bool:
        """Whether the store may be written to; learns its state and life, compares the books."""
        try:
            metrics = await self._store.metrics()
        except StoreUnavailableError:
            self.lose_sight()
            return False
        now = counters(metrics)
        young = now.age_s < STORE_AGE_S_MIN
        self.store_state = StoreState.YOUNG if young else StoreState.READY
        self.store_life = "" if young else now.life
        if young:
            return False
        self.store_faults = faults(metrics)
        difference = self._store_books.compare(now, time.monotonic())
        for reason in ("missing", "surplus", "invalid", "ignored"):
            rows: int = getattr(difference, reason)
            self._metrics.store_difference.labels(reason).set(rows)
        self._metrics.store_alarm.set(difference.alarm)
        if difference.alarm and difference != self._alarmed:
            self._log.error("store_differs", difference=str(difference))
            self._alarmed = difference
        return True

    def lose_sight(self) -> None:
        """The store did not answer: ask for its life before the next post."""
        self.store_life = ""
        self.store_state = StoreState.AWAY

    def written(self, life: str, held: list[Held], rows: int) -> None:
        """A post that began in this life of the store was answered with success."""
        self.ledger.add(time.monotonic(), life, held)
        self._store_books.sent(life, rows, time.monotonic())
        self._metrics.samples.labels("written").inc(sum(one.samples for one in held))

    async def settle(self) -> None:
        """Acknowledge what is durable; take back what a restart of the store may have lost."""
        now_s = time.monotonic()
        await self.send((h.reply for h in self.ledger.unattended(now_s, KEEP_ALIVE_S)), IN_PROGRESS)
        if now_s - self._settled_s < SETTLE_S:
            return
        self._settled_s = now_s
        self._metrics.unacknowledged.set(self.ledger.messages)
        if not self.ledger.any_due(now_s, self._durable_s) or not await self.know_store():
            return
        if lost := self.ledger.lost(self.store_life):
            self._metrics.rewinds.inc()
            self._log.warning("store_restarted", messages_taken_back=len(lost))
            await self.take_back(lost)
        ripe = self.ledger.durable(now_s, self._durable_s)
        if not ripe:
            return
        try:
            await self._contributions.record(ripe)
        except BusUnavailableError as error:
            self._log.warning("registry_failed", reason=str(error))
            await self.take_back(ripe)
            return
        await self.let_go(Fate.ACKNOWLEDGED, ripe)
        self._metrics.samples.labels("durable").inc(sum(one.samples for one in ripe))

    async def end(self) -> None:
        """The process stops: what is not yet durable goes back, for the next writer to repeat."""
        self._settled_s = 0.0
        await self.settle()
        await self.take_back(self.ledger.all())

    async def let_go(self, fate: Fate, held: list[Held]) -> None:
        """Acknowledge. If that gets lost the messages come again, which changes nothing."""
        self._enter(fate, held)
        await self.send((one.reply for one in held), ACK)

    async def take_back(self, held: list[Held]) -> None:
        """Ask for redelivery; if that fails, the consumer's ack_wait brings them anyway."""
        self._enter(Fate.RETURNED, held)
        await self.send((one.reply for one in held), NAK)

    async def send(self, replies: Iterable[str], verb: bytes) -> None:
        """One of the acknowledgement verbs of JetStream for each message."""
        try:
            for reply in replies:
                await self._client.publish(reply, verb)
        except (nats.errors.Error, ConnectionError) as error:
            kind = type(error).__name__
            self._log.warning("acknowledgement_failed", verb=verb.decode(), reason=kind)

    def _enter(self, fate: Fate, held: list[Held]) -> None:
        """Count messages in the books and in the metrics."""
        self.count(fate, len(held), sum(one.samples for one in held))

    def count(self, fate: Fate, messages: int, samples: int) -> None:
        """As `_enter`, for messages that are not held."""
        if messages:
            self.books.count(fate, messages, samples)
            self._metrics.messages.labels(fate).inc(messages)
            self._metrics.samples.labels(fate).inc(samples)
