"""`heatpool-trainer train`: one training by hand, never beside another of the same model."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from heatpool_contract import release, subjects
from heatpool_trainer.bulletin import Bulletin

if TYPE_CHECKING:
    from nats.aio.client import Client

KEY = "A" * 43 + "="


async def train(nats_url: str, victoria_url: str) -> tuple[int, str]:
    """Exit status and all output of the command."""
    own = {key: value for key, value in os.environ.items() if not key.startswith("HEATPOOL_")}
    settings = {
        "NATS_URL": nats_url,
        "RELEASE_SEED": KEY,
        "HUB_PUBLIC_KEY": KEY,
        **{f"VICTORIA_{role}_URL": victoria_url for role in ("WRITE", "READ", "ADMIN")},
    }
    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).parent / "heatpool-trainer",
        *("train", "--model", "aero_slm"),
        env=own | {f"HEATPOOL_TRAINER_{key}": value for key, value in settings.items()},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


@pytest.mark.slow  # two commands, and the process of a training
async def test_a_training_by_hand_waits_for_none_and_reports(
    bus: Client, nats_url: str, victoria_url: str
) -> None:
    """While another trainer has the model it says so; then it trains, and the report is in KV."""
    bucket = await bus.jetstream().key_value(subjects.KV_PROGRESS)
    other = Bulletin(bus, bucket, "another")
    await other.acquire("aero_slm", time.time_ns() // 1_000_000)

    busy = await train(nats_url, victoria_url)
    await other.give_back("aero_slm")
    free = await train(nats_url, victoria_url)

    assert busy[0] == 1
    assert "is being trained by another trainer" in busy[1]
    assert free[0] == 1  # nothing was released
    assert "aero_slm: too_small" in free[1]
    report = release.decode_report((await bucket.get("aero_slm")).value or b"")
    assert report.outcome == "too_small"
    assert (await other.read())["aero_slm"].trained_ms > 0
    assert await other.acquire("aero_slm", time.time_ns() // 1_000_000)
