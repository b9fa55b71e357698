"""Start the trainer: read the environment, build, run."""

from __future__ import annotations

import asyncio
import os
import secrets
import sys

from heatpool_chassis import bus, lifecycle, logs, micro
from heatpool_chassis.lifecycle import Lifecycle
from heatpool_chassis.metrics import TrainerMetrics
from heatpool_chassis.permissions import Role
from heatpool_chassis.probing import probe
from heatpool_chassis.settings import SettingsError, described, load
from heatpool_contract import subjects
from heatpool_trainer.consumer import Buckets, Trainer
from heatpool_trainer.publishing import Signing
from heatpool_trainer.settings import PREFIX, Settings, key_bytes


def main() -> None:
    """Entry point of `heatpool-trainer`."""
    try:
        settings = load(Settings, PREFIX, os.environ)
    except SettingsError as error:
        sys.exit(f"heatpool-trainer cannot start:\n{error}")
    try:
        asyncio.run(_run(settings))
    except bus.BusError as error:
        sys.exit(f"heatpool-trainer cannot start: {error}")


async def _run(settings: Settings) -> None:
    log = logs.configure("trainer")
    log.info("starting", **described(settings))
    life = Lifecycle("trainer")
    metrics = TrainerMetrics(life.registry)
    signing = Signing(
        key_bytes(settings.release_seed), key_bytes(settings.hub_public_key), secrets.token_bytes
    )
    await life.serve(lifecycle.private_app(life), settings.private_host, settings.private_port)

    async def work() -> None:
        identity = bus.Identity(settings.nats_seed or "", settings.nats_ca)
        client = await bus.connect(life, settings.nats_url, identity, buffered=True)
        await probe(client, life, Role.TRAINER)
        await bus.verify(
            client,
            streams=(subjects.STREAM_TELEMETRY,),
            buckets=(subjects.KV_RELEASES, subjects.KV_PROGRESS),
            objects=(subjects.OBJECTS_MODELS,),
        )
        await micro.register(client, life, log)
        js = client.jetstream()
        buckets = Buckets(
            await js.key_value(subjects.KV_RELEASES),
            await js.key_value(subjects.KV_PROGRESS),
            await js.object_store(subjects.OBJECTS_MODELS),
        )
        life.set_check("started", ok=True)
        await Trainer(settings, life, metrics, client, buckets, signing, log).run()
        await bus.close(client)

    await lifecycle.run(life, work)
    log.info("stopped")


if __name__ == "__main__":
    main()
