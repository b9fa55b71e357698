"""A stream to a file and back: the server's own snapshots, with sequences and consumers.

In: a connection, the name of a stream, a file. Out: the other one. Guarantee: what is restored has
the same sequences and the same state of every durable, so that receipts, acknowledgements and the
registry's memory of what it has counted stay right.
Protocol: `$JS.API.STREAM.SNAPSHOT` and `.RESTORE`, as `nats stream backup` speaks it (jsm.go).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import msgspec
import nats.errors

from heatpool_chassis.bus import BusUnavailableError

if TYPE_CHECKING:
    from pathlib import Path

    from nats.aio.client import Client
    from nats.aio.subscription import Subscription

CHUNK_BYTES: Final = 128 * 1024
PIECE_S_MAX: Final = 30.0  # between two chunks
PENDING_CHUNKS_MAX: Final = 1024  # far more than the server sends without an answer
_API: Final = "$JS.API.STREAM"


class _Error(msgspec.Struct):
    code: int
    description: str = ""


class _Answer(msgspec.Struct):
    error: _Error | None = None
    config: msgspec.Raw = msgspec.Raw()
    state: msgspec.Raw = msgspec.Raw()
    deliver_subject: str = ""


class Shape(msgspec.Struct, frozen=True):
    """What the server has to know to restore a stream."""

    config: msgspec.Raw
    state: msgspec.Raw


class Saved(msgspec.Struct, frozen=True):
    """A stream in a file."""

    shape: Shape
    bytes: int
    sha256: str


async def save(client: Client, stream: str, path: Path) -> Saved:
    """Write a snapshot of `stream` to `path`.

    Raises:
        BusUnavailableError: it broke off; the file is not to be used.
    """
    inbox = client.new_inbox()
    subscription = await client.subscribe(inbox, pending_msgs_limit=PENDING_CHUNKS_MAX)
    digest, size = hashlib.sha256(), 0
    try:
        request = {"deliver_subject": inbox, "chunk_size": CHUNK_BYTES, "jsck": True}
        answer = await _ask(client, f"{_API}.SNAPSHOT.{stream}", request)
        with path.open("wb") as file:
            while chunk := await _next(client, subscription):
                digest.update(chunk)
                size += file.write(chunk)
    finally:
        await subscription.unsubscribe()
    return Saved(Shape(answer.config, answer.state), size, digest.hexdigest())


async def restore(client: Client, stream: str, shape: Shape, path: Path) -> None:
    """Make `stream` anew from a snapshot.

    Raises:
        BusUnavailableError: the server refuses it, because the stream exists for example.
    """
    answer = await _ask(client, f"{_API}.RESTORE.{stream}", shape)
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            await _send(client, answer.deliver_subject, chunk)
    await _send(client, answer.deliver_subject, b"")


async def _next(client: Client, subscription: Subscription) -> bytes:
    """The next chunk, empty at the end; the server sends more once it has an answer."""
    try:
        message = await subscription.next_msg(PIECE_S_MAX)
    except (nats.errors.Error, TimeoutError) as error:
        raise BusUnavailableError("the snapshot broke off") from error
    if message.data and message.reply:
        await client.publish(message.reply)
    status = (message.headers or {}).get("Status")
    if not message.data and status not in (None, "204"):
        raise BusUnavailableError(f"the snapshot broke off: {message.headers}")
    return message.data


async def _ask(client: Client, subject: str, request: object) -> _Answer:
    try:
        reply = await client.request(subject, msgspec.json.encode(request), timeout=PIECE_S_MAX)
    except (nats.errors.Error, TimeoutError) as error:
        raise BusUnavailableError(f"{subject}: {type(error).__name__}") from error
    return _checked(subject, reply.data)


async def _send(client: Client, subject: str, chunk: bytes) -> None:
    try:
        reply = await client.request(subject, chunk, timeout=PIECE_S_MAX)
    except (nats.errors.Error, TimeoutError) as error:
        raise BusUnavailableError(f"restore: {type(error).__name__}") from error
    if reply.data:
        _checked("restore", reply.data)


def _checked(subject: str, data: bytes) -> _Answer:
    answer = msgspec.json.decode(data, type=_Answer)
    if answer.error is not None:
        raise BusUnavailableError(f"{subject}: {answer.error.description or answer.error.code}")
    return answer
