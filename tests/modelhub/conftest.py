"""A running hub for each test that asks for one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from simulators.running_hub import RunningHub

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from nats.aio.client import Client

    from heatpool_chassis.lifecycle import Lifecycle


@pytest.fixture
async def hub(bus: Client, life: Lifecycle) -> AsyncIterator[RunningHub]:
    """A hub on a bus of its own."""
    running = RunningHub(bus, life)
    await running.start()
    yield running
    await running.stop()
