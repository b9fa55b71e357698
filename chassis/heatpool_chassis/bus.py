"""NATS for the services: connect so that nothing hangs or lies, provision, verify, fetch, bury.

Guarantee: raises `BusUnavailableError` where trying again may help and `TopologyError` where only
an operator can; a connection that is closed for good ends the process. The settings answer to
traps measured with nats-py 2.16 (docs/decisions/0005).
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

import msgspec
import nats
import nats.errors
import nats.js.errors
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from heatpool_contract import subjects

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from nats.aio.client import Client
    from nats.aio.msg import Msg
    from nats.js.api import StreamConfig
    from nats.js.client import JetStreamContext

    from heatpool_chassis.lifecycle import Lifecycle
    from heatpool_chassis.topology import Topology

CONNECT_S_MAX: Final = 30.0
PING_INTERVAL_S: Final = 5
PINGS_OUTSTANDING_MAX: Final = 2
"""A frozen server is noticed after interval x (outstanding + 1) = 15 s; the default takes 360 s."""
RECONNECT_WAIT_S: Final = 0.5
CONTROL_TIMEOUT_S: Final = 5.0
_KV_STREAM: Final = "KV_"
_OBJECT_STREAM: Final = "OBJ_"
_DEADLETTER_REPLY_S: Final = 10.0
_READ_MESSAGES: Final = 50  # x 480 KiB stays below the pending bytes
_READ_PENDING_BYTES_MAX: Final = 64 * 1024 * 1024
_READ_INACTIVE_S: Final = 60.0


class BusError(Exception):
    """NATS did not do what was asked."""


class BusUnavailableError(BusError):
    """Not connected, timed out or full: the same call may work later."""


class TopologyError(BusError):
    """Streams, consumers or buckets are missing or differ; `heatpoolctl provision` mends it."""


class Identity(msgspec.Struct, frozen=True):
    """How a service shows itself to NATS. Empty strings: the server asks for nothing."""

    user: str = ""
    password: str = ""

    def __repr__(self) -> str:
        return f"Identity({self.user!r})"


async def connect(life: Lifecycle, urls: str, identity: Identity, *, buffered: bool) -> Client:
    """Connect, for the life of the process.

    `buffered=False`: publishing while disconnected fails at once instead of being sent, unasked,
    after the reconnect, when the caller has long been told that it failed.

    Raises:
        BusUnavailableError: no server within `CONNECT_S_MAX`.
    """

    async def on_closed() -> None:
        # nats-py closes for good on protocol errors, even with endless reconnects.
        life.set_check("nats", ok=False)
        life.stopping.set()

    async def on_disconnected() -> None:
        # An exception in here would end the reconnecting for ever: only assignments.
        life.set_check("nats", ok=False)

    async def on_reconnected() -> None:
        life.metrics.bus_reconnects.inc()
        life.set_check("nats", ok=True)

    async def on_error(_error: Exception) -> None:
        """Each failed call raises by itself; nats-py's default would log to stderr."""

    deadline = asyncio.get_running_loop().time() + CONNECT_S_MAX
    while True:
        try:
            client = await nats.connect(
                urls.split(","),
                name=life.service,
                user=identity.user or None,
                password=identity.password or None,
                closed_cb=on_closed,
                disconnected_cb=on_disconnected,
                reconnected_cb=on_reconnected,
                error_cb=on_error,
                allow_reconnect=True,
                max_reconnect_attempts=-1,
                reconnect_time_wait=RECONNECT_WAIT_S,
                ping_interval=PING_INTERVAL_S,
                max_outstanding_pings=PINGS_OUTSTANDING_MAX,
                connect_timeout=2,
                **({} if buffered else {"pending_size": 0}),
            )
        except (TimeoutError, OSError, nats.errors.Error) as error:
            if asyncio.get_running_loop().time() > deadline or life.stopping.is_set():
                raise BusUnavailableError(f"no NATS server: {type(error).__name__}") from error
            await asyncio.sleep(RECONNECT_WAIT_S)
        else:
            life.set_check("nats", ok=True)
            return client


async def close(client: Client) -> None:
    """Send what is buffered and close (`drain` would wait for ever on a pull subscription)."""
    with contextlib.suppress(nats.errors.Error, TimeoutError, ConnectionError):
        await client.flush(2)
    await client.close()


async def provision(client: Client, wanted: Topology) -> list[str]:
    """Create what is missing, change what differs; what was done, one line each. Idempotent."""
    js = client.jetstream(timeout=CONTROL_TIMEOUT_S)
    done: list[str] = []
    for stream in wanted.streams:
        known = await _stream(js, stream.name or "")
        if known is None:
            await js.add_stream(stream)
            done.append(f"stream {stream.name}: created")
        elif difference := _difference(stream, known):
            await js.update_stream(stream)
            done.append(f"stream {stream.name}: {difference}")
    for stream_name, consumer in wanted.consumers:
        known_consumer = await _consumer(js, stream_name, consumer.durable_name or "")
        if known_consumer is None or _difference(consumer, known_consumer):
            await js.add_consumer(stream_name, consumer)  # creates or updates
            done.append(f"consumer {stream_name}/{consumer.durable_name}: written")
    for bucket in wanted.buckets:
        if await _stream(js, _KV_STREAM + bucket.bucket) is None:
            await js.create_key_value(bucket)
            done.append(f"bucket {bucket.bucket}: created")
    for objects in wanted.objects:
        if await _stream(js, _OBJECT_STREAM + (objects.bucket or "")) is None:
            await js.create_object_store(objects.bucket or "", objects)
            done.append(f"objects {objects.bucket}: created")
    return done


