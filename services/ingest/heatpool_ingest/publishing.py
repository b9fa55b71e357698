"""One submission -> one atomic batch in the stream; many small ones -> one batch together.

In: prepared payloads. Out: the stream sequences that hold them. Guarantee: all or nothing; what was
stored before is recognised and stored once; `PublishUnavailableError` leaves the outcome open, and
a repeat is then safe. Protocol: ADR-50 (nats-architecture-and-design), nats-server 2.12.1 or newer.

Group commit: requests of one message each that wait at the same time are committed together, in
one atomic batch, where that is cheaper than one by one. With `sync_interval: always` the server
syncs once a batch instead of once a message (docs/decisions/0201).
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from typing import TYPE_CHECKING, Final

import msgspec
import nats.errors
import nats.js.errors

from heatpool_contract import subjects

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

    from nats.aio.client import Client
    from nats.js.api import PubAck

    from heatpool_ingest.preparation import Prepared

LARGE_IN_FLIGHT_MAX: Final = 2  # batches of one request; each holds a few MiB in the connection
GROUPS_IN_FLIGHT_MAX: Final = 2  # one is synced while the next is sent
GROUP_MESSAGES_MAX: Final = 256
GROUP_BYTES_MAX: Final = 1024 * 1024
HEADERS_BYTES_MAX: Final = 1024  # ours, the server's reply subject and the protocol line
_SINGLE_S: Final = 0.0005  # first guesses of what a message alone and a batch cost; both are learnt
_BATCH_S: Final = 0.012
_LEARNING: Final = 0.2
_FORGETTING: Final = (
    0.01  # towards the first guess, so that one bad moment does not decide for ever
)
_ALREADY_STORED: Final = 10201  # "batch contains duplicate message id"


class PublishUnavailableError(Exception):
    """The stream did not confirm: disconnected, timed out, full. Repeat later."""


class Stored(msgspec.Struct, frozen=True):
    """Where the submission is."""

    seq_first: int
    seq_last: int
    duplicate: bool


class _Waiting(msgspec.Struct, frozen=True):
    """A request of one message on its way into a group."""

    message_id: str
    subject: str
    payload: bytes
    headers: dict[str, str]
    expires_s: float
    """On the loop's clock: when nobody waits for it any longer."""
    done: asyncio.Future[Stored]


