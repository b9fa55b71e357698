"""One submission -> one atomic batch in the stream.

In: prepared payloads. Out: the stream sequences that hold them. Guarantee: all or nothing; what was
stored before is recognised and stored once; `PublishUnavailableError` leaves the outcome open, and
a repeat is then safe. Protocol: ADR-50 (nats-architecture-and-design), nats-server 2.12.1 or newer.
"""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING, Final

import msgspec
import nats.errors
import nats.js.errors

from heatpool_contract import subjects

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.js.api import PubAck

    from heatpool_ingest.preparation import Prepared

BATCHES_IN_FLIGHT_MAX: Final = 32  # the server keeps at most 50 open batches a stream
_ALREADY_STORED: Final = 10201  # "batch contains duplicate message id"


class PublishUnavailableError(Exception):
    """The stream did not confirm: disconnected, timed out, full. Repeat later."""


class Stored(msgspec.Struct, frozen=True):
    """Where the submission is."""

    seq_first: int
    seq_last: int
    duplicate: bool


class Publisher:
    """Publishes over one connection, a bounded number of submissions at a time."""

    def __init__(self, client: Client, timeout_s: float) -> None:
        self._client = client
        self._js = client.jetstream(timeout=timeout_s)
        self._timeout_s = timeout_s
        self._slots = asyncio.Semaphore(BATCHES_IN_FLIGHT_MAX)

    async def publish(self, prepared: Prepared) -> Stored:
        """Store every payload, or none.

        Raises:
            PublishUnavailableError: not confirmed.
        """
        try:
            async with asyncio.timeout(self._timeout_s), self._slots:
                return await self._publish(prepared)
        except (nats.errors.Error, TimeoutError, ConnectionError) as error:
            raise PublishUnavailableError(_describe(error)) from error

    async def _publish(self, prepared: Prepared) -> Stored:
        *before, last = prepared.payloads
        if not before:
            ack = await self._last(prepared, last, {})
            return Stored(ack.seq, ack.seq, bool(ack.duplicate))
        batch = {subjects.HEADER_BATCH_ID: secrets.token_hex(16)}
        for number, payload in enumerate(before):
            headers = {
                **batch,
                subjects.HEADER_BATCH_SEQUENCE: str(number + 1),
                subjects.HEADER_MSG_ID: f"{prepared.message_id}-{number}",
            }
            await self._client.publish(prepared.subject, payload, headers=headers)
        batch[subjects.HEADER_BATCH_SEQUENCE] = str(len(prepared.payloads))
        batch[subjects.HEADER_BATCH_COMMIT] = "1"
        try:
            ack = await self._last(prepared, last, batch)
        except nats.js.errors.APIError as error:
            if error.err_code != _ALREADY_STORED:
                raise
            # The batch is refused whole, without saying where the first one is. Alone, its last
            # message is acknowledged as a duplicate, with the sequence it was stored under.
            ack = await self._last(prepared, last, {})
            return Stored(ack.seq - len(before), ack.seq, duplicate=True)
        return Stored(ack.seq - len(before), ack.seq, duplicate=False)

    async def _last(self, prepared: Prepared, payload: bytes, batch: dict[str, str]) -> PubAck:
        return await self._js.publish(
            prepared.subject,
            payload,
            stream=subjects.STREAM_TELEMETRY,
            headers={
                subjects.HEADER_MSG_ID: f"{prepared.message_id}-{len(prepared.payloads) - 1}",
                **batch,
            },
        )


def _describe(error: Exception) -> str:
    """Kind of the failure, without payload or subject."""
    if isinstance(error, nats.js.errors.APIError):
        return f"JetStream {error.err_code}"
    return type(error).__name__
