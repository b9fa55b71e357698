"""Kills: whatever dies under load, each request that was answered with 200 is in the stream once.

`HEATPOOL_KILLS` sets how often nats-server is killed (`make faults-edge`: 20).
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import time
from collections import Counter
from typing import TYPE_CHECKING

import httpx
import pytest
from edge import SIZES
from pool import Pool, submission

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.pipeline, pytest.mark.timeout(300)]
KILLS = int(os.environ.get("HEATPOOL_KILLS", "3"))
CLIENTS = 12
LARGE_EVERY = 10  # requests; these are batches of several messages


@pytest.fixture
def edges(tmp_path: Path) -> Iterator[Pool]:
    """A pool of nats-server and one edge."""
    running = Pool(tmp_path / "pool", sizes=SIZES, HEATPOOL_INGEST_PUBLISH_S_MAX="2")
    try:
        running.start(("nats", "ingest"))
        yield running
    finally:
        running.stop()


class Load:
    """Clients that repeat each request until it is answered with 200."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._stop = asyncio.Event()
        self.stored: list[int] = []
        """Numbers of the requests that were answered with 200."""
        self.given_up: set[int] = set()
        self.answers: Counter[int] = Counter()

    def stop(self) -> None:
        """No new requests; those under way are repeated until they are stored."""
        self._stop.set()

    async def run(self) -> None:
        """Until stopped."""
        async with httpx.AsyncClient(timeout=10) as http, asyncio.TaskGroup() as clients:
            for client in range(CLIENTS):
                clients.create_task(self._client(http, client))

    async def _client(self, http: httpx.AsyncClient, client: int) -> None:
        number = client
        while not self._stop.is_set():
            await self._until_stored(http, number)
            number += CLIENTS

    async def _until_stored(self, http: httpx.AsyncClient, number: int) -> None:
        body = json.dumps(_numbered(number)).encode()
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                answer = await http.post(
                    f"{self._pool.stack.ingest_url}/api/v1/submit",
                    content=body,
                    headers={"Authorization": f"Bearer {self._pool.token}"},
                )
            except httpx.TransportError:
                self.answers[0] += 1
            else:
                self.answers[answer.status_code] += 1
                if answer.status_code == 200:
                    self.stored.append(number)
                    return
            await asyncio.sleep(random.uniform(0.02, 0.2))
        self.given_up.add(number)


def _numbered(number: int) -> dict[str, object]:
    now_s = int(time.time()) - 600
    home = f"00000000-0000-4000-8000-{number % 50:012x}"
    rows: list[dict[str, object]] = [{"timestamp": now_s, "number": number}]
    if number % LARGE_EVERY == 0:
        rows += [
            {"timestamp": now_s - i, **{f"f{k}": i + k / 7 for k in range(8)}}
            for i in range(1, 5000)
        ]
    return submission(home, rows)


async def _in_stream(pool: Pool) -> Counter[int]:
    """How often each request's number is in the stream."""
    client = await pool.connect()
    js = client.jetstream(timeout=10)
    found: Counter[int] = Counter()
    last = (await js.stream_info("TELEMETRY")).state.last_seq
    subscription = await js.pull_subscribe("telemetry.>", stream="TELEMETRY")
    seen = 0
    while seen < last:
        for message in await subscription.fetch(50, timeout=5):
            seen = message.metadata.sequence.stream
            await message.ack()
            for frame in json.loads(message.data)["frames"]:
                found.update(map(int, frame["columns"].get("number", ())))
    await client.close()
    return found


async def test_nats_killed_under_load_every_200_is_in_the_stream_once(edges: Pool) -> None:
    """SIGKILL again and again; clients repeat; nothing is lost and nothing is doubled."""
    load = Load(edges)
    running = asyncio.create_task(load.run())
    for _kill in range(KILLS):
        await asyncio.sleep(random.uniform(0.5, 1.5))
        await asyncio.to_thread(edges.kill, "nats")
        await asyncio.sleep(random.uniform(0.0, 0.5))
        await asyncio.to_thread(edges.start, ["nats"])
    await asyncio.sleep(1)
    load.stop()
    await running
    found = await _in_stream(edges)
    print(f"kills {KILLS}, answers {dict(load.answers)}, stored {len(load.stored)}")  # noqa: T201 - the figures of the run

    assert not load.given_up
    assert load.answers[500] == 0
    assert set(load.stored) == set(found)
    assert set(found.values()) == {1}


async def test_edge_killed_under_load_loses_nothing_that_was_answered(edges: Pool) -> None:
    """SIGKILL of the edge and its children; the next edge recognises what was stored."""
    load = Load(edges)
    running = asyncio.create_task(load.run())
    for _kill in range(2):
        await asyncio.sleep(1)
        await asyncio.to_thread(edges.kill, "ingest")
        await asyncio.to_thread(edges.start, ["ingest"])
    await asyncio.sleep(0.5)
    load.stop()
    await running
    found = await _in_stream(edges)

    assert not load.given_up
    assert set(load.stored) == set(found)
    assert set(found.values()) == {1}


async def test_sigterm_finishes_what_was_accepted(edges: Pool) -> None:
    """Readiness goes off, requests under way are answered, the process ends with 0 in time."""
    load = Load(edges)
    running = asyncio.create_task(load.run())
    await asyncio.sleep(1)
    process = edges.processes["ingest"]
    edges.signal("ingest", signal.SIGTERM)
    status = await asyncio.to_thread(process.wait, 25)
    await asyncio.to_thread(edges.start, ["ingest"])
    await asyncio.sleep(0.5)
    load.stop()
    await running
    found = await _in_stream(edges)

    assert status == 0
    assert load.answers[500] == 0
    assert set(load.stored) == set(found)
    assert set(found.values()) == {1}
    assert '"event": "stopped"' in edges.log("ingest").read_text()
