"""NATS for the services: connect so that nothing hangs or lies, verify, bury.

Guarantee: raises `BusUnavailableError` where trying again may help and `TopologyError` where only
an operator can; a connection that is closed for good ends the process. The settings answer to
traps measured with nats-py 2.16 (docs/decisions/0005).
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
import nats.errors
from nats.aio.client import Client

from heatpool_chassis import provisioning
from heatpool_chassis.permissions import inbox
from heatpool_chassis.provisioning import (
    KV_STREAM,
    OBJECT_STREAM,
    consumer_config,
    differing,
    stream_config,
)
from heatpool_contract import subjects

if TYPE_CHECKING:
    from nats.aio.msg import Msg
    from nats.js.api import ConsumerConfig
    from nats.js.client import JetStreamContext

    from heatpool_chassis.lifecycle import Lifecycle
    from heatpool_chassis.topology import Topology

CONNECT_S_MAX: Final = 30.0
PING_INTERVAL_S: Final = 5
PINGS_OUTSTANDING_MAX: Final = 2
"""A frozen server is noticed after interval x (outstanding + 1) = 15 s; the default takes 360 s."""
RECONNECT_WAIT_S: Final = 0.5
PENDING_BYTES_MAX: Final = 2 * 1024 * 1024  # what nats-py buffers while disconnected
CONTROL_TIMEOUT_S: Final = 5.0
_DENIED: Final = "permissions violation"
_REFUSED: Final = "authorization violation"
_DEADLETTER_REPLY_S: Final = 10.0


class BusError(Exception):
    """NATS did not do what was asked."""


class BusUnavailableError(BusError):
    """Not connected, timed out or full: the same call may work later."""


class TopologyError(BusError):
    """Streams, consumers or buckets are missing or differ; `heatpoolctl provision` mends it."""


class PermissionMissingError(BusError):
    """The server refuses this process, or something that it needs. The text names what."""

    code: Final = "bus_permission_missing"


class Identity(msgspec.Struct, frozen=True):
    """How a process shows itself to NATS. Nothing: the server asks for nothing."""

    seed: str = ""
    """An nkey: it signs the server's nonce and never leaves the process."""
    ca_file: Path | None = None
    """What a `tls://` server's certificate is checked against, unless it is a public one."""

    def __repr__(self) -> str:
        return "Identity(...)"


class _Callbacks:
    """What the connection tells the process. An exception in here would end the reconnecting."""

    def __init__(self, life: Lifecycle) -> None:
        self._life = life
        self.refused = asyncio.Event()

    async def closed(self) -> None:
        # nats-py closes for good on protocol errors, even with endless reconnects.
        self._life.set_check("nats", ok=False)
        self._life.stopping.set()

    async def disconnected(self) -> None:
        self._life.set_check("nats", ok=False)

    async def reconnected(self) -> None:
        self._life.metrics.bus_reconnects.inc()
        self._life.set_check("nats", ok=True)

    async def error(self, error: Exception) -> None:
        """Each failed call raises by itself, but one that is not permitted only times out."""
        if _REFUSED in str(error).lower():
            self.refused.set()
        elif _DENIED in str(error).lower():
            self._life.metrics.bus_denied.inc()
            self._life.denied.append(str(error).removeprefix("nats: "))


async def connect(life: Lifecycle, urls: str, identity: Identity, *, buffered: bool) -> Client:
    """Connect, for the life of the process.

    `buffered=False`: publishing while disconnected fails at once instead of being sent, unasked,
    after the reconnect, when the caller has long been told that it failed.

    Raises:
        BusUnavailableError: no server within `CONNECT_S_MAX`.
        PermissionMissingError: the server does not know this identity.
    """
    callbacks = _Callbacks(life)
    client = Client()
    attempt = asyncio.ensure_future(
        client.connect(
            urls.split(","),
            name=life.service,
            nkeys_seed_str=identity.seed or None,
            tls=ssl.create_default_context(cafile=identity.ca_file) if identity.ca_file else None,
            inbox_prefix=inbox(life.service),
            closed_cb=callbacks.closed,
            disconnected_cb=callbacks.disconnected,
            reconnected_cb=callbacks.reconnected,
            error_cb=callbacks.error,
            allow_reconnect=True,
            max_reconnect_attempts=-1,
            reconnect_time_wait=RECONNECT_WAIT_S,  # type: ignore[arg-type]  # int, it says
            ping_interval=PING_INTERVAL_S,
            max_outstanding_pings=PINGS_OUTSTANDING_MAX,
            connect_timeout=2,
            pending_size=PENDING_BYTES_MAX if buffered else 0,
        )
    )
    # With endless reconnects the first connecting is endless, too: others have to end it.
    ends = [asyncio.ensure_future(end.wait()) for end in (life.stopping, callbacks.refused)]
    await asyncio.wait({attempt, *ends}, timeout=CONNECT_S_MAX, return_when=asyncio.FIRST_COMPLETED)
    for waiting in (attempt, *ends):
        waiting.cancel()
    try:
        await attempt
    except (asyncio.CancelledError, TimeoutError, OSError, nats.errors.Error) as error:
        await client.close()
        if callbacks.refused.is_set():
            raise PermissionMissingError("NATS does not know this identity") from error
        raise BusUnavailableError(f"no NATS server at {urls}") from error
    life.set_check("nats", ok=True)
    return client


async def settled(client: Client) -> None:
    """Return when the server has taken all that was sent, and its complaints have arrived.

    nats-py's `flush` sends its ping past what is still buffered: only a second one is behind it.
    """
    await client.flush(round(CONTROL_TIMEOUT_S))
    await client.flush(round(CONTROL_TIMEOUT_S))


async def close(client: Client) -> None:
    """Send what is buffered and close (`drain` would wait for ever on a pull subscription)."""
    with contextlib.suppress(nats.errors.Error, TimeoutError, ConnectionError):
        await client.flush(2)
    await client.close()


async def provision(client: Client, wanted: Topology) -> list[str]:
    """Create what is missing, change what differs; what was done, one line each. Idempotent."""
    return [str(change) for change in await provisioning.apply(client, wanted)]


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
        *(KV_STREAM + name for name in buckets),
        *(OBJECT_STREAM + n for n in objects),
    )
    deadline = asyncio.get_running_loop().time() + wait_s
    for name in names:
        while True:
            with contextlib.suppress(nats.errors.Error, asyncio.TimeoutError):
                if await stream_config(js, name) is not None:
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
        known = await consumer_config(js, stream, wanted.durable_name or "")
    except (nats.errors.Error, TimeoutError) as error:
        raise BusUnavailableError(f"consumer {name}: {type(error).__name__}") from error
    if known is None:
        raise TopologyError(f"consumer {name} does not exist; run `heatpoolctl provision`")
    if settings := differing(wanted, known):
        names = ", ".join(one.name for one in settings)
        raise TopologyError(f"consumer {name} differs in {names}; `heatpoolctl provision`")


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
