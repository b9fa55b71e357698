"""What the bus says: how full the stream is, how far the writer, what ended as a dead letter.

In: a control connection, asked once a second. Out: `state` and `dead`. Guarantee: an answer of the
edge never waits for these; while they cannot be asked, the last ones count (publishing fails by
itself then). The dead letters' sequences are a copy of the stream's headers, read at start and as
they come.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

import nats.errors
import nats.js.errors

from heatpool_chassis import reading
from heatpool_chassis.bus import BusError
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


class Progress:
    """The last known state of the bus."""

    def __init__(self, client: Client, log: BoundLogger) -> None:
        self._client = client
        self._js = client.jetstream(timeout=CONTROL_TIMEOUT_S)
        self._log = log
        self.state = BusState()
        self.dead: OrderedDict[int, str] = OrderedDict()
        """Sequence in TELEMETRY -> reason."""
        self._dead_state: StreamState | None = None

    async def run(self, life: Lifecycle) -> None:
        """Ask until the process stops."""
        while not life.stopping.is_set():
            try:
                await self.poll()
            except (nats.errors.Error, BusError, TimeoutError, ConnectionError) as error:
                self._log.warning("bus_not_asked", reason=type(error).__name__)
            await life.stopped_within(POLL_S)

    async def poll(self) -> None:
        """Ask once.

        Raises:
            nats.errors.Error, BusError, TimeoutError, ConnectionError: no answer.
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
        if dead != self._dead_state:
            await self._read_dead(dead)
            self._dead_state = dead

    async def _read_dead(self, now: StreamState) -> None:
        """Read the newest dead letters; only what came, if nothing was taken away."""
        before = self._dead_state
        grown = before is not None and before.first_seq == now.first_seq
        if before and grown and now.messages - before.messages == now.last_seq - before.last_seq:
            found, from_seq = self.dead, before.last_seq + 1
        else:
            found, from_seq = OrderedDict(), max(1, now.first_seq)
        from_seq = max(from_seq, now.last_seq - DEAD_MAX + 1)
        async for letter in reading.messages(
            self._client, subjects.STREAM_DEADLETTER, subjects.SUBJECTS_DEADLETTER, from_seq
        ):
            origin = letter.headers.get(subjects.HEADER_ORIGIN_SEQUENCE, "")
            if origin.isdigit():  # advisories have none
                found[int(origin)] = letter.headers.get(subjects.HEADER_REASON, "unknown")
        while len(found) > DEAD_MAX:
            found.popitem(last=False)
        self.dead = found
