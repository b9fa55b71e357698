"""An edge in the test's own loop, on a real port, over a real nats-server."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import httpx
import msgspec

from heatpool_chassis import bus as chassis_bus
from heatpool_chassis import logs
from heatpool_chassis.lifecycle import Lifecycle
from heatpool_chassis.metrics import IngestMetrics
from heatpool_chassis.settings import Secret
from heatpool_chassis.topology import Sizes, topology
from heatpool_deploy.free_ports import free_port
from heatpool_ingest.app import create_app
from heatpool_ingest.edge import Edge, Ports
from heatpool_ingest.erased import Erased
from heatpool_ingest.progress import Progress
from heatpool_ingest.publishing import Publisher
from heatpool_ingest.settings import Settings
from heatpool_ingest.tracing import PassedOn
from heatpool_ingest.workers import Workers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from nats.aio.client import Client
    from nats.js.client import JetStreamContext
    from servers import NatsServer

TOKEN = "t0ken-of-the-loggers"
HOME = "5f0c1c1e-8f8e-4f0a-9d5e-0123456789ab"
START_S_MAX = 10.0
SIZES = Sizes(
    telemetry_bytes_max=1024**3, deadletter_bytes_max=1024**2 * 64, models_bytes_max=1024**2 * 256
)


class RunningEdge:
    """One edge and what a test asks of it."""

    def __init__(self, ports: Ports, life: Lifecycle, bus: Client, url: str) -> None:
        self.ports = ports
        self.life = life
        self.bus = bus
        self.js: JetStreamContext = bus.jetstream(timeout=5)
        self.http = httpx.AsyncClient(base_url=url, timeout=30)

    async def post(self, body: object, **headers: str) -> httpx.Response:
        """Post a body (bytes as they are, else as JSON) with the loggers' token."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.http.post(
            "/api/v1/submit",
            content=content,
            headers={"Authorization": f"Bearer {TOKEN}", **named},
        )

    async def messages(self) -> int:
        """Messages in TELEMETRY."""
        return (await self.js.stream_info("TELEMETRY")).state.messages

    def metric(self, name: str, **labels: str) -> float:
        """A sample of the edge's metrics; 0 if there is none."""
        return self.life.registry.get_sample_value(name, labels) or 0.0


@asynccontextmanager
async def running_edge(
    server: NatsServer, sizes: Sizes = SIZES, **changes: object
) -> AsyncIterator[RunningEdge]:
    """An edge on `server`, with settings of its own."""
    life, log = Lifecycle("ingest"), logs.configure("ingest")
    port = free_port()
    settings = msgspec.structs.replace(
        Settings(
            tokens=(Secret(TOKEN), Secret("an0ther-token-of-them")),
            pseudonym_key=Secret("p" * 32),
            receipt_key=Secret("r" * 32),
            nats_url=server.url,
            port=port,
            worker_processes=0,
        ),
        **changes,
    )
    identity = chassis_bus.Identity()
    setup = await chassis_bus.connect(Lifecycle("t"), server.url, identity, buffered=True)
    await chassis_bus.provision(setup, topology(sizes))
    client = await chassis_bus.connect(life, server.url, identity, buffered=False)
    control = await chassis_bus.connect(life, server.url, identity, buffered=False)
    async with Workers(settings.worker_processes, settings.pseudonym_key.encode()) as workers:
        ports = Ports(
            Publisher(client, settings.publish_s_max),
            workers,
            Progress(control, log),
            Erased(control, log),
            PassedOn(),
        )
        edge = Edge(settings, life, IngestMetrics(life.registry), ports)
        follower = asyncio.create_task(ports.erased.run(life))
        await life.serve(create_app(edge, log), settings.host, settings.port)
        life.set_check("started", ok=True)
        running = RunningEdge(ports, life, setup, f"http://127.0.0.1:{port}")
        deadline = time.monotonic() + START_S_MAX
        while not ports.erased.usable(time.monotonic()):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.02)
        try:
            yield running
        finally:
            await running.http.aclose()
            life.stopping.set()
            await life.drained()
            await follower
    for each in (setup, client, control):
        await each.close()


def records(count: int, fields: int = 2, step_s: float = 60.0) -> list[dict[str, object]]:
    """Readings up to now."""
    now_s = int(time.time())
    return [
        {
            "timestamp": now_s - step_s * i,
            **{f"field_{k}": round(20 + i / 7 + k, 2) for k in range(fields)},
        }
        for i in range(count)
    ]


def submission(readings: Sequence[object], **members: object) -> dict[str, object]:
    """Body of a submission."""
    return {
        "installation_id": HOME,
        "heatpump_model": "AERO SLM",
        "version": "1.0.0",
        "data": list(readings),
        **members,
    }


async def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    """Wait for something that another task or process does."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is awaited has no event
            await asyncio.sleep(0.02)
