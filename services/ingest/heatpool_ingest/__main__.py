"""Start the edge: read the environment, build, run."""

from __future__ import annotations

import os
import sys

import uvloop

from heatpool_chassis import bus, lifecycle, logs
from heatpool_chassis.lifecycle import Lifecycle
from heatpool_chassis.metrics import IngestMetrics
from heatpool_chassis.settings import SettingsError, described, load
from heatpool_contract import subjects
from heatpool_ingest.app import Edge, create_app
from heatpool_ingest.publishing import Publisher
from heatpool_ingest.settings import PREFIX, Settings


def main() -> None:
    """Entry point of `heatpool-ingest`."""
    try:
        settings = load(Settings, PREFIX, os.environ)
    except SettingsError as error:
        sys.exit(f"heatpool-ingest cannot start:\n{error}")
    try:
        uvloop.run(_run(settings))
    except bus.BusError as error:
        sys.exit(f"heatpool-ingest cannot start: {error}")


async def _run(settings: Settings) -> None:
    log = logs.configure("ingest")
    log.info("starting", **described(settings))
    life = Lifecycle("ingest")
    metrics = IngestMetrics(life.registry)
    await life.serve(lifecycle.private_app(life), settings.private_host, settings.private_port)

    async def work() -> None:
        identity = bus.Identity(settings.nats_user, settings.nats_password or "")
        client = await bus.connect(life, settings.nats_url, identity, buffered=False)
        await bus.verify(client, streams=(subjects.STREAM_TELEMETRY,))
        edge = Edge(settings, life, metrics, Publisher(client, settings.publish_s_max), log)
        await life.serve(create_app(edge), settings.host, settings.port)
        life.set_check("started", ok=True)
        log.info("listening", port=settings.port)
        await life.stopping.wait()
        await life.drained()
        await bus.close(client)

    await lifecycle.run(life, work)
    log.info("stopped")


if __name__ == "__main__":
    main()
