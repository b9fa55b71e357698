"""Every process of a pool is a micro service: seen, asked, and drained by a request."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from pool import Pool

from heatpool_chassis import micro
from heatpool_chassis.topology import Sizes

if TYPE_CHECKING:
    from pathlib import Path

    from nats.aio.client import Client

pytestmark = pytest.mark.pipeline
SERVICES = ("ingest", "writer", "trainer", "modelhub")


class Ping(msgspec.Struct, frozen=True):
    """What of `$SRV.PING` matters here."""

    name: str
    id: str


def test_each_service_says_how_it_is_and_ends_when_drained(tmp_path: Path) -> None:
    """PING finds four; each is ready; `drain` ends each with status 0."""
    pool = Pool(tmp_path, sizes=Sizes(telemetry_bytes_max=1024**3, models_bytes_max=1024**2 * 64))
    pool.start(["nats", "victoria", *SERVICES])

    async def look(client: Client) -> dict[str, micro.Status]:
        """Pings, then asks each for its status, then drains it."""
        pings = [
            msgspec.json.decode(reply.data, type=Ping)
            for reply in await micro.gather(client, "$SRV.PING")
        ]
        found = {}
        for ping in pings:
            service = ping.name.removeprefix("heatpool-")
            to = micro.subject(service, "status")
            found[service] = await micro.ask(client, to, micro.Nothing(), micro.Status)
            assert found[service].instance == ping.id
            to = micro.subject(service, "drain", ping.id)
            await micro.ask(client, to, micro.Nothing(), micro.Draining)
        return found

    try:
        found = pool.on_bus(look)
        statuses = {name: pool.processes.pop(name).wait(timeout=40) for name in SERVICES}
    finally:
        pool.stop()

    assert sorted(found) == sorted(SERVICES)
    assert all(one.ready and all(one.checks.values()) for one in found.values())
    assert statuses == dict.fromkeys(SERVICES, 0)
    for name in SERVICES:
        assert '"event": "stopped"' in pool.log(name).read_text()