class Publisher:
    """Publishes over one connection, a bounded number of submissions at a time."""

    def __init__(self, client: Client, timeout_s: float) -> None:
        self._client = client
        self._js = client.jetstream(timeout=timeout_s)
        self._timeout_s = timeout_s
        self._large = asyncio.Semaphore(LARGE_IN_FLIGHT_MAX)
        self._waiting: deque[_Waiting] = deque()
        self._by_id: dict[str, asyncio.Future[Stored]] = {}
        self._flushing: set[asyncio.Task[None]] = set()
        self._cost = _Costs()
        self.grouped = 0
        """Requests that were committed in a batch with others."""

    async def publish(self, prepared: Prepared, headers: Mapping[str, str]) -> Stored:
        """Store every payload, or none. `headers` go with each message (trace, clock).

        Raises:
            PublishUnavailableError: not confirmed.
        """
        longest = max(map(len, prepared.payloads))
        if longest + HEADERS_BYTES_MAX > self._client.max_payload:
            # nats-py counts the payload alone; the server counts both and cuts the connection.
            raise PublishUnavailableError("max_payload of the server is too small")
        if len(prepared.payloads) == 1:
            return await self._in_group(prepared, headers)
        try:
            async with asyncio.timeout(self._timeout_s), self._large:
                return await self._batch_of_one(prepared, headers)
        except (nats.errors.Error, TimeoutError, ConnectionError) as error:
            raise PublishUnavailableError(_describe(error)) from error

    async def _batch_of_one(self, prepared: Prepared, headers: Mapping[str, str]) -> Stored:
        count = len(prepared.payloads)
        messages = [
            (
                prepared.subject,
                payload,
                {**headers, subjects.HEADER_MSG_ID: f"{prepared.message_id}-{n}"},
            )
            for n, payload in enumerate(prepared.payloads)
        ]
        try:
            last = await self._batch(messages)
        except nats.js.errors.APIError as error:
            if error.err_code != _ALREADY_STORED:
                raise
            # The batch is refused whole, without saying where the first one is. Alone, its last
            # message is acknowledged as a duplicate, with the sequence it was stored under.
            ack = await self._alone(*messages[-1])
            return Stored(ack.seq - count + 1, ack.seq, duplicate=True)
        return Stored(last - count + 1, last, duplicate=False)

    async def _in_group(self, prepared: Prepared, headers: Mapping[str, str]) -> Stored:
        known = self._by_id.get(prepared.message_id)
        if known is not None and not known.done():  # the same request, twice at the same time
            return await _as_duplicate(known)
        loop = asyncio.get_running_loop()
        one = _Waiting(
            message_id=prepared.message_id,
            subject=prepared.subject,
            payload=prepared.payloads[0],
            headers={**headers, subjects.HEADER_MSG_ID: f"{prepared.message_id}-0"},
            expires_s=loop.time() + self._timeout_s,
            done=loop.create_future(),
        )
        self._by_id[prepared.message_id] = one.done
        self._waiting.append(one)
        if len(self._flushing) < GROUPS_IN_FLIGHT_MAX:
            task = asyncio.create_task(self._flush())
            self._flushing.add(task)
            task.add_done_callback(self._flushing.discard)
        return await one.done  # who is cancelled cancels it, and it is not sent any more

    async def _flush(self) -> None:
        """Commit group after group until nobody waits."""
        while self._waiting:
            if not (group := self._next_group()):
                return
            try:
                # The oldest one's time is all that the group has: nobody waits for longer than his.
                async with asyncio.timeout_at(group[0].expires_s):
                    await self._commit(group)
            except (nats.errors.Error, TimeoutError, ConnectionError) as error:
                _fail(group, _describe(error))
            finally:
                _fail(group, "interrupted")
                for one in group:
                    self._forget(one)

    def _next_group(self) -> list[_Waiting]:
        group: list[_Waiting] = []
        size, now_s = 0, asyncio.get_running_loop().time()
        while self._waiting and len(group) < GROUP_MESSAGES_MAX:
            one = self._waiting[0]
            size += len(one.payload)
            if group and size > GROUP_BYTES_MAX:
                break
            self._waiting.popleft()
            if one.expires_s <= now_s:
                _fail([one], TimeoutError.__name__)
            if one.done.done():
                self._forget(one)
            else:
                group.append(one)
        return group

    def _forget(self, one: _Waiting) -> None:
        if self._by_id.get(one.message_id) is one.done:  # not that of a repeat of what was given up
            del self._by_id[one.message_id]

    async def _commit(self, group: list[_Waiting]) -> None:
        loop = asyncio.get_running_loop()
        started_s = loop.time()
        if not self._cost.batch_is_cheaper(len(group)):
            await self._one_by_one(group)
            self._cost.singles_took((loop.time() - started_s) / len(group))
            return
        try:
            last = await self._batch([(one.subject, one.payload, one.headers) for one in group])
        except nats.js.errors.APIError as error:
            if error.err_code != _ALREADY_STORED:
                raise
            await self._one_by_one(group)  # a repeat among them; the server does not say which
            return
        self._cost.batch_took(loop.time() - started_s)
        self.grouped += len(group)
        for seq, one in enumerate(group, last - len(group) + 1):
            _settle(one, Stored(seq, seq, duplicate=False))

    async def _one_by_one(self, group: list[_Waiting]) -> None:
        async def store(one: _Waiting) -> None:
            try:
                ack = await self._alone(one.subject, one.payload, one.headers)
            except (nats.errors.Error, TimeoutError, ConnectionError) as error:
                _fail([one], _describe(error))
            else:
                _settle(one, Stored(ack.seq, ack.seq, bool(ack.duplicate)))

        await _together([store(one) for one in group])

    async def _batch(self, messages: list[tuple[str, bytes, dict[str, str]]]) -> int:
        """Commit messages atomically; the sequence of the last one."""
        head = {subjects.HEADER_BATCH_ID: secrets.token_hex(16)}
        *before, (subject, payload, headers) = messages
        for number, (each_subject, each_payload, each_headers) in enumerate(before, 1):
            await self._client.publish(
                each_subject,
                each_payload,
                headers={**head, subjects.HEADER_BATCH_SEQUENCE: str(number), **each_headers},
            )
        head[subjects.HEADER_BATCH_SEQUENCE] = str(len(messages))
        head[subjects.HEADER_BATCH_COMMIT] = "1"
        return (await self._alone(subject, payload, {**head, **headers})).seq

    async def _alone(self, subject: str, payload: bytes, headers: dict[str, str]) -> PubAck:
        return await self._js.publish(
            subject, payload, stream=subjects.STREAM_TELEMETRY, headers=headers
        )


class _Costs:
    """Which is cheaper, learnt from what the last ones took: it depends on disk and settings."""

    def __init__(self) -> None:
        self._single_s = _SINGLE_S
        self._batch_s = _BATCH_S

    def batch_is_cheaper(self, messages: int) -> bool:
        return messages > 1 and messages * self._single_s > self._batch_s

    def singles_took(self, each_s: float) -> None:
        self._single_s += _LEARNING * (each_s - self._single_s)
        self._batch_s += _FORGETTING * (_BATCH_S - self._batch_s)

    def batch_took(self, batch_s: float) -> None:
        self._batch_s += _LEARNING * (batch_s - self._batch_s)
        self._single_s += _FORGETTING * (_SINGLE_S - self._single_s)


async def _as_duplicate(known: asyncio.Future[Stored]) -> Stored:
    """Wait for what another request sends just now."""
    try:
        return msgspec.structs.replace(await asyncio.shield(known), duplicate=True)
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise PublishUnavailableError("given up") from None  # by the other one


async def _together(work: list[Coroutine[None, None, None]]) -> None:
    async with asyncio.TaskGroup() as group:
        for one in work:
            group.create_task(one)


def _settle(one: _Waiting, stored: Stored) -> None:
    if not one.done.done():
        one.done.set_result(stored)


def _fail(group: list[_Waiting], reason: str) -> None:
    for one in group:
        if not one.done.done():
            one.done.set_exception(PublishUnavailableError(reason))
            one.done.exception()  # whoever waited may be gone; asyncio is not to complain of it


def _describe(error: Exception) -> str:
    """Kind of the failure, without payload or subject."""
    if isinstance(error, nats.js.errors.APIError):
        return f"JetStream {error.err_code}"
    return type(error).__name__
