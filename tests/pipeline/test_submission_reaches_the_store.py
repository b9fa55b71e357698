"""From a logger's post to samples that a reader of VictoriaMetrics sees."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from pool import submission

if TYPE_CHECKING:
    from pool import Pool

pytestmark = pytest.mark.pipeline
HOME = "5f0c1c1e-8f8e-4f0a-9d5e-0123456789ab"


def test_every_sample_is_stored_once_also_when_posted_twice(pool: Pool) -> None:
    """A repeat is answered as a duplicate, and a reader counts each sample once."""
    body = submission(HOME, _records(500))

    first, second = pool.post(body), pool.post(body)
    stored = pool.wait_until_counted('{__name__=~"heatpump_(temp_flow|power)"}', 1000)

    assert first.status_code == second.status_code == 200
    assert first.json()["processed"] == 500
    assert first.json()["samples"] == 1000
    assert first.json()["duplicate"] is False
    assert second.json()["duplicate"] is True
    assert second.json()["receipt"] == first.json()["receipt"]
    assert stored == 1000


def _records(count: int) -> list[dict[str, object]]:
    now_s = int(time.time())
    return [
        {"timestamp": now_s - 60 * i, "temp_flow": 35 + i / 100, "power": 1200.5, "status_str": "x"}
        for i in range(count)
    ]
