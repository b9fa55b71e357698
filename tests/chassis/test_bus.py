"""The bus adapter against a real nats-server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from heatpool_chassis import bus as chassis_bus
from heatpool_chassis.topology import Sizes, topology

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


def _sizes(telemetry_bytes_max: int) -> Sizes:
    return Sizes(
        telemetry_bytes_max=telemetry_bytes_max,
        deadletter_bytes_max=1024**2 * 64,
        models_bytes_max=1024**2 * 256,
    )
