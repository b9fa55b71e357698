"""A running pool for each test of the pipeline."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from conftest import TEST_SIZES
from pool import Pool

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

IMPATIENT = {
    "HEATPOOL_WRITER_DURABLE_S": "1",
    "HEATPOOL_WRITER_ERASURE_SETTLE_S": "6",  # a writer looks every 5 s
    "HEATPOOL_WRITER_ERASURE_HORIZON_S": "1",  # in place of the stream's three days
    "HEATPOOL_TRAINER_QUIET_S": "3",
    "HEATPOOL_TRAINER_INTERVAL_S_MIN": "0",
}


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[Pool]:
    """A pool with servers, edge and writer; durable after a second, to keep tests short."""
    running = Pool(tmp_path / "pool", sizes=TEST_SIZES, **IMPATIENT)
    try:
        running.start(("nats", "victoria", "ingest", "writer"))
        yield running
    finally:
        running.stop()


@pytest.fixture
def whole_pool(pool: Pool) -> Pool:
    """A pool with trainer and hub, too."""
    pool.start(("trainer", "modelhub"))
    return pool
