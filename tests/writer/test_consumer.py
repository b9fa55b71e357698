"""The writer's loop on a real nats-server and a real VictoriaMetrics, with faults in between."""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING

import pytest
from simulators.faulty_store import FaultyStore, Mode
from writer.running_writer import (
    RunningWriter,
    acknowledged,
    entry_of,
    publish,
    stored,
    until,
    when,
)
from writer.strategies import MODEL

from heatpool_chassis import bus as chassis_bus
from heatpool_chassis import topology
from heatpool_chassis.victoria import Victoria, VictoriaUrls
from heatpool_contract import registry, subjects
from heatpool_writer.poison import IN_A_ROW_MAX

if TYPE_CHECKING:
    from nats.aio.client import Client
    from servers import NatsServer, VictoriaServer


@pytest.fixture
def home() -> str:
    """A home that no other test of the shared store uses."""
    return secrets.token_hex(16)


async def test_a_message_is_stored_counted_and_acknowledged(
    bus: Client, victoria: Victoria, victoria_url: str, home: str
) -> None:
    """The books balance, the store counted what was sent, the registry knows the home."""
    async with RunningWriter(bus, victoria_url, durable_s=2.5) as writer:
        await publish(bus, home, 1, samples=5)
        await until(lambda: _floor_is(bus, 1))
        await until(when(lambda: writer.value("heatpool_writer_in_hand_samples") == 0))
    entry = await entry_of(await bus.jetstream().key_value(subjects.KV_INSTALLATIONS), home)

    assert await stored(victoria, home) == 5
    assert (entry.samples, entry.model, entry.version) == (5, MODEL, "1.0.0")
    assert writer.value("heatpool_writer_samples_total", fate="received") == 5
    assert writer.value("heatpool_writer_samples_total", fate="acknowledged") == 5
    assert writer.value("heatpool_writer_ledger_difference", unit="samples") == 0
    assert writer.value("heatpool_writer_ledger_difference", unit="messages") == 0
    assert writer.value("heatpool_writer_store_difference_rows", reason="missing") == 0
    assert writer.value("heatpool_writer_store_alarm") == 0


@pytest.mark.slow
async def test_a_store_killed_right_after_its_204_loses_nothing(
    bus: Client, own_victoria: VictoriaServer, home: str
) -> None:
    """It had the samples in memory only: the writer sees another life and takes them back."""
    async with _client_of(own_victoria) as store:
        async with RunningWriter(bus, own_victoria.url, durable_s=12) as writer:
            for number in range(10):
                await publish(bus, home, number)
            await until(when(lambda: _written(writer) == 20))
            own_victoria.kill()
            own_victoria.start()
            await until(lambda: _floor_is(bus, 10), 50)
            own_victoria.kill()
            own_victoria.start()

        assert await stored(store, home) == 20
    assert writer.value("heatpool_writer_rewinds_total") >= 1
    assert writer.value("heatpool_writer_ledger_difference", unit="samples") == 0


async def test_a_writer_that_dies_before_acknowledging_changes_nothing_for_a_reader(
    bus: Client, victoria: Victoria, victoria_url: str, home: str
) -> None:
    """Its successor writes everything again; count and registry stay the same."""
    async with RunningWriter(bus, victoria_url, durable_s=60) as first:
        await publish(bus, home, 1, samples=7)
        await until(when(lambda: _written(first) == 7))
    # Stopping gives back what is not yet durable: the successor need not wait for ack_wait.
    async with RunningWriter(bus, victoria_url) as second:
        await until(lambda: _floor_is(bus, 1))
    entry = await entry_of(await bus.jetstream().key_value(subjects.KV_INSTALLATIONS), home)

    assert first.value("heatpool_writer_samples_total", fate="returned") == 7
    assert first.value("heatpool_writer_ledger_difference", unit="samples") == 0
    assert second.value("heatpool_writer_samples_total", fate="redelivered") == 7
    assert await stored(victoria, home) == 7
    assert entry.samples == 7


@pytest.mark.parametrize("mode", [503, 429, "hang", "cut", "take_and_cut"])
async def test_a_failing_store_delays_and_loses_nothing(
    bus: Client, victoria: Victoria, victoria_url: str, home: str, mode: Mode
) -> None:
    """Whether it refuses, hangs, hangs up, or takes the import and does not say so."""
    async with FaultyStore(victoria_url) as faulty, RunningWriter(bus, faulty.url) as writer:
        faulty.mode = mode
        await publish(bus, home, 1)
        await until(when(lambda: faulty.imports >= 2))
        await publish(bus, home, 2)
        assert await acknowledged(bus) == 0
        faulty.mode = "pass"
        await until(lambda: _floor_is(bus, 2))

    assert await stored(victoria, home) == 4
    assert writer.value("heatpool_writer_samples_total", fate="acknowledged") == 4
    assert writer.value("heatpool_writer_ledger_difference", unit="samples") == 0


