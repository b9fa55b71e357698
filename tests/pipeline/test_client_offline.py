"""Two days without a network, with kills, then online: nothing lost, nothing twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import httpx
import pytest

from heatpool_client import consent, setup
from heatpool_client.clock import SYSTEM
from heatpool_client.courier import read_notes
from heatpool_client.home import Home
from heatpool_client.pool import Pool as Client

if TYPE_CHECKING:
    from pool import Pool

pytestmark = [pytest.mark.pipeline, pytest.mark.slow, pytest.mark.timeout(180)]
MINUTES = 48 * 60
KILLS = 8
HEATPOOL = Path(sys.executable).parent / "heatpool"
RECORDER = """
import sys
from pathlib import Path
from heatpool_client import Telemetry
home, start, first, last = Path(sys.argv[1]), *map(int, sys.argv[2:])
telemetry = Telemetry(home=home, background=False)
for minute in range(first, last):
    reading = {"timestamp": start + 60 * minute, "temp_flow": 20 + minute % 50, "power": minute}
    assert telemetry.record(reading)
    print(minute, flush=True)  # noqa: T201 - the transcript, shown by -s
"""


def test_two_days_offline_with_kills_arrive_once(pool: Pool, tmp_path: Path) -> None:
    """Recorder and sender are killed again and again; count and sums in the store are exact."""
    home = _home(pool, tmp_path)
    start_s = int(time.time()) // 60 * 60 - 60 * MINUTES
    chance = Random(5)
    kills = _record(home, start_s, chance)
    with Client.open(home.root, {}) as client:
        waiting = client.spool.waiting()
    print(f"\noffline 48 h: {kills} kills, {waiting.records} records wait")  # noqa: T201 - the transcript, shown by -s

    with Client.open(home.root, {}) as client:
        breaks = _send(home, client, chance)
    found = pool.wait_until_counted('{__name__=~"heatpump_(temp_flow|power)"}', 2 * MINUTES)
    sums = {field: _sum(pool, field) for field in ("temp_flow", "power")}
    with Client.open(home.root, {}) as client:
        after = client.spool.waiting()
        receipts = read_notes(home).receipts
    print(f"online: {breaks} kills while sending, {after.counts}")  # noqa: T201 - the transcript, shown by -s
    print(f"store: {found:.0f} samples, sums {sums}")  # noqa: T201 - the transcript, shown by -s

    expected = {
        "temp_flow": float(sum(20 + minute % 50 for minute in range(MINUTES))),
        "power": float(sum(range(MINUTES))),
    }
    assert after.records == 0
    assert found == 2 * MINUTES
    assert sums == expected
    assert receipts


def _home(pool: Pool, folder: Path) -> Home:
    home = Home(folder / "home")
    settings = {
        "server": pool.stack.ingest_url,
        "hub": pool.stack.modelhub_url,
        "model": "AERO SLM",
        "batch_records_max": 5,
    }
    choices = setup.Choices(settings=settings, token=pool.token)
    setup.initialise(home, choices, SYSTEM.now_s(), os.urandom)
    consent.grant(
        home, consent.CONSENT_VERSION, SYSTEM.now_s(), language="en", means="option",
        client_version="0.1.0",
    )  # fmt: skip  # one call
    return home


def _record(home: Home, start_s: int, chance: Random) -> int:
    """Record two days, killed in between; what was not reported as kept is recorded again."""
    done, kills = 0, 0
    while done < MINUTES:
        last = min(MINUTES, done + chance.randrange(150, 350))
        arguments = [str(home.root), str(start_s), str(done), str(MINUTES)]
        recorder = subprocess.Popen(
            [sys.executable, "-c", RECORDER, *arguments], stdout=subprocess.PIPE, text=True
        )
        assert recorder.stdout is not None
        for line in recorder.stdout:
            done = int(line) + 1
            if done == last and last < MINUTES:
                recorder.send_signal(signal.SIGKILL)
                break
        recorder.stdout.close()
        recorder.wait()
        kills += done < MINUTES
    return kills


def _send(home: Home, client: Client, chance: Random) -> int:
    """Send, killed in between, then to the end."""
    command = [str(HEATPOOL), "send", "--home", str(home.root), "--json"]
    kills, waiting = 0, client.spool.waiting()
    while kills < KILLS:
        sender = subprocess.Popen(command, stdout=subprocess.PIPE)
        before = waiting.counts.get("sent_requests", 0)
        while waiting.counts.get("sent_requests", 0) < before + 20:
            waiting = client.spool.waiting()
        time.sleep(chance.random() / 50)
        sender.send_signal(signal.SIGKILL)
        sender.communicate()
        kills += 1
    assert waiting.records > 0, "it was done before it was killed"
    subprocess.run(command, check=True, stdout=subprocess.PIPE)
    return kills


def _sum(pool: Pool, field: str) -> float:
    answer = httpx.get(
        f"{pool.stack.victoria_url}/api/v1/query",
        params={
            "query": f"sum(sum_over_time(heatpump_{field}[400d]))",
            "time": str(time.time() + 600),
            "nocache": "1",
        },
    ).json()
    return float(answer["data"]["result"][0]["value"][1])