async def verify(
    client: Client,
    *,
    streams: tuple[str, ...] = (),
    buckets: tuple[str, ...] = (),
    objects: tuple[str, ...] = (),
    wait_s: float = CONNECT_S_MAX,
) -> None:
    """Wait until what a service needs exists.

    Raises:
        TopologyError: it does not after `wait_s`.
    """
    js = client.jetstream(timeout=CONTROL_TIMEOUT_S)
    names = (
        *streams,
        *(_KV_STREAM + name for name in buckets),
        *(_OBJECT_STREAM + n for n in objects),
    )
    deadline = asyncio.get_running_loop().time() + wait_s
    for name in names:
        while True:
            with contextlib.suppress(nats.errors.Error, asyncio.TimeoutError):
                if await _stream(js, name) is not None:
                    break
            if asyncio.get_running_loop().time() > deadline:
                raise TopologyError(f"{name} does not exist; run `heatpoolctl provision`")
            await asyncio.sleep(RECONNECT_WAIT_S)


async def verify_consumer(client: Client, stream: str, wanted: ConsumerConfig) -> None:
    """Compare a durable with what the code expects: binding to it would ignore any difference.

    Raises:
        TopologyError: it is missing or differs.
        BusUnavailableError: the server does not say.
    """
    name = f"{stream}/{wanted.durable_name}"
    try:
        js = client.jetstream(timeout=CONTROL_TIMEOUT_S)
        known = await _consumer(js, stream, wanted.durable_name or "")
    except (nats.errors.Error, TimeoutError) as error:
        raise BusUnavailableError(f"consumer {name}: {type(error).__name__}") from error
    if known is None:
        raise TopologyError(f"consumer {name} does not exist; run `heatpoolctl provision`")
    if difference := _difference(wanted, known):
        raise TopologyError(f"consumer {name} differs in {difference}; `heatpoolctl provision`")


async def messages_of(client: Client, stream: str, subject: str) -> AsyncIterator[Msg]:
    """What the stream holds now under `subject`, oldest first, in bounded memory.

    Nothing is acknowledged or changed: the consumer is temporary, and nobody else's.

    Raises:
        BusUnavailableError: the reading broke off.
    """
    js = client.jetstream(timeout=CONTROL_TIMEOUT_S)
    try:
        subscription = await js.pull_subscribe(
            subject,
            stream=stream,
            pending_bytes_limit=_READ_PENDING_BYTES_MAX,
            config=ConsumerConfig(
                ack_policy=AckPolicy.NONE,
                deliver_policy=DeliverPolicy.ALL,
                inactive_threshold=_READ_INACTIVE_S,
            ),
        )
        left = (await subscription.consumer_info()).num_pending or 0
        while left:
            for message in await subscription.fetch(min(left, _READ_MESSAGES), timeout=10):
                yield message
                left = message.metadata.num_pending
        await subscription.unsubscribe()
    except (nats.errors.Error, TimeoutError) as error:
        raise BusUnavailableError(f"{stream} not read: {type(error).__name__}") from error


async def bury(js: JetStreamContext, message: Msg, reason: str, model: str) -> None:
    """Copy a message to DEADLETTER with its reason, and return once that is stored.

    Raises:
        BusUnavailableError: it is not; do not acknowledge the original.
    """
    sequence = message.metadata.sequence.stream
    headers = {
        subjects.HEADER_MSG_ID: f"dead-{sequence}",
        subjects.HEADER_REASON: reason,
        subjects.HEADER_ORIGIN_SEQUENCE: str(sequence),
        subjects.HEADER_ORIGIN_SUBJECT: message.subject,
    }
    try:
        await js.publish(
            subjects.deadletter_subject(model),
            message.data,
            timeout=_DEADLETTER_REPLY_S,
            headers=headers,
        )
    except (TimeoutError, nats.errors.Error) as error:
        raise BusUnavailableError(f"dead letter not stored: {type(error).__name__}") from error


async def _stream(js: JetStreamContext, name: str) -> StreamConfig | None:
    try:
        return (await js.stream_info(name)).config
    except nats.js.errors.NotFoundError:
        return None


async def _consumer(js: JetStreamContext, stream: str, name: str) -> ConsumerConfig | None:
    try:
        info = await js.consumer_info(stream, name)
    except nats.js.errors.NotFoundError:
        return None
    return info.config if isinstance(info.config, ConsumerConfig) else None


def _difference(wanted: StreamConfig | ConsumerConfig, known: StreamConfig | ConsumerConfig) -> str:
    """Names of settings that differ; what we leave to the server does not count."""
    names = []
    for name, value in vars(wanted).items():
        if value in (None, -1, 0, False):
            continue
        there = getattr(known, name)
        if name == "metadata":  # the server adds its own keys
            there = {key: (there or {}).get(key) for key in value}
        if there != value:
            names.append(name)
    return ", ".join(names)
