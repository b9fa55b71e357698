"""Object Store -> bytes of one object, whole or not at all.

In: a name in bucket `MODELS`. Out: its bytes. Guarantee: never more than the cap, never longer than
the deadline, nothing left behind on the server or in the connection when it fails.

Not nats-py's own `get`: it has no deadline, hangs when the object is replaced meanwhile, cannot be
cancelled without leaving its subscription behind, and adds chunks up in quadratic time
(nats.py#703).
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

import nats.errors
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from heatpool_chassis import bus
from heatpool_contract.subjects import OBJECTS_MODELS

if TYPE_CHECKING:
    from nats.aio.client import Client

READ_S_MAX: Final = 15.0  # 32 MiB at 20 Mbit/s; the usual 230 KB take some milliseconds
FETCH_CHUNKS_MAX: Final = 32  # of nats-py's 128 KiB: 4 MiB a round trip
CONSUMER_LIFE_S: Final = 30.0


class ObjectUnavailableError(Exception):
    """Not there, not whole, or not reachable in time."""


async def read_object(client: Client, name: str, bytes_max: int) -> bytes:
    """The object `name`.

    Raises:
        ObjectUnavailableError: with the reason.
    """
    deadline_s = asyncio.get_running_loop().time() + READ_S_MAX
    try:
        async with asyncio.timeout_at(deadline_s):
            return await _read(client, name, bytes_max, deadline_s)
    except (nats.errors.Error, TimeoutError) as error:
        raise ObjectUnavailableError(f"{type(error).__name__}: {name}") from error


async def _read(client: Client, name: str, bytes_max: int, deadline_s: float) -> bytes:
    js = client.jetstream()
    info = await (await js.object_store(OBJECTS_MODELS)).get_info(name)
    size = info.size or 0
    if size > bytes_max:
        raise ObjectUnavailableError(f"{name} has {size} bytes, at most {bytes_max}")
    subscription = await bus.temporary(
        js,
        f"OBJ_{OBJECTS_MODELS}",
        ConsumerConfig(
            filter_subject=f"$O.{OBJECTS_MODELS}.C.{info.nuid}",
            deliver_policy=DeliverPolicy.ALL,
            ack_policy=AckPolicy.NONE,
            inactive_threshold=CONSUMER_LIFE_S,
            mem_storage=True,
            num_replicas=1,
        ),
    )
    try:
        chunks: list[bytes] = []
        missing = size
        while missing > 0:
            # Also here, because nats-py can lose the cancellation by which `timeout_at` works.
            left_s = deadline_s - asyncio.get_running_loop().time()
            if left_s <= 0:
                raise TimeoutError
            for message in await subscription.fetch(FETCH_CHUNKS_MAX, timeout=left_s):
                chunks.append(message.data)
                missing -= len(message.data)
        if missing < 0:
            raise ObjectUnavailableError(f"{name} is longer than it says")
        return b"".join(chunks)
    finally:
        with contextlib.suppress(nats.errors.Error):
            await subscription.unsubscribe()
