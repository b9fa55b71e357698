"""A JetStream cluster of three: a node killed under load, with two edges and two writers."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import json
import time
from typing import TYPE_CHECKING

import httpx
import pytest
from cluster import NODES, SERVICES, SIZES, Cluster
from pool import submission

from heatpool_chassis import provisioning
from heatpool_chassis.topology import topology
from heatpool_chassis.victoria import Victoria, VictoriaUrls
from heatpool_contract import subjects

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.pipeline, pytest.mark.slow]
BEFORE_S = 2.0
AFTER_S = 2.0
SETTLE_S_MAX = 90.0
"""What was on its way to a writer through the killed node comes again after `ack_wait`, 60 s."""
LOGGERS = 6


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """Three nodes, R3 streams, two edges, two writers."""
    running = Cluster(tmp_path / "cluster")
    try:
        running.start()
        yield running
    finally:
        running.stop()


class Loggers:
    """Homes that post to whichever edge, and repeat until they hear 200, as the guide says."""

    def __init__(self, cluster: Cluster) -> None:
        self.enough = asyncio.Event()
        self.accepted = 0
        self._goal = 0
        self._reached = asyncio.Event()
        self.repeats = 0
        self._urls = itertools.cycle(f"http://127.0.0.1:{p}" for p in cluster.edges.values())
        self._headers = {
            "Authorization": f"Bearer {cluster.token}",
            "Content-Encoding": "gzip",
            "Content-Type": "application/json",
        }
        self._start_ms = int(time.time() * 1000) - 3_600_000

    async def run(self) -> None:
        """All of them, until `enough` is set."""
        async with httpx.AsyncClient(timeout=10) as http, asyncio.TaskGroup() as group:
            for number in range(LOGGERS):
                group.create_task(self._one(http, number))

    async def reach(self, goal: int) -> None:
        """Wait until so many were accepted."""
        self._goal = goal
        self._reached.clear()
        await self._reached.wait()

    async def _one(self, http: httpx.AsyncClient, number: int) -> None:
        home = f"00000000-0000-4000-8000-{number:012x}"
        for turn in itertools.count():
            if self.enough.is_set():
                return
            at_s = (self._start_ms + turn * 100) / 1000
            body = json.dumps(submission(home, [{"timestamp": at_s, "turn": turn, "home": number}]))
            while not await self._post(http, gzip.compress(body.encode(), 1)):
                self.repeats += 1
                await asyncio.sleep(0.1)
            self.accepted += 1
            if self.accepted >= self._goal:
                self._reached.set()

    async def _post(self, http: httpx.AsyncClient, body: bytes) -> bool:
        url = f"{next(self._urls)}/api/v1/submit"
        try:
            answer = await http.post(url, content=body, headers=self._headers)
        except httpx.TransportError:
            return False
        assert answer.status_code in (200, 503), answer.text
        return answer.status_code == httpx.codes.OK


@pytest.mark.timeout(170)  # alone it takes 25 s, or 85 s when messages wait for `ack_wait`
async def test_a_node_killed_under_load_loses_nothing(cluster: Cluster) -> None:
    """The stream's leader gets SIGKILL; what loggers heard 200 for is in the store, once."""
    loggers = Loggers(cluster)
    load = asyncio.create_task(loggers.run())
    await asyncio.sleep(BEFORE_S)
    before = await cluster.leader()
    accepted_before = loggers.accepted
    cluster.kill(before)
    killed_s = time.monotonic()
    await loggers.reach(accepted_before + LOGGERS + 1)  # those on their way may be answered
    pause_s = time.monotonic() - killed_s
    await asyncio.sleep(AFTER_S)
    loggers.enough.set()
    await load

    after = await cluster.leader()
    url = cluster.stack.victoria_url
    async with Victoria(VictoriaUrls(url, url, url)) as store:
        loaded_s = time.monotonic()
        found = await _settled(store, loggers.accepted)
        settled_s = time.monotonic() - loaded_s
    await asyncio.to_thread(cluster.start_node, before)
    replicas = await _replicas(cluster)
    print(  # noqa: T201 - the run's figures
        f"\n{loggers.accepted} requests accepted ({accepted_before} before the kill of {before}, "
        f"accepted again after {pause_s:.1f} s), {loggers.repeats} repeated, "
        f"{found} in the store {settled_s:.1f} s later; leader {after}, replicas {replicas}"
    )

    assert 0 < accepted_before < loggers.accepted
    assert after != before
    assert found == loggers.accepted
    assert replicas == sorted(NODES)
    for name in SERVICES:
        assert cluster.processes[name].poll() is None, name
        worked = cluster.metrics(name)
        done = "ingest_requests_total" if "ingest" in name else "writer_messages_total"
        assert sum(value for key, value in worked.items() if done in key) > 0, name


async def _settled(store: Victoria, expected: int) -> int:
    """Requests that a reader of the store sees, polled until they are all there."""
    deadline = time.monotonic() + SETTLE_S_MAX
    while True:
        await store.force_flush()
        series = store.export("heatpump_turn", 0, int(time.time() * 1000) + 600_000)
        found = sum([len(one.timestamps) async for one in series])
        if found >= expected or time.monotonic() > deadline:
            return found
        await asyncio.sleep(0.3)


async def _replicas(cluster: Cluster) -> list[str]:
    """Nodes that hold TELEMETRY and are up to date, polled until all are."""
    client = await cluster.connect()
    js = client.jetstream(timeout=5)
    deadline = time.monotonic() + SETTLE_S_MAX
    while True:
        group = (await js.stream_info(subjects.STREAM_TELEMETRY)).cluster
        assert group is not None
        current = [one.name or "" for one in group.replicas or () if one.current]
        found = sorted([group.leader or "", *current])
        if len(found) == len(NODES) or time.monotonic() > deadline:
            break
        await asyncio.sleep(0.3)
    assert await provisioning.changes(client, topology(SIZES)) == []
    await client.close()
    return found
