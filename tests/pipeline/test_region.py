"""Edges of another region behind a leaf node: the link is cut under load; a stolen region."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
import uuid
from typing import TYPE_CHECKING

import httpx
import pytest
from conftest import TEST_SIZES
from forbidden import ATTEMPTS
from nats.errors import NoRespondersError
from pool import Pool, submission
from region import LeafServer, RegionalEdge, add
from simulators.link import Link

from heatpool_chassis import bus, micro
from heatpool_chassis.lifecycle import Lifecycle
from heatpool_chassis.permissions import Role, imported, permissions_of
from heatpool_contract import subjects
from heatpool_deploy import regions
from heatpool_deploy.free_ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nats.aio.client import Client
    from nats.aio.msg import Msg

pytestmark = pytest.mark.pipeline
POSTERS = 8
SECONDS_MAX = 30


@pytest.fixture
def joined(tmp_path: Path) -> Iterator[tuple[Pool, LeafServer, Link, Path]]:
    """A pool's nats-server and a region's, with a wire between them."""
    pool, folder, arrives = Pool(tmp_path / "pool", sizes=TEST_SIZES), tmp_path / "eu", free_port()
    with Link(arrives) as link:
        add(pool, folder, link.port, arrives)
        pool.start(["nats"])
        leaf = LeafServer(folder)
        try:
            leaf.start()
            yield pool, leaf, link, folder
        finally:
            leaf.stop()
            pool.stop()


async def test_what_was_answered_with_200_is_stored_though_the_link_was_cut(
    joined: tuple[Pool, LeafServer, Link, Path],
) -> None:
    """Homes post all the while; cut, the edge says 503 by its code; mended, it takes them again."""
    pool, leaf, link, folder = joined
    edge = RegionalEdge(pool, folder, leaf)
    await asyncio.to_thread(edge.start)
    operator = await pool.connect()
    subject = micro.subject(Role.INGEST, "status")
    try:
        seen = await micro.gather(operator, subject)
        load = _Load(edge.url, pool.token)
        async with asyncio.TaskGroup() as posters:
            for _ in range(POSTERS):
                posters.create_task(load.post_on())
            await load.until(200, 200)
            link.cut()
            await load.until(503, 200)
            link.mend()
            await load.until(200, load.answers[200] + 200)
            load.stopping = True
        repeated = [await load.post(home) for home in load.unsure]
        await load.close()
        stored = await _stored(operator)
    finally:
        await operator.close()
        await asyncio.to_thread(edge.stop)

    assert len(seen) == 1  # the operator's commands reach the region
    assert load.answers.keys() == {200, 503}
    assert load.codes == {"bus_unavailable"}
    assert set(repeated) == {200}
    assert len(stored) == len(load.sure) + len(load.unsure)
    assert set(stored.values()) == {1}  # a home sent once, or twice the same


async def test_a_stolen_region_may_what_an_edge_may(
    joined: tuple[Pool, LeafServer, Link, Path],
) -> None:
    """The thief drops all limits on his side; ours refuses what the table forbids an edge."""
    pool, leaf, _link, folder = joined
    leaf.stop()
    config = folder / regions.LEAF_FILE
    text = config.read_text()
    start, end = text.index(", permissions:"), text.index(" } ]\n")
    config.write_text(text[:start] + text[end:])
    leaf.start()
    operator = await pool.connect()
    thief = await bus.connect(Lifecycle("ingest"), leaf.url, leaf.identity, buffered=True)
    try:
        answer = await _linked(thief)
        before = await _held(operator)
        attempts = [one for one in ATTEMPTS if one.role is Role.INGEST and one.verb == "publish"]
        for attempt in attempts:
            for name in {attempt.subject, imported(attempt.subject)}:
                await thief.publish(name, b"", reply=thief.new_inbox())
        for subject in permissions_of(Role.INGEST).publish[1:]:
            await thief.publish(subject, b'{"seq":1}', reply="consent")
        await bus.settled(thief)
        last = await thief.request("telemetry.led.home", b"{}")  # behind all of those
        after = await _held(operator)
    finally:
        await thief.close()
        await operator.close()

    assert b'"seq"' in answer.data
    assert len(attempts) > 30
    telemetry = before.pop(subjects.STREAM_TELEMETRY), after.pop(subjects.STREAM_TELEMETRY)
    assert after == before
    assert telemetry[1] == telemetry[0] + 1
    assert b'"seq"' in last.data


async def _linked(thief: Client) -> Msg:
    """The first answer through the leaf, whose link comes up after the server itself."""
    async with asyncio.timeout(SECONDS_MAX):
        while True:
            try:
                return await thief.request("telemetry.led.home", b"{}", timeout=SECONDS_MAX)
            except NoRespondersError:
                await asyncio.sleep(0.05)


class _Load:
    """Homes that each send once."""

    def __init__(self, url: str, token: str) -> None:
        self.answers: dict[int, int] = {}
        self.codes: set[str] = set()
        self.sure: list[str] = []
        self.unsure: list[str] = []
        self.stopping = False
        self._headers = {
            "Authorization": f"Bearer {token}",
            "Content-Encoding": "gzip",
            "Content-Type": "application/json",
        }
        self._client = httpx.AsyncClient(base_url=url, timeout=30)
        self._now_s = int(time.time())

    async def post_on(self) -> None:
        """One home after the other."""
        while not self.stopping:
            home = str(uuid.uuid4())
            status = await self.post(home)
            self.answers[status] = self.answers.get(status, 0) + 1
            (self.sure if status == httpx.codes.OK else self.unsure).append(home)

    async def post(self, home: str) -> int:
        """A home's only submission; again the same, if it is repeated."""
        body = submission(home, [{"timestamp": self._now_s, "power": 1.5}])
        packed = gzip.compress(json.dumps(body).encode(), 1, mtime=0)
        answer = await self._client.post("/api/v1/submit", content=packed, headers=self._headers)
        if answer.status_code != httpx.codes.OK:
            self.codes.add(answer.json()["code"])
        return answer.status_code

    async def close(self) -> None:
        """No home is there any more."""
        await self._client.aclose()

    async def until(self, status: int, count: int) -> None:
        """Wait until so many were answered so."""
        async with asyncio.timeout(SECONDS_MAX):
            while self.answers.get(status, 0) < count:  # noqa: ASYNC110 - nobody announces it
                await asyncio.sleep(0.02)


async def _stored(operator: Client) -> dict[str, int]:
    info = await operator.jetstream().stream_info(subjects.STREAM_TELEMETRY, subjects_filter=">")
    return info.state.subjects or {}


async def _held(operator: Client) -> dict[str, int]:
    """Last number of every stream."""
    found = await operator.jetstream().streams_info()
    return {info.config.name or "": info.state.last_seq for info in found}
