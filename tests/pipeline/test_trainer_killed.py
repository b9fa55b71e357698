"""A trainer that is killed in the middle of a training starts it again and publishes once."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import httpx
import pytest

from heatpool_fleet import posting
from heatpool_fleet.demo.running import wait_for_release
from heatpool_fleet.homes import make_homes
from heatpool_fleet.simulation import simulate

if TYPE_CHECKING:
    from pool import Pool

pytestmark = [pytest.mark.pipeline, pytest.mark.slow, pytest.mark.timeout(300)]
MODEL, SLUG = "WPL 15", "wpl_15"
DAYS = 12.0


def test_a_training_killed_halfway_is_made_again(whole_pool: Pool) -> None:
    """The news are in KV before they are acknowledged: the next trainer knows what to do."""
    start_s = time.time() // 60 * 60 - DAYS * 86_400
    recordings = simulate(make_homes(6, 3, MODEL), start_s, DAYS, 60.0, 3)
    target = posting.Target(whole_pool.stack.ingest_url, whole_pool.token)
    asyncio.run(posting.post(recordings, target, lambda _counts: None))
    while '"event": "training"' not in whole_pool.log("trainer").read_text("utf-8"):
        time.sleep(0.05)

    whole_pool.kill("trainer")
    released = httpx.get(f"{whole_pool.stack.modelhub_url}/api/v1/pool/status").json()
    whole_pool.start(("trainer",))
    release = wait_for_release(whole_pool.stack, SLUG)

    assert released["models_available"] == []
    assert release["seq"] == 1
    assert release["installations"] == 6
