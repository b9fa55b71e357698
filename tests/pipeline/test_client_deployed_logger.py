"""A logger that is out there already and knows nothing of keys, receipts or refusals.

It posts to an address that ends in `/api/v1/submit`, takes 200 alone for success, derives the base
address for everything else, and asks the check with its `installation_id` and nothing more.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import httpx
import pytest
from simulators.caddy import Caddy

from heatpool_client import setup
from heatpool_client.clock import SYSTEM
from heatpool_client.home import Home

if TYPE_CHECKING:
    from pathlib import Path

    from pool import Pool

pytestmark = [pytest.mark.pipeline]
HOME = "5f0c1c1e-8f8e-4f0a-9d5e-0123456789ab"
SUBMIT = "/api/v1/submit"
WAIT_S_MAX = 30.0


def test_a_deployed_logger_goes_on_working(pool: Pool, tmp_path: Path) -> None:
    """Through the public door: one address for all, no signature; and ours takes that address."""
    pool.start(("modelhub",))
    now_s = int(time.time())
    records = [
        {
            "timestamp": now_s - 60 * i,
            "temp_flow": 35.0 + i,
            "status_str": "Heizen",
            "humidity": None,
        }
        for i in range(30)
    ]
    submission = {
        "installation_id": HOME, "heatpump_model": "AERO SLM", "version": "0.6.1", "data": records,
    }  # fmt: skip  # one table
    door = Caddy(
        tmp_path / "door",
        edges=pool.stack.ingest_url.removeprefix("http://"),
        hubs=pool.stack.modelhub_url.removeprefix("http://"),
    )
    door.start()
    with ExitStack() as stack, httpx.Client(verify=door.trusting()) as logger:
        stack.callback(door.stop)
        telemetry_url = door.url + SUBMIT
        logger.headers["authorization"] = f"Bearer {pool.token}"
        posted = logger.post(telemetry_url, json=submission)
        base = telemetry_url.replace(SUBMIT, "")
        assert (posted.status_code, posted.json()["status"]) == (200, "success")
        assert posted.json()["processed"] == 30

        deadline_s = time.monotonic() + WAIT_S_MAX
        while True:
            check = logger.get(f"{base}/api/v1/model/check", params={"installation_id": HOME})
            assert check.status_code == 200
            if check.json()["eligible"] or time.monotonic() > deadline_s:
                break
            time.sleep(0.2)
        answer = check.json()
        assert answer["eligible"]
        assert answer["model_available"] is False
        assert {"model_hash", "update_available", "reason", "data_pool"} <= set(answer)
        download = logger.get(f"{base}/api/v1/model/download", params={"installation_id": HOME})
        assert 400 <= download.status_code < 500
        status = logger.get(f"{base}/api/v1/pool/status")
        assert {"total_installations", "data_sufficient", "message_de"} <= set(status.json())
        repeated = logger.post(telemetry_url, json=submission)
        assert (repeated.status_code, repeated.json()["duplicate"]) == (200, True)

    choices = setup.Choices(
        settings={"server": telemetry_url, "model": "AERO SLM"}, token=pool.token
    )
    config = setup.initialise(
        Home(tmp_path / "home"), choices, SYSTEM.now_s(), lambda size: b"\x07" * size
    )
    assert config.submit_url == config.hub_url == base