async def test_a_store_that_answers_but_takes_nothing_is_not_hammered(
    bus: Client, victoria_url: str, home: str
) -> None:
    """A full disk: its metrics look fine, each import is a 503. One attempt a second."""
    async with FaultyStore(victoria_url) as faulty, RunningWriter(bus, faulty.url) as writer:
        faulty.mode = 503
        await publish(bus, home, 1)
        await until(when(lambda: faulty.imports >= 1))
        await asyncio.sleep(2)

        assert faulty.imports <= 4
        assert _written(writer) == 0
        faulty.mode = "pass"
        await until(lambda: _floor_is(bus, 1))


async def test_readiness_comes_back_when_settling_finds_the_store_first(
    bus: Client, own_victoria: VictoriaServer, home: str
) -> None:
    """What is due is asked after before the loop's own question."""
    async with RunningWriter(bus, own_victoria.url, durable_s=2) as writer:
        await publish(bus, home, 1)
        await until(when(lambda: _written(writer) == 2))
        own_victoria.kill()
        await until(when(lambda: not writer.life.checks.get("victoria", True)))
        own_victoria.start()
        await until(lambda: _floor_is(bus, 1))
        await until(when(lambda: writer.life.checks["victoria"]))


async def test_what_the_store_refuses_is_buried_alone(
    bus: Client, victoria: Victoria, victoria_url: str, home: str
) -> None:
    """Its neighbours in the batch are stored."""
    bad = secrets.token_hex(16)
    async with FaultyStore(victoria_url) as faulty:
        faulty.refuse_if_holds = bad.encode()
        for number, sender in enumerate((home, bad, home)):
            await publish(bus, sender, number)
        async with RunningWriter(bus, faulty.url) as writer:
            await until(lambda: _floor_is(bus, 3))

    dead = await bus.jetstream().get_msg(subjects.STREAM_DEADLETTER, seq=1)
    assert (dead.headers or {})[subjects.HEADER_REASON] == "store_rejected"
    assert await stored(victoria, home) == 4
    assert await stored(victoria, bad) == 0
    assert writer.value("heatpool_writer_samples_total", fate="dead") == 2
    assert writer.value("heatpool_writer_ledger_difference", unit="samples") == 0


async def test_poison_in_the_middle_goes_to_the_dead_letters_with_its_reason(
    bus: Client, victoria: Victoria, victoria_url: str, home: str
) -> None:
    """Messages before and after it are stored."""
    await publish(bus, home, 1)
    await bus.jetstream().publish(f"telemetry.{MODEL}.{home}", b'{"schema":1}')
    await publish(bus, home, 2)
    async with RunningWriter(bus, victoria_url) as writer:
        await until(lambda: _floor_is(bus, 3))

    dead = await bus.jetstream().get_msg(subjects.STREAM_DEADLETTER, seq=1)
    assert dead.subject == f"deadletter.{MODEL}"
    assert dead.data == b'{"schema":1}'
    assert (dead.headers or {})[subjects.HEADER_REASON] == "chunk_malformed"
    assert (dead.headers or {})[subjects.HEADER_ORIGIN_SEQUENCE] == "2"
    assert await stored(victoria, home) == 4
    assert writer.value("heatpool_writer_messages_total", fate="dead") == 1
    assert writer.value("heatpool_writer_ledger_difference", unit="messages") == 0


async def test_too_much_poison_stops_the_writer_and_leaves_the_rest_in_the_stream(
    bus: Client, victoria: Victoria, victoria_url: str, home: str
) -> None:
    """Readiness goes off; a repaired writer takes over where it stopped."""
    for number in range(IN_A_ROW_MAX + 5):
        await bus.jetstream().publish(f"telemetry.{MODEL}.{home}", b"poison %d" % number)
    async with RunningWriter(bus, victoria_url) as writer:
        await until(when(lambda: not writer.life.checks.get("poison", True)))
        dead = await bus.jetstream().stream_info(subjects.STREAM_DEADLETTER)
        assert not writer.life.ready

    assert dead.state.messages == IN_A_ROW_MAX
    assert writer.value("heatpool_writer_poison_breaker", model=MODEL) == 1
    assert writer.value("heatpool_writer_ledger_difference", unit="messages") == 0
    assert await acknowledged(bus) == IN_A_ROW_MAX
    await publish(bus, home, 1)
    js = bus.jetstream()
    for seq in range(IN_A_ROW_MAX + 1, IN_A_ROW_MAX + 6):
        await js.delete_msg(subjects.STREAM_TELEMETRY, seq)
    async with RunningWriter(bus, victoria_url):
        await until(lambda: _counted(victoria, home, 2))


