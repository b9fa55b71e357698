"""Beside the loop: room in the stream, and where its messages are.

In: the state of stream and consumer. Out: purges of what is acknowledged; the conservation ledger
over all writers, as metrics. Guarantee: nothing is purged that the writer has not acknowledged; a
trainer that stopped cannot fill the stream and so block the edge (it sees the gap by sequence).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import nats.errors

from heatpool_chassis import bus
from heatpool_contract import subjects

if TYPE_CHECKING:
    from nats.aio.client import Client
    from structlog.stdlib import BoundLogger

    from heatpool_chassis.lifecycle import Lifecycle
    from heatpool_chassis.metrics import WriterMetrics
    from heatpool_writer.contributions import Contributions

ROUND_S: Final = 5.0
FILL_MAX: Final = 0.8
"""Discard-new refuses at 1.0; a fifth of the stream is hours of the pool's rate."""


class StreamState(msgspec.Struct, frozen=True):
    """What decides."""

    bytes: int
    bytes_max: int
    """0 or less: no limit."""
    first_seq: int
    last_seq: int
    ack_floor: int
    """Every message up to this one is acknowledged by the writer."""
    waiting: int
    """Not yet delivered to a writer."""
    in_hand: int
    """Delivered and not acknowledged."""

    @property
    def fill(self) -> float:
        """Part of the stream's room that is taken."""
        return self.bytes / self.bytes_max if self.bytes_max > 0 else 0.0


def purge_below(state: StreamState) -> int | None:
    """PURE: the first sequence to keep, or None if there is nothing to purge or no need."""
    if state.fill < FILL_MAX or state.ack_floor < state.first_seq:
        return None
    return state.ack_floor + 1


def vanished(before: StreamState | None, now: StreamState) -> int:
    """PURE: messages that left the stream between two looks before a writer acknowledged them.

    By age, or by an operator's purge. An upper bound: what a writer acknowledged since `before` and
    the stream then let go counts too, which takes a stream that lives shorter than a round.
    """
    if before is None:
        return 0
    return max(0, min(now.first_seq - 1, before.last_seq) - max(before.ack_floor, now.ack_floor))


class Janitor:
    """Looks every few seconds."""

    def __init__(
        self,
        life: Lifecycle,
        metrics: WriterMetrics,
        client: Client,
        contributions: Contributions,
        log: BoundLogger,
    ) -> None:
        self._life = life
        self._metrics = metrics
        self._js = client.jetstream(timeout=bus.CONTROL_TIMEOUT_S)
        self._contributions = contributions
        self._log = log
        self._before: StreamState | None = None
        self._vanished = 0

    async def run(self) -> None:
        """Until the process stops."""
        while not await self._life.stopped_within(ROUND_S):
            try:
                await self.look()
            except (nats.errors.Error, TimeoutError) as error:
                self._log.warning("janitor_failed", reason=type(error).__name__)

    async def look(self) -> StreamState:
        """One round; what it saw."""
        state = await self._state()
        if (keep := purge_below(state)) is not None:
            await self._js.purge_stream(subjects.STREAM_TELEMETRY, seq=keep)
            purged = keep - state.first_seq
            self._metrics.purged_messages.inc(purged)
            self._log.warning("purged", messages=purged, fill=round(state.fill, 3))
        elif gone := vanished(self._before, state):
            self._vanished += gone
            self._log.error("messages_vanished", messages=gone)
        self._before = state
        self._contributions.floor = state.ack_floor
        settled = state.last_seq - state.waiting - state.in_hand - self._vanished
        for place, count in (
            ("published", state.last_seq),
            ("settled", settled),
            ("waiting", state.waiting),
            ("in_hand", state.in_hand),
            ("vanished", self._vanished),
        ):
            self._metrics.stream_messages.labels(place).set(count)
        self._metrics.stream_fill_ratio.set(state.fill)
        return state

    async def _state(self) -> StreamState:
        consumer = await self._js.consumer_info(subjects.STREAM_TELEMETRY, subjects.DURABLE_WRITER)
        stream = await self._js.stream_info(subjects.STREAM_TELEMETRY)
        floor = consumer.ack_floor.stream_seq if consumer.ack_floor else 0
        return StreamState(
            bytes=stream.state.bytes,
            bytes_max=stream.config.max_bytes or 0,
            first_seq=stream.state.first_seq,
            last_seq=stream.state.last_seq,
            ack_floor=floor,
            waiting=consumer.num_pending or 0,
            in_hand=consumer.num_ack_pending or 0,
        )
