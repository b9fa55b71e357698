"""Fixtures of all tests: real nats-server and VictoriaMetrics, a provisioned bus, recordings."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from servers import NatsServer, VictoriaServer

from heatpool_chassis import bus as chassis_bus
from heatpool_chassis.lifecycle import Lifecycle
from heatpool_chassis.topology import Sizes, topology
from heatpool_chassis.victoria import Victoria, VictoriaUrls

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from nats.aio.client import Client

ROOT = Path(__file__).parent.parent
settings.register_profile("house", deadline=None)  # no timed assertion: machines are noisy
settings.load_profile("house")
TEST_SIZES = Sizes(
    telemetry_bytes_max=1024**3, deadletter_bytes_max=1024**2 * 64, models_bytes_max=1024**2 * 256
)


@pytest.fixture
def nats_server(tmp_path: Path) -> Iterator[NatsServer]:
    """A nats-server of this test's own."""
    server = NatsServer(tmp_path / "nats")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def nats_url(nats_server: NatsServer) -> str:
    """URL of this test's nats-server."""
    return nats_server.url


@pytest.fixture
def life() -> Lifecycle:
    """The state of a process under test."""
    return Lifecycle("test")


@pytest.fixture
async def bus(nats_url: str, life: Lifecycle) -> AsyncIterator[Client]:
    """A connection to this test's nats-server, with all streams and buckets provisioned."""
    client = await chassis_bus.connect(life, nats_url, chassis_bus.Identity(), buffered=True)
    await chassis_bus.provision(client, topology(TEST_SIZES))
    yield client
    await client.close()


@pytest.fixture(scope="session")
def shared_victoria(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VictoriaServer]:
    """One VictoriaMetrics for tests that use series of their own."""
    server = VictoriaServer(tmp_path_factory.mktemp("victoria"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def own_victoria(tmp_path: Path) -> Iterator[VictoriaServer]:
    """A VictoriaMetrics that this test may kill."""
    server = VictoriaServer(tmp_path / "victoria")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def victoria_url(shared_victoria: VictoriaServer) -> str:
    """URL of the shared VictoriaMetrics."""
    return shared_victoria.url


@pytest.fixture
async def victoria(victoria_url: str) -> AsyncIterator[Victoria]:
    """A client of the shared VictoriaMetrics."""
    async with Victoria(VictoriaUrls(victoria_url, victoria_url, victoria_url)) as store:
        yield store


@pytest.fixture(scope="session")
def recordings() -> Path:
    """The folder of real recordings; the test is skipped, visibly, where it is missing."""
    folder = Path(os.environ.get("HEATPOOL_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no recordings in {folder} (set HEATPOOL_DATA)")
    return folder
