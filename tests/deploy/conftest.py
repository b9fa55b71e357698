"""A whole pool that the tests of the operator's tools share."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from conftest import TEST_SIZES
from pool import Pool, submission

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nats.aio.client import Client

SERVICES = ("ingest", "writer", "trainer", "modelhub")
HOME = "aaaaaaaa-0000-4000-8000-000000000001"


@pytest.fixture(scope="session")
def operated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    """All services; one accepted message, and one dead."""
    pool = Pool(tmp_path_factory.mktemp("pool"), sizes=TEST_SIZES, HEATPOOL_WRITER_DURABLE_S="1")
    try:
        pool.start(("nats", "victoria", *SERVICES))
        body = submission(HOME, [{"timestamp": int(time.time()) - 5, "power": 1.5}])
        pool.post(body).raise_for_status()
        pool.on_bus(_spoil)
        pool.wait_until_counted("heatpump_power", 1)
        yield pool
    finally:
        pool.stop()


async def _spoil(client: Client) -> None:
    """A message that the writer must bury."""
    await client.jetstream().publish("telemetry.aero_slm." + "0" * 32, b"no chunk")
