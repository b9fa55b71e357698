"""Start the writer: read the environment, build, run."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from datetime import UTC, datetime

import msgspec
import uvloop

from heatpool_chassis import buckets, bus, lifecycle, logs, micro, topology
from heatpool_chassis.lifecycle import Lifecycle
from heatpool_chassis.metrics import WriterMetrics
from heatpool_chassis.permissions import Role
from heatpool_chassis.probing import probe
from heatpool_chassis.settings import SettingsError, described, load
from heatpool_chassis.victoria import StoreError, Victoria, VictoriaUrls
from heatpool_contract import subjects
from heatpool_writer.consumer import Writer
from heatpool_writer.contributions import Contributions
from heatpool_writer.erasure import Eraser
from heatpool_writer.expiry import Expiry
from heatpool_writer.janitor import Janitor
from heatpool_writer.settings import PREFIX, Settings, waits
from heatpool_writer.verify import verify


def main() -> None:
    """Entry point of `heatpool-writer`."""
    arguments = _arguments()
    try:
        settings = load(Settings, PREFIX, os.environ)
    except SettingsError as error:
        sys.exit(f"heatpool-writer cannot start:\n{error}")
    work = _verify(settings, arguments) if arguments.command == "verify" else _run(settings)
    try:
        status = uvloop.run(work)
    except* (bus.BusError, StoreError) as errors:
        sys.exit(f"heatpool-writer stops: {', '.join(map(str, errors.exceptions))}")
    sys.exit(status)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("heatpool-writer", description="Runs the writer.")
    commands = parser.add_subparsers(dest="command")
    again = commands.add_parser(
        "verify", help="count a time range of records out of the stream again, against the store"
    )
    for name, default in (("from", "1970-01-01"), ("to", "2100-01-01")):
        again.add_argument(
            f"--{name}",
            dest=f"{name}_",
            type=datetime.fromisoformat,
            default=datetime.fromisoformat(default),
            help="ISO 8601, UTC unless it says otherwise",
        )
    return parser.parse_args()


async def _verify(settings: Settings, arguments: argparse.Namespace) -> int:
    """Print the report as JSON; status 1 if the store lacks anything."""
    life = Lifecycle(Role.WRITER)
    urls = _urls(settings)
    identity = bus.Identity(settings.nats_seed or "", settings.nats_ca)
    client = await bus.connect(life, settings.nats_url, identity, buffered=True)
    async with Victoria(urls) as store:
        await store.force_flush()
        report = await verify(client, store, _ms(arguments.from_), _ms(arguments.to_))
    await bus.close(client)
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(report)).decode() + "\n")
    return 0 if report.sound else 1


def _urls(settings: Settings) -> VictoriaUrls:
    return VictoriaUrls(
        settings.victoria_write_url,
        settings.victoria_read_url,
        settings.victoria_admin_url,
        settings.victoria_storage_urls,
        settings.victoria_insert_urls,
    )


def _ms(moment: datetime) -> int:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return round(aware.timestamp() * 1000)


async def _run(settings: Settings) -> int:
    log = logs.configure("writer")
    log.info("starting", **described(settings))
    life = Lifecycle("writer")
    metrics = WriterMetrics(life.registry)
    urls = _urls(settings)
    await life.serve(lifecycle.private_app(life), settings.private_host, settings.private_port)

    async def work() -> None:
        identity = bus.Identity(settings.nats_seed or "", settings.nats_ca)
        client = await bus.connect(life, settings.nats_url, identity, buffered=True)
        await probe(client, life, Role.WRITER)
        await bus.verify(
            client,
            streams=(subjects.STREAM_TELEMETRY, subjects.STREAM_DEADLETTER),
            buckets=(subjects.KV_INSTALLATIONS, subjects.KV_ERASURES),
        )
        await bus.verify_consumer(client, subjects.STREAM_TELEMETRY, topology.writer_consumer())
        await micro.register(client, life, log)
        bucket = buckets.bound(client.jetstream(), subjects.KV_INSTALLATIONS)
        contributions = Contributions(bucket, metrics)
        store = Victoria(urls, gzip_imports=settings.victoria_gzip)
        async with store, asyncio.TaskGroup() as tasks:
            life.set_check("started", ok=True)
            eraser = Eraser(life, metrics, client, store, contributions, log, waits(settings))
            tasks.create_task(eraser.run())
            tasks.create_task(Expiry(life, metrics, client, log).run())
            tasks.create_task(Janitor(life, metrics, client, contributions, log).run())
            await Writer(settings, life, metrics, client, store, contributions, log).run()
        await bus.close(client)

    await lifecycle.run(life, work)
    log.info("stopped")
    return 0


if __name__ == "__main__":
    main()
