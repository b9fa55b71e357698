"""Object Store -> bytes of one object, whole or not at all.

In: a name in bucket `MODELS`. Out: its bytes. Guarantee: never more than the cap, never longer than
the deadline, nothing left behind on the server or in the connection when it fails.

Not nats-py's own `get`: it has no deadline, hangs when the object is replaced meanwhile, cannot be
cancelled without leaving its subscription behind, and adds chunks up in quadratic time
(nats.py#703).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import nats.errors

from heatpool_chassis import bus, reading
from heatpool_contract.subjects import OBJECTS_MODELS

if TYPE_CHECKING:
    from nats.aio.client import Client

READ_S_MAX: Final = 15.0  # 32 MiB at 20 Mbit/s; the usual 230 KB take some milliseconds


class ObjectUnavailableError(Exception):
    """Not there, not whole, or not reachable in time."""


async def read_object(client: Client, name: str, bytes_max: int) -> bytes:
    """The object `name`.

    Raises:
        ObjectUnavailableError: with the reason.
    """
    try:
        async with asyncio.timeout(READ_S_MAX):
            return await _read(client, name, bytes_max)
    except (nats.errors.Error, bus.BusError, TimeoutError) as error:
        raise ObjectUnavailableError(f"{type(error).__name__}: {name}") from error


async def _read(client: Client, name: str, bytes_max: int) -> bytes:
    info = await (await client.jetstream().object_store(OBJECTS_MODELS)).get_info(name)
    size = info.size or 0
    if size > bytes_max:
        raise ObjectUnavailableError(f"{name} has {size} bytes, at most {bytes_max}")
    chunks: list[bytes] = []
    missing = size
    subject = f"$O.{OBJECTS_MODELS}.C.{info.nuid}"
    async for message in reading.messages(client, f"OBJ_{OBJECTS_MODELS}", subject):
        chunks.append(message.data)
        missing -= len(message.data)
        if missing < 0:
            raise ObjectUnavailableError(f"{name} is longer than it says")
    if missing:
        raise ObjectUnavailableError(f"{name} is shorter than it says")
    return b"".join(chunks)
