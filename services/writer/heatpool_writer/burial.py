"""What can never be written -> DEADLETTER with its reason, unless the fault must be ours.

In: messages that cannot be decoded or that the store refuses. Out: dead letters, or requests for
redelivery. Guarantee: a message is gone from the stream's durable only after its dead letter is
stored; when the breaker opens nothing more is buried, and readiness goes off.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import nats.errors

from heatpool_chassis import bus
from heatpool_writer.books import Fate
from heatpool_writer.poison import Breaker
from heatpool_writer.settlement import NAK

if TYPE_CHECKING:
    from nats.aio.msg import Msg
    from nats.js.client import JetStreamContext
    from structlog.stdlib import BoundLogger

    from heatpool_chassis.lifecycle import Lifecycle
    from heatpool_chassis.metrics import WriterMetrics
    from heatpool_contract.refusals import Refusal
    from heatpool_writer.settlement import Settlement


class Burial:
    """The way out for poison."""

    def __init__(
        self,
        life: Lifecycle,
        metrics: WriterMetrics,
        js: JetStreamContext,
        settlement: Settlement,
        log: BoundLogger,
    ) -> None:
        self._life = life
        self._metrics = metrics
        self._js = js
        self._settlement = settlement
        self._log = log
        self._breaker = Breaker()

    @property
    def stopped(self) -> bool:
        """Whether there was so much poison that nothing may be taken any more."""
        return self._breaker.open_because is not None

    def fine(self, model: str) -> None:
        """A message of this model could be taken."""
        self._breaker.fine(model)

    async def bury(self, message: Msg, reason: Refusal, model: str, samples: int) -> None:
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
