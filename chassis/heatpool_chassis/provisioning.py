"""What JetStream has against what it should have: the difference, and making it so.

In: a topology, a connection that may create streams (an operator's). Out: changes, made or only
told. Guarantee: a second run changes nothing; whoever looks first (`--check`) sees exactly what
would be done; nothing is ever deleted, so that a stream which the code no longer knows stays until
an operator removes it.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final

import msgspec
import nats.js.errors
from nats.js.api import ConsumerConfig, StreamConfig

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.js.client import JetStreamContext

    from heatpool_chassis.topology import Topology

CONTROL_TIMEOUT_S: Final = 5.0
KV_STREAM: Final = "KV_"
OBJECT_STREAM: Final = "OBJ_"


class Setting(msgspec.Struct, frozen=True):
    """One setting that differs."""

    name: str
    before: str
    after: str


class Change(msgspec.Struct, frozen=True):
    """A stream or consumer that is missing (then without settings) or differs."""

    what: str
    settings: tuple[Setting, ...] = ()

    def __str__(self) -> str:
        if not self.settings:
            return f"{self.what}: created"
        told = ", ".join(f"{one.name} {one.before} -> {one.after}" for one in self.settings)
        return f"{self.what}: {told}"


async def changes(client: Client, wanted: Topology) -> list[Change]:
    """What `apply` would do."""
    return await _each(client, wanted, make=False)


async def apply(client: Client, wanted: Topology) -> list[Change]:
    """Create what is missing, change what differs.

    Raises:
        nats.js.errors.APIError: the server refuses, as it does to change a storage, say.
    """
    return await _each(client, wanted, make=True)


async def stream_config(js: JetStreamContext, name: str) -> StreamConfig | None:
    """How a stream is set up; None if there is none."""
    try:
        return (await js.stream_info(name)).config
    except nats.js.errors.NotFoundError:
        return None


async def consumer_config(js: JetStreamContext, stream: str, name: str) -> ConsumerConfig | None:
    """How a consumer is set up; None if there is none."""
    try:
        info = await js.consumer_info(stream, name)
    except nats.js.errors.NotFoundError:
        return None
    return info.config if isinstance(info.config, ConsumerConfig) else None


def differing(
    wanted: StreamConfig | ConsumerConfig, known: StreamConfig | ConsumerConfig
) -> tuple[Setting, ...]:
    """Settings that differ; what we leave to the server does not count."""
    found = []
    for name, value in vars(wanted).items():
        if value in (None, -1, 0, False):
            continue
        there = getattr(known, name)
        if name == "metadata":
            found += _metadata(value, there or {})
        elif there != value:
            found.append(Setting(name, _shown(there), _shown(value)))
    return tuple(found)


def _metadata(wanted: dict[str, str], known: dict[str, str]) -> list[Setting]:
    """The server adds keys of its own; of ours, those that are no longer wanted count too."""
    ours = {key for key in known if not key.startswith("_nats.")} | set(wanted)
    return [
        Setting(key, _shown(known.get(key)), _shown(wanted.get(key)))
        for key in sorted(ours)
        if known.get(key) != wanted.get(key)
    ]


def _shown(value: object) -> str:
    return str(value.value) if isinstance(value, Enum) else str(value)


async def _each(client: Client, wanted: Topology, *, make: bool) -> list[Change]:
    js = client.jetstream(timeout=CONTROL_TIMEOUT_S)
    found = []
    for stream in wanted.streams:
        name = stream.name or ""
        known = await stream_config(js, name)
        change = Change(f"stream {name}", differing(stream, known) if known else ())
        if known is not None and not change.settings:
            continue
        found.append(change)
        if make:
            await (js.add_stream(stream) if known is None else js.update_stream(stream))
    for stream_name, consumer in wanted.consumers:
        name = consumer.durable_name or ""
        there = await consumer_config(js, stream_name, name)
        change = Change(
            f"consumer {stream_name}/{name}", differing(consumer, there) if there else ()
        )
        if there is not None and not change.settings:
            continue
        found.append(change)
        if make:
            await js.add_consumer(stream_name, consumer)  # creates or updates
    return found