async def test_messages_of_an_erased_home_are_dropped_and_counted(
    bus: Client, victoria: Victoria, victoria_url: str, home: str
) -> None:
    """The tombstone in the registry is enough; the neighbour in the batch is stored."""
    bucket = await bus.jetstream().key_value(subjects.KV_INSTALLATIONS)
    await bucket.put(home, registry.encode(registry.Installation(erased=True)))
    other = secrets.token_hex(16)
    await publish(bus, home, 1)
    await publish(bus, other, 1)
    async with RunningWriter(bus, victoria_url) as writer:
        await until(lambda: _floor_is(bus, 2))

    assert await stored(victoria, home) == 0
    assert await stored(victoria, other) == 2
    assert writer.value("heatpool_writer_samples_total", fate="erased") == 2
    assert writer.value("heatpool_writer_ledger_difference", unit="samples") == 0
    assert await entry_of(bucket, home) == registry.Installation(erased=True)


async def test_two_writers_share_the_work_and_the_registry(
    bus: Client, victoria: Victoria, victoria_url: str, home: str
) -> None:
    """Every message once in the store and once in the registry, whoever took it."""
    async with RunningWriter(bus, victoria_url) as one, RunningWriter(bus, victoria_url) as two:
        for number in range(40):
            await publish(bus, home, number)
        await until(lambda: _floor_is(bus, 40), 40)
    entry = await entry_of(await bus.jetstream().key_value(subjects.KV_INSTALLATIONS), home)

    assert await stored(victoria, home) == 80
    assert entry.samples == 80
    for writer in (one, two):
        assert writer.value("heatpool_writer_ledger_difference", unit="samples") == 0
        assert writer.value("heatpool_writer_store_difference_rows", reason="missing") == 0


async def test_a_restart_of_nats_under_the_writer_loses_nothing(
    nats_server: NatsServer, bus: Client, victoria: Victoria, victoria_url: str, home: str
) -> None:
    """Killed with messages written and not acknowledged."""
    async with RunningWriter(bus, victoria_url, durable_s=3) as writer:
        for number in range(5):
            await publish(bus, home, number)
        await until(when(lambda: _written(writer) >= 2))
        nats_server.kill()
        await asyncio.sleep(0.3)
        nats_server.start()
        await until(when(lambda: bus.is_connected), 30)
        await publish(bus, home, 5)
        await until(lambda: _floor_is(bus, 6), 40)

    assert await stored(victoria, home) == 12
    assert writer.value("heatpool_writer_ledger_difference", unit="samples") == 0


async def test_a_deleted_consumer_ends_the_writer_with_what_to_do(
    bus: Client, victoria_url: str
) -> None:
    """It would wait for ever: a fetch answers 503."""
    async with RunningWriter(bus, victoria_url) as writer:
        await bus.jetstream().delete_consumer(subjects.STREAM_TELEMETRY, subjects.DURABLE_WRITER)
        assert writer.task is not None
        with pytest.raises(chassis_bus.TopologyError, match="heatpoolctl provision"):
            await asyncio.wait_for(asyncio.shield(writer.task), 20)
        writer.task = asyncio.create_task(asyncio.sleep(0))


async def test_a_changed_consumer_is_noticed_at_start(bus: Client) -> None:
    """Binding alone would take it as it is, silently."""
    wanted = topology.writer_consumer()
    await chassis_bus.verify_consumer(bus, subjects.STREAM_TELEMETRY, wanted)
    changed = topology.writer_consumer()
    changed.ack_wait = 5
    await bus.jetstream().add_consumer(subjects.STREAM_TELEMETRY, changed)

    with pytest.raises(chassis_bus.TopologyError, match="ack_wait"):
        await chassis_bus.verify_consumer(bus, subjects.STREAM_TELEMETRY, wanted)


def _client_of(server: VictoriaServer) -> Victoria:
    return Victoria(VictoriaUrls(server.url, server.url, server.url))


def _written(writer: RunningWriter) -> float:
    return writer.value("heatpool_writer_samples_total", fate="written")


async def _floor_is(client: Client, seq: int) -> bool:
    return await acknowledged(client) >= seq


async def _counted(store: Victoria, home: str, samples: int) -> bool:
    return await stored(store, home) == samples
