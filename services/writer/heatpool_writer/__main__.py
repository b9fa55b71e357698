"""Start the writer: read the environment, build, run."""

from __future__ import annotations

import asyncio
import os
import sys

import uvloop

from heatpool_chassis import bus, lifecycle, logs, topology
from heatpool_chassis.lifecycle import Lifecycle
from heatpool_chassis.metrics import WriterMetrics
from heatpool_chassis.settings import SettingsError, described, load
from heatpool_chassis.victoria import Victoria, VictoriaUrls
from heatpool_contract import subjects
from heatpool_writer.consumer import Writer
from heatpool_writer.contributions import Contributions
from heatpool_writer.janitor import Janitor
from heatpool_writer.settings import PREFIX, Settings


def main() -> None:
    """Entry point of `heatpool-writer`."""
    try:
        settings = load(Settings, PREFIX, os.environ)
    except SettingsError as error:
        sys.exit(f"heatpool-writer cannot start:\n{error}")
    try:
        uvloop.run(_run(settings))
    except* bus.BusError as errors:
        sys.exit(f"heatpool-writer stops: {', '.join(map(str, errors.exceptions))}")


async def _run(settings: Settings) -> None:
    log = logs.configure("writer")
    log.info("starting", **described(settings))
    life = Lifecycle("writer")
    metrics = WriterMetrics(life.registry)
    urls = VictoriaUrls(
        settings.victoria_write_url, settings.victoria_read_url, settings.victoria_admin_url
    )
    await life.serve(lifecycle.private_app(life), settings.private_host, settings.private_port)

    async def work() -> None:
        identity = bus.Identity(settings.nats_user, settings.nats_password or "")
        client = await bus.connect(life, settings.nats_url, identity, buffered=True)
        await bus.verify(
            client,
            streams=(subjects.STREAM_TELEMETRY, subjects.STREAM_DEADLETTER),
            buckets=(subjects.KV_INSTALLATIONS,),
        )
        await bus.verify_consumer(client, subjects.STREAM_TELEMETRY, topology.writer_consumer())
        bucket = await client.jetstream().key_value(subjects.KV_INSTALLATIONS)
        contributions = Contributions(bucket, metrics)
        async with Victoria(urls) as store, asyncio.TaskGroup() as tasks:
            life.set_check("started", ok=True)
            tasks.create_task(Janitor(life, metrics, client, contributions, log).run())
            await Writer(settings, life, metrics, client, store, contributions, log).run()
        await bus.close(client)

    await lifecycle.run(life, work)
    log.info("stopped")


if __name__ == "__main__":
    main()
