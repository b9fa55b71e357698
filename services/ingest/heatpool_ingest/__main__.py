"""Start the edge: read the environment, build, run."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from typing import TYPE_CHECKING, Final

import uvloop

from heatpool_chassis import bus, lifecycle, logs, micro
from heatpool_chassis.lifecycle import Lifecycle
from heatpool_chassis.metrics import IngestMetrics
from heatpool_chassis.permissions import Role
from heatpool_chassis.probing import probe
from heatpool_chassis.settings import SettingsError, described, load
from heatpool_contract import subjects
from heatpool_ingest import otel, stalls
from heatpool_ingest.app import create_app
from heatpool_ingest.edge import Edge, Ports
from heatpool_ingest.erased import Erased
from heatpool_ingest.progress import Progress
from heatpool_ingest.publishing import Publisher
from heatpool_ingest.settings import PREFIX, Settings
from heatpool_ingest.tracing import PassedOn
from heatpool_ingest.workers import Workers

if TYPE_CHECKING:
    from heatpool_ingest.tracing import Tracer

GC_OBJECTS: Final = 50_000  # a request of 10 records makes about 200


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
    tracer = _tracer(settings)
    await life.serve(lifecycle.private_app(life), settings.private_host, settings.private_port)

    async def work() -> None:
        identity = bus.Identity(settings.nats_seed or "", settings.nats_ca)
        client = await bus.connect(life, settings.nats_url, identity, buffered=False)
        # A connection of its own: questions must not wait behind megabytes of data.
        control = await bus.connect(life, settings.nats_url, identity, buffered=False)
        await probe(control, life, Role.INGEST)
        await bus.verify(
            control, streams=(subjects.STREAM_TELEMETRY,), buckets=(subjects.KV_INSTALLATIONS,)
        )
        await micro.register(control, life, log)
        progress, erased = Progress(control, log), Erased(control, log)
        async with Workers(settings.worker_processes, settings.pseudonym_key.encode()) as workers:
            publisher = Publisher(client, settings.publish_s_max)
            ports = Ports(publisher, workers, progress, erased, tracer)
            async with asyncio.TaskGroup() as followers:
                followers.create_task(progress.run(life))
                followers.create_task(erased.run(life))
                app = create_app(Edge(settings, life, metrics, ports), log)
                await life.serve(app, settings.host, settings.port)
                _quiet_gc()
                followers.create_task(stalls.watch(life, metrics))  # the start is nobody's wait
                life.set_check("started", ok=True)
                log.info("listening", port=settings.port)
                await life.stopping.wait()
                await life.drained()
        tracer.close()
        await bus.close(control)
        await bus.close(client)

    await lifecycle.run(life, work)
    log.info("stopped")


def _quiet_gc() -> None:
    """Look for cycles rarely: a request makes thousands of objects and hardly any cycle."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_OBJECTS, 20, 50)


def _tracer(settings: Settings) -> Tracer:
    if not settings.otlp_url:
        return PassedOn()
    try:
        return otel.exported(settings.otlp_url)
    except ImportError:
        sys.exit("heatpool-ingest cannot start: OTLP_URL needs `heatpool-ingest[otel]`")


if __name__ == "__main__":
    main()
