"""Objects are read whole or not at all, from a real Object Store."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

import pytest

from heatpool_contract.subjects import OBJECTS_MODELS
from heatpool_modelhub import objects
from heatpool_modelhub.objects import ObjectUnavailableError, read_object

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.js.object_store import ObjectStore
    from servers import NatsServer

STREAM = f"OBJ_{OBJECTS_MODELS}"
LARGE = bytes(range(256)) * 20_000  # 5 MB: 40 chunks, more than one batch


@pytest.fixture
async def store(bus: Client) -> ObjectStore:
    """The bucket of releases."""
    return await bus.jetstream().object_store(OBJECTS_MODELS)


@pytest.mark.parametrize("data", [b"", b"x", LARGE], ids=["empty", "small", "large"])
async def test_object_comes_back_as_it_was_put(
    bus: Client, store: ObjectStore, data: bytes
) -> None:
    """Also one of many chunks, and an empty one; nothing is left on the connection."""
    await store.put("a/b", data)
    before = set(bus._subs)

    assert await read_object(bus, "a/b", len(data)) == data

    assert set(bus._subs) == before


async def test_larger_object_than_announced_is_not_read(bus: Client, store: ObjectStore) -> None:
    """The cap is looked at before the first byte."""
    await store.put("a/b", b"12345")

    with pytest.raises(ObjectUnavailableError, match="at most 4"):
        await read_object(bus, "a/b", 4)


async def test_missing_and_deleted_objects_are_unavailable(bus: Client, store: ObjectStore) -> None:
    """Named in the error, for the operator."""
    await store.put("gone", b"12345")
    await store.delete("gone")

    for name in ("gone", "never", ""):
        with pytest.raises(ObjectUnavailableError):
            await read_object(bus, name, 100)


async def test_object_that_lost_its_chunks_is_unavailable(bus: Client, store: ObjectStore) -> None:
    """Where nats-py's own `get` would wait for ever."""
    info = await store.put("a/b", LARGE)
    await bus.jetstream().purge_stream(STREAM, subject=f"$O.{OBJECTS_MODELS}.C.{info.nuid}")
    before = set(bus._subs)

    with pytest.raises(ObjectUnavailableError, match="shorter"):
        await read_object(bus, "a/b", len(LARGE))

    assert set(bus._subs) == before


async def test_a_frozen_server_does_not_hold_a_reader(
    bus: Client, store: ObjectStore, nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A deadline ends it, and so does a logger that hangs up; nothing is left behind."""
    monkeypatch.setattr(objects, "READ_S_MAX", 0.5)
    await store.put("a/b", LARGE)
    before = set(bus._subs)
    nats_server.signal(signal.SIGSTOP)
    try:
        with pytest.raises(ObjectUnavailableError, match="TimeoutError"):
            await read_object(bus, "a/b", len(LARGE))
        task = asyncio.create_task(read_object(bus, "a/b", len(LARGE)))
        await asyncio.sleep(0.1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    finally:
        nats_server.signal(signal.SIGCONT)

    assert task.cancelled()
    assert set(bus._subs) == before
    assert await read_object(bus, "a/b", len(LARGE)) == LARGE
