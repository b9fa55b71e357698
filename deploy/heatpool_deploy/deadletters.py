"""`heatpoolctl dlq`: what could not be processed, and what to do about it.

In: the stream DEADLETTER. Out: a list, a message, replays into TELEMETRY. Guarantee: a dead letter
goes only after its replay is stored, or on an explicit drop; then it is overwritten on disk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import nats.errors
import nats.js.errors

from heatpool_chassis import bus, reading
from heatpool_contract import subjects

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from nats.aio.client import Client

LANES: Final = subjects.SUBJECTS_DEADLETTER
PREVIEW_BYTES: Final = 2000


class DeadLetterError(Exception):
    """There is no such dead letter, or it cannot be replayed."""


class DeadLetter(msgspec.Struct, frozen=True):
    """One message that could not be processed."""

    seq: int
    """In DEADLETTER."""
    at: str
    """When it was buried, ISO 8601."""
    model: str
    reason: str
    origin_seq: int
    """In TELEMETRY."""
    origin_subject: str
    bytes: int


async def listed(client: Client, model: str | None) -> AsyncIterator[DeadLetter]:
    """Dead letters, oldest first, of one heat-pump model or of all."""
    lane = subjects.deadletter_subject(model) if model else LANES
    async for message in reading.messages(client, subjects.STREAM_DEADLETTER, lane):
        yield _described(message)


async def payload(client: Client, seq: int) -> bytes:
    """Bytes of a dead letter, as they were refused."""
    js = client.jetstream(timeout=bus.CONTROL_TIMEOUT_S)
    try:
        message = await js.get_msg(subjects.STREAM_DEADLETTER, seq=seq)
    except nats.js.errors.NotFoundError as error:
        raise DeadLetterError(f"there is no dead letter {seq}") from error
    return message.data or b""


async def replay(client: Client, letters: list[DeadLetter]) -> int:
    """Give messages to the writer again, then remove them; how many.

    Raises:
        DeadLetterError: one has no origin (an advisory of the server, say).
        BusUnavailableError: the stream did not confirm; what is not yet replayed stays.
    """
    js = client.jetstream(timeout=bus.CONTROL_TIMEOUT_S)
    for letter in letters:
        if not letter.origin_subject.startswith("telemetry."):
            raise DeadLetterError(f"dead letter {letter.seq} has no origin to go back to")
        data = await payload(client, letter.seq)
        headers = {subjects.HEADER_MSG_ID: f"replay-{letter.seq}-{letter.origin_seq}"}
        try:
            await js.publish(
                letter.origin_subject, data, stream=subjects.STREAM_TELEMETRY, headers=headers
            )
        except (nats.errors.Error, TimeoutError) as error:
            raise bus.BusUnavailableError(f"not replayed: {type(error).__name__}") from error
        await js.delete_msg(subjects.STREAM_DEADLETTER, letter.seq)
    return len(letters)


async def drop(client: Client, letters: list[DeadLetter]) -> int:
    """Remove dead letters for good; how many."""
    js = client.jetstream(timeout=bus.CONTROL_TIMEOUT_S)
    for letter in letters:
        await js.delete_msg(subjects.STREAM_DEADLETTER, letter.seq)
    return len(letters)


def _described(message: reading.Stored) -> DeadLetter:
    headers = message.headers
    return DeadLetter(
        seq=message.seq,
        at=message.at.isoformat(timespec="seconds"),
        model=message.subject.partition(".")[2],
        reason=headers.get(subjects.HEADER_REASON, "unknown"),
        origin_seq=int(headers.get(subjects.HEADER_ORIGIN_SEQUENCE, "0")),
        origin_subject=headers.get(subjects.HEADER_ORIGIN_SUBJECT, ""),
        bytes=len(message.data),
    )
