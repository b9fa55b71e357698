"""The bus adapter against a real nats-server."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from heatpool_chassis import buckets, provisioning
from heatpool_chassis import bus as chassis_bus
from heatpool_chassis.lifecycle import Lifecycle
from heatpool_chassis.topology import Sizes, topology
from heatpool_contract import subjects
from heatpool_deploy.free_ports import free_port

if TYPE_CHECKING:
    from nats.aio.client import Client


async def test_provision_is_idempotent_and_reports_a_changed_size(bus: Client) -> None:
    """A second run changes nothing; a new size is one line."""
    again = await chassis_bus.provision(bus, topology(_sizes(1024**3)))
    resized = await chassis_bus.provision(bus, topology(_sizes(2 * 1024**3)))

    assert again == []
    assert resized == ["stream TELEMETRY: max_bytes 1073741824 -> 2147483648"]


async def test_verify_names_what_is_missing(bus: Client) -> None:
    """A service that lacks its bucket says which, and what to run."""
    await chassis_bus.verify(bus, streams=("TELEMETRY",), buckets=("INSTALLATIONS",))

    with pytest.raises(chassis_bus.TopologyError, match=r"KV_NOWHERE.*heatpoolctl provision"):
        await chassis_bus.verify(bus, buckets=("NOWHERE",), wait_s=0)


async def test_looking_at_the_difference_changes_nothing(bus: Client) -> None:
    """`--check`: twice the same answer, with both values; after `apply` there is none."""
    await bus.jetstream().delete_stream("KV_TRUST")
    await bus.jetstream().delete_consumer("TELEMETRY", "trainer")
    wanted = topology(_sizes(2 * 1024**3))

    first = await provisioning.changes(bus, wanted)
    second = await provisioning.changes(bus, wanted)
    made = await provisioning.apply(bus, wanted)

    assert [str(change) for change in first] == [
        "stream TELEMETRY: max_bytes 1073741824 -> 2147483648",
        "stream KV_TRUST: created",
        "consumer TELEMETRY/trainer: created",
    ]
    assert first == second == made
    assert await provisioning.changes(bus, wanted) == []


async def test_metadata_that_is_no_longer_wanted_goes(bus: Client) -> None:
    """An older version's thresholds would make every check of a healthy pool red."""
    js = bus.jetstream()
    config = (await js.stream_info("TELEMETRY")).config
    config.metadata = {**(config.metadata or {}), "io.nats.monitor.peer-expect": "1"}
    await js.update_stream(config)

    done = await chassis_bus.provision(bus, topology(_sizes(1024**3)))

    assert done == ["stream TELEMETRY: io.nats.monitor.peer-expect 1 -> None"]
    kept = (await js.stream_info("TELEMETRY")).config.metadata or {}
    assert "io.nats.monitor.peer-expect" not in kept
    assert kept["io.nats.monitor.enabled"] == "true"


@pytest.mark.parametrize("replicas", [1, 3])
def test_thresholds_are_only_those_that_can_be_green(replicas: int) -> None:
    """As the checks read them: peers only in a cluster, no lower limits, no lag of mirrors."""
    pool = topology(Sizes(replicas=replicas))
    streams = [stream.metadata or {} for stream in pool.streams]
    for metadata in (*streams, *(one.metadata or {} for _stream, one in pool.consumers)):
        keys = {key.removeprefix("io.nats.monitor.") for key in metadata}
        assert metadata["io.nats.monitor.enabled"] == "true"
        assert not keys & {"msgs-warn", "msgs-critical", "lag-critical", "seen-critical"}
    assert all(("io.nats.monitor.peer-expect" in one) == (replicas > 1) for one in streams)
    dead = next(one for one in streams if "io.nats.monitor.subjects-warn" in one)
    limits = [int(dead[f"io.nats.monitor.subjects-{level}"]) for level in ("warn", "critical")]
    assert limits[0] < limits[1]  # the other way round they are lower limits


async def test_without_a_server_connecting_ends_when_the_process_is_to_stop() -> None:
    """nats-py itself would try for ever."""
    life = Lifecycle("writer")
    asyncio.get_running_loop().call_later(0.3, life.stopping.set)

    with pytest.raises(chassis_bus.BusUnavailableError, match="no NATS server at nats://127"):
        await chassis_bus.connect(
            life, f"nats://127.0.0.1:{free_port()}", chassis_bus.Identity(), buffered=True
        )


async def test_the_keys_of_a_bucket_are_all_there_every_time(bus: Client) -> None:
    """nats-py's own listing finds a full bucket empty now and then."""
    bucket = await bus.jetstream().key_value(subjects.KV_ERASURES)

    assert await buckets.keys(bus, subjects.KV_ERASURES) == []
    for key in ("one", "two", "three", "four"):
        await bucket.put(key, b"1")
    await bucket.put("one", b"2")
    await bucket.delete("two")
    await bucket.purge("three")
    found = [await buckets.keys(bus, subjects.KV_ERASURES) for _ in range(100)]

    assert found == [["four", "one"]] * 100


def _sizes(telemetry_bytes_max: int) -> Sizes:
    return Sizes(
        telemetry_bytes_max=telemetry_bytes_max,
        deadletter_bytes_max=1024**2 * 64,
        models_bytes_max=1024**2 * 256,
    )
