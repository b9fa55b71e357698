"""The operator's commands on a running pool, as an operator types them."""

from __future__ import annotations

import json
import subprocess
import time
from typing import TYPE_CHECKING

import pytest
from pool import submission

if TYPE_CHECKING:
    from pathlib import Path

    from pool import Pool

pytestmark = pytest.mark.pipeline
HOME = "5f0c1c1e-8f8e-4f0a-9d5e-0123456789ab"
POWER = "heatpump_power"


def test_a_home_is_exported_verified_backed_up_and_erased(pool: Pool, tmp_path: Path) -> None:
    """One after the other on the same pool."""
    now_s = int(time.time())
    records: list[dict[str, object]] = [
        {"timestamp": now_s - 60 * i, "power": 100 + i} for i in range(50)
    ]
    assert pool.post(submission(HOME, records)).status_code == 200
    assert pool.wait_until_counted(POWER, 50) == 50
    _wait_until_acknowledged(pool)

    table = _run(pool, "heatpoolctl", "export", HOME, "--days", "2").splitlines()
    lines = _run(pool, "heatpoolctl", "export", HOME, "--days", "2", "--format", "jsonl")
    report = json.loads(_run(pool, "heatpool-writer", "verify", "--from", "2020-01-01"))
    saved = _run(pool, "heatpoolctl", "backup", str(tmp_path / "saved"))
    receipt = _run(pool, "heatpoolctl", "erase", HOME, "--yes").strip()
    gone = pool.wait_until_counted('{__name__=~"heatpump_.*"}', 0, 40)
    again = pool.post(submission(HOME, [{"timestamp": now_s - 90_000, "power": 7}]))
    progress = _run(pool, "heatpoolctl", "erasures", receipt)

    assert table[0] == "timestamp,model,power"
    assert len(table) == 51
    assert json.loads(lines.splitlines()[-1]) == {
        "timestamp": now_s,
        "model": "aero_slm",
        "power": 100,
    }
    assert (report["distinct_samples"], report["missing"], report["differing"]) == (50, 0, 0)
    assert "TELEMETRY.stream" in saved
    assert gone == 0
    assert again.status_code in (200, 410)  # 200 only until the edge has seen the tombstone
    assert receipt[:8] in progress
    time.sleep(3)
    assert pool.count('{__name__=~"heatpump_.*"}') == 0


def test_poison_is_listed_and_dropped(pool: Pool) -> None:
    """Published behind the edge's back."""
    assert _run(pool, "heatpoolctl", "dlq", "list").count("chunk") == 0
    _publish(pool, "telemetry.aero_slm." + "0" * 32, b"poison")
    deadline = time.monotonic() + 20
    while "chunk_malformed" not in (listed := _run(pool, "heatpoolctl", "dlq", "list")):
        assert time.monotonic() < deadline
        time.sleep(0.2)

    assert "aero_slm" in listed
    assert "b'poison'" in _run(pool, "heatpoolctl", "dlq", "show", "1")
    assert _run(pool, "heatpoolctl", "dlq", "replay", "--all") == "replayed 1\n"
    while "chunk_malformed" not in _run(pool, "heatpoolctl", "dlq", "list"):
        assert time.monotonic() < deadline
    assert _run(pool, "heatpoolctl", "dlq", "drop", "--all") == "dropped 1\n"


def _run(pool: Pool, *command: str) -> str:
    environment = {**pool.environment, "COLUMNS": "200"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _wait_until_acknowledged(pool: Pool) -> None:
    deadline = time.monotonic() + 30
    while pool.metrics("writer").get("heatpool_writer_in_hand_samples", 1) > 0:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _publish(pool: Pool, subject: str, payload: bytes) -> None:
    pool.on_bus(lambda client: client.jetstream().publish(subject, payload))
