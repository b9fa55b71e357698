"""The view of a bucket stays true: against a real nats-server, also through its death."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import nats.errors
import pytest
from simulators.running_hub import until

from heatpool_chassis import reading
from heatpool_chassis.metrics import ModelhubMetrics
from heatpool_contract.subjects import KV_INSTALLATIONS
from heatpool_modelhub.following import follow

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from nats.aio.client import Client
    from nats.js.kv import KeyValue
    from servers import NatsServer

    from heatpool_chassis.lifecycle import Lifecycle

STREAM = f"KV_{KV_INSTALLATIONS}"


class Recorder:
    """A view that remembers what it was told."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}
        self.completed = 0
        self._unseen: set[str] = set()

    def begin(self) -> None:
        """See `View`."""
        self._unseen = set(self.values)

    def apply(self, key: str, value: bytes | None) -> None:
        """See `View`."""
        self._unseen.discard(key)
        if value is None:
            self.values.pop(key, None)
        else:
            self.values[key] = value

    def complete(self) -> None:
        """See `View`."""
        for key in self._unseen:
            del self.values[key]
        self.completed += 1


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks more often than a service does."""
    monkeypatch.setattr(reading, "POLL_S", 0.05)


@pytest.fixture
async def bucket(bus: Client) -> KeyValue:
    """The bucket that is followed."""
    return await bus.jetstream().key_value(KV_INSTALLATIONS)


@pytest.fixture
def metrics(life: Lifecycle) -> ModelhubMetrics:
    """Where resynchronisations are counted."""
    return ModelhubMetrics(life.registry)


@pytest.fixture
async def view(
    bus: Client, life: Lifecycle, metrics: ModelhubMetrics, bucket: KeyValue
) -> AsyncIterator[Recorder]:
    """A view that follows the bucket, which held two keys before, one of them deleted."""
    await bucket.put("before", b"1")
    await bucket.put("deleted", b"1")
    await bucket.delete("deleted")
    recorder = Recorder()
    task = asyncio.create_task(follow(bus, KV_INSTALLATIONS, recorder, life, metrics))
    await until(lambda: recorder.completed == 1)
    yield recorder
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_view_has_what_was_there_and_what_changes(
    view: Recorder, bucket: KeyValue, life: Lifecycle
) -> None:
    """First everything, then each change; the check goes on when everything came."""
    assert view.values == {"before": b"1"}
    assert life.checks[KV_INSTALLATIONS]

    await bucket.put("new", b"2")
    await bucket.put("before", b"3")
    await bucket.put("gone", b"4")
    await bucket.purge("gone")

    await until(lambda: view.values == {"before": b"3", "new": b"2"})


async def test_empty_bucket_is_complete_at_once(
    bus: Client, life: Lifecycle, metrics: ModelhubMetrics
) -> None:
    """A new pool is ready without any entry."""
    recorder = Recorder()
    task = asyncio.create_task(follow(bus, KV_INSTALLATIONS, recorder, life, metrics))

    await until(lambda: recorder.completed == 1)

    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert recorder.values == {}


async def test_thousands_of_entries_arrive(
    bus: Client, life: Lifecycle, metrics: ModelhubMetrics
) -> None:
    """More than one batch brings."""
    js = bus.jetstream()
    wanted = {f"{number:032x}": b"x" * 500 for number in range(2_000)}
    for start in range(0, 2_000, 200):
        keys = list(wanted)[start : start + 200]
        prefix = f"$KV.{KV_INSTALLATIONS}."
        await asyncio.gather(*(js.publish(prefix + key, wanted[key]) for key in keys))
    recorder = Recorder()
    task = asyncio.create_task(follow(bus, KV_INSTALLATIONS, recorder, life, metrics))

    await until(lambda: recorder.completed == 1)

    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert recorder.values == wanted


async def test_view_recovers_when_the_server_was_killed(
    view: Recorder, bucket: KeyValue, nats_server: NatsServer
) -> None:
    """Changes after its return are seen."""
    nats_server.kill()
    nats_server.start()
    async with asyncio.timeout(30):
        while True:
            try:
                await bucket.put("after", b"5")
                break
            except (nats.errors.Error, TimeoutError):
                await asyncio.sleep(0.1)

    await until(lambda: view.values.get("after") == b"5")


async def test_entries_that_vanished_unseen_are_dropped(
    view: Recorder, bus: Client, metrics: ModelhubMetrics
) -> None:
    """Without a deletion marker the number of messages tells, and everything is read anew."""
    await bus.jetstream().purge_stream(STREAM, subject=f"$KV.{KV_INSTALLATIONS}.before")

    await until(lambda: view.values == {})
    assert view.completed == 2
    assert metrics.resyncs.labels(KV_INSTALLATIONS)._value.get() >= 1


async def test_bucket_that_was_made_anew_is_read_from_its_beginning(
    view: Recorder, bus: Client
) -> None:
    """As after a restore: the new bucket's numbers begin at one, ours were beyond."""
    js = bus.jetstream()
    config = (await js.stream_info(STREAM)).config
    await js.delete_stream(STREAM)
    await js.add_stream(config)
    await js.publish(f"$KV.{KV_INSTALLATIONS}.restored", b"8")

    await until(lambda: view.values == {"restored": b"8"})
    assert view.completed == 2


async def test_follower_can_be_ended_at_any_moment(
    bus: Client, life: Lifecycle, metrics: ModelhubMetrics, bucket: KeyValue
) -> None:
    """A cancellation that meets a message or a closed connection is not lost."""
    for turn in range(30):
        recorder = Recorder()
        task = asyncio.create_task(follow(bus, KV_INSTALLATIONS, recorder, life, metrics))
        await until(lambda seen=recorder: seen.completed == 1)  # type: ignore[misc]  # mypy cannot infer the default
        await bucket.put("key", str(turn).encode())
        for _ in range(turn % 10):
            await asyncio.sleep(0)
        task.cancel()
        done, _ = await asyncio.wait([task], timeout=20)
        assert done

    task = asyncio.create_task(follow(bus, KV_INSTALLATIONS, Recorder(), life, metrics))
    await asyncio.sleep(0.1)
    await bus.close()
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=20)
    assert done
