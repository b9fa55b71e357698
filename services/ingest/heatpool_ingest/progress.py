"""What the bus says: how full the stream is, how far the writer, what ended as a dead letter.

In: a control connection, asked once a second. Out: `state` and `dead`. Guarantee: an answer of the
edge never waits for these; while they cannot be asked, the last ones count (publishing fails by
itself then). The dead letters' sequences are a copy of the stream's headers, read anew at start.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

import nats.errors
import nats.js.errors
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from heatpool_chassis import bus
from heatpool_contract import subjects
from heatpool_ingest.pressure import BusState

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.js.api import StreamState
    from structlog.stdlib import BoundLogger

    from heatpool_chassis.lifecycle import Lifecycle

POLL_S: Final = 1.0
CONTROL_TIMEOUT_S: Final = 3.0
DEAD_MAX: Final = 20_000
"""Newest dead letters that receipts know of. A hundred are critical to `nats server check`."""
_FETCH: Final = 500


class Progress:
    """The last known state of the bus."""

    def __init__(self, client: Client, log: BoundLogger) -> None:
        self._js = client.jetstream(timeout=CONTROL_TIMEOUT_S)
        self._log = log
        self.state = BusState()
        self.dead: OrderedDict[int, str] = OrderedDict()
        """Sequence in TELEMETRY -> reason."""
        self._dead_seen: tuple[int, int, int] | None = None

    async def run(self, life: Lifecycle) -> None:
        """Ask until the process stops."""
        while not life.stopping.is_set():
            try:
                await self.poll()
            except (nats.errors.Error, TimeoutError, ConnectionError) as error:
                self._log.warning("bus_not_asked", reason=type(error).__name__)
            await life.stopped_within(POLL_S)

    async def poll(self) -> None:
        """Ask once.

        Raises:
            nats.errors.Error, TimeoutError, ConnectionError: no answer.
        """
        stream = await self._js.stream_info(subjects.STREAM_TELEMETRY)
        try:
            writer = await self._js.consumer_info(
                subjects.STREAM_TELEMETRY, subjects.DURABLE_WRITER
            )
            pending = writer.num_pending or 0
            floor_seq = writer.ack_floor.stream_seq if writer.ack_floor else 0
        except nats.js.errors.NotFoundError:  # no writer yet: nothing is stored, all is pending
            pending, floor_seq = stream.state.messages, 0
        room = stream.config.max_bytes or -1
        self.state = BusState(
            fill=stream.state.bytes / room if room > 0 else 0.0,
            pending=pending,
            floor_seq=floor_seq,
            last_seq=stream.state.last_seq,
        )
        dead = (await self._js.stream_info(subjects.STREAM_DEADLETTER)).state
        seen = (dead.first_seq, dead.last_seq, dead.messages)
        if seen != self._dead_seen:
            await self._read_dead(dead)
            self._dead_seen = seen

    async def _read_dead(self, state: StreamState) -> None:
        """Read the headers of the newest dead letters."""
        found: OrderedDict[int, str] = OrderedDict()
        if state.messages:
            subscription = await bus.temporary(
                self._js,
                subjects.STREAM_DEADLETTER,
                ConsumerConfig(
                    filter_subject=subjects.SUBJECTS_DEADLETTER,
                    deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
                    opt_start_seq=max(state.first_seq, state.last_seq - DEAD_MAX + 1),
                    ack_policy=AckPolicy.NONE,
                    headers_only=True,
                    inactive_threshold=30.0,
                ),
            )
            try:
                while True:
                    for message in await subscription.fetch(_FETCH, timeout=0.5):
                        origin = (message.headers or {}).get(subjects.HEADER_ORIGIN_SEQUENCE, "")
                        if origin.isdigit():  # advisories have none
                            found[int(origin)] = (message.headers or {}).get(
                                subjects.HEADER_REASON, "unknown"
                            )
                        last = message.metadata
                    if last.num_pending == 0:
                        break
            finally:
                await subscription.unsubscribe()
        self.dead = found
