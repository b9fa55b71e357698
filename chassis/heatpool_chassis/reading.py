"""What a stream holds, read without a consumer: its messages in their order, to the very last.

In: a stream, a filter, where to begin. Out: messages; or, for who follows, messages and then
`None` whenever there is nothing newer. Guarantee: nothing is left out that the stream held when
the reading began, or when it says `None`.

No consumers: who may create one may have the server deliver to any subject of the account
(docs/decisions/0701). Direct gets bring hundreds of messages at once, but a replica that lags may
answer them; so the leader is asked what comes next, and it has the last word.
"""

from __future__ import annotations

import asyncio
import contextlib
from datetime import datetime
from typing import TYPE_CHECKING, Final

import msgspec
import nats.errors
import nats.js.errors

from heatpool_chassis.bus import CONTROL_TIMEOUT_S, BusUnavailableError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from nats.aio.client import Client
    from nats.aio.msg import Msg

BATCH_MESSAGES_MAX: Final = 512
BATCH_BYTES_MAX: Final = 4 * 1024 * 1024  # far below what nats-py drops beyond
POLL_S: Final = 0.2  # finding nothing new costs a tenth of a millisecond (bench/bus_costs.py)
LOOKS: Final = 25
"""After so many a follower asks whether the stream still is the one that it has read."""
HEADER_OPERATION: Final = "KV-Operation"  # on what marks a key as deleted
_HEADER_STATUS: Final = "Status"
_NO_MESSAGE: Final = 10037
_END: Final = ("204", "404")  # end of batch; nothing there


class Stored(msgspec.Struct, frozen=True):
    """A message as the stream has it."""

    subject: str
    seq: int
    data: bytes
    headers: dict[str, str]
    at: datetime


class _Ask(msgspec.Struct, frozen=True):
    """A direct get of many (ADR-31)."""

    seq: int
    next_by_subj: str
    batch: int = BATCH_MESSAGES_MAX
    max_bytes: int = BATCH_BYTES_MAX


class _Identity(msgspec.Struct, frozen=True):
    """By what a follower knows the stream again."""

    created: datetime | None
    last_seq: int
    messages: int


async def messages(
    client: Client, stream: str, subject: str, from_seq: int = 1
) -> AsyncIterator[Stored]:
    """What the stream holds under `subject`, oldest first, in bounded memory.

    Raises:
        BusUnavailableError: the reading broke off.
    """
    try:
        async for one in _to_the_last(client, stream, subject, from_seq):
            yield one
    except (nats.errors.Error, TimeoutError) as error:
        raise BusUnavailableError(f"{stream} not read: {type(error).__name__}") from error


async def followed(
    client: Client, stream: str, subject: str
) -> AsyncGenerator[Stored | None, None]:
    """What the stream holds, then what comes; `None` whenever that was everything.

    Ends when the stream was made anew, cut or emptied meanwhile: begin anew, too.

    Raises:
        nats.errors.Error, TimeoutError: as the connection does.
    """
    known, seq = await _identity(client, stream), 0
    while True:
        for _look in range(LOOKS):
            async for one in _to_the_last(client, stream, subject, seq + 1):
                seq = one.seq
                yield one
            yield None
            await asyncio.sleep(POLL_S)
        before, known = known, await _identity(client, stream)
        # With one message a subject the count falls only when something was taken out.
        if known.created != before.created or known.messages < before.messages:
            return
        if known.last_seq < seq:
            return


async def _to_the_last(
    client: Client, stream: str, subject: str, from_seq: int
) -> AsyncIterator[Stored]:
    while (one := await _next(client, stream, subject, from_seq)) is not None:
        yield one
        from_seq = one.seq + 1
        for one in await _batch(client, stream, subject, from_seq):
            yield one
            from_seq = one.seq + 1


async def _next(client: Client, stream: str, subject: str, from_seq: int) -> Stored | None:
    """The leader's next message, or None: there is none."""
    js = client.jetstream(timeout=CONTROL_TIMEOUT_S)
    try:
        found = await js.get_msg(stream, seq=from_seq, subject=subject, next=True)
    except nats.js.errors.NotFoundError as error:
        if error.err_code != _NO_MESSAGE:
            raise  # there is no such stream: that is not the same as an empty one
        return None
    return Stored(
        found.subject or "",
        found.seq or 0,
        found.data or b"",
        found.headers or {},
        found.time or datetime.min,  # noqa: DTZ901 - never: the server always says
    )


async def _batch(client: Client, stream: str, subject: str, from_seq: int) -> list[Stored]:
    """What some replica has from there on, as far as a batch goes."""
    subscription = await client.subscribe(client.new_inbox())
    try:
        ask = msgspec.json.encode(_Ask(from_seq, subject))
        await client.publish(f"$JS.API.DIRECT.GET.{stream}", ask, reply=subscription.subject)
        found: list[Stored] = []
        while True:
            message = await subscription.next_msg(CONTROL_TIMEOUT_S)
            status = (message.headers or {}).get(_HEADER_STATUS)
            if status in _END:
                return found
            if status is not None:
                raise nats.js.errors.APIError.from_msg(message)
            one, before = _stored(message)
            if found and before != found[-1].seq:  # what is missing is asked for again
                return found
            found.append(one)
    finally:
        with contextlib.suppress(nats.errors.Error):
            await subscription.unsubscribe()


def _stored(message: Msg) -> tuple[Stored, int]:
    """A message, and the number of the one before it in its batch."""
    headers = message.headers or {}
    one = Stored(
        headers["Nats-Subject"],
        int(headers["Nats-Sequence"]),
        message.data,
        headers,
        datetime.fromisoformat(headers["Nats-Time-Stamp"]),
    )
    return one, int(headers["Nats-Last-Sequence"])


async def _identity(client: Client, stream: str) -> _Identity:
    info = await client.jetstream(timeout=CONTROL_TIMEOUT_S).stream_info(stream)
    return _Identity(info.created, info.state.last_seq, info.state.messages)
