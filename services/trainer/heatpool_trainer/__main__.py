"""Start the trainer: read the environment, build, run. `train` makes one training by hand."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import rich_click as click

from heatpool_chassis import bus, lifecycle, logs, micro
from heatpool_chassis.lifecycle import Lifecycle
from heatpool_chassis.metrics import TrainerMetrics
from heatpool_chassis.permissions import Role
from heatpool_chassis.probing import probe
from heatpool_chassis.settings import SettingsError, described, load
from heatpool_contract.identity import is_slug
from heatpool_trainer import erased_homes
from heatpool_trainer.attempt import WORK
from heatpool_trainer.by_hand import train_by_hand
from heatpool_trainer.consumer import Trainer
from heatpool_trainer.settings import PREFIX, Settings
from heatpool_trainer.wiring import rebuild_endpoint, wire

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


@click.group(invoke_without_command=True)
@click.pass_context
def main(context: click.Context) -> None:
    """Train detectors as data come in, until stopped. Settings: HEATPOOL_TRAINER_*."""
    if context.invoked_subcommand is None:
        _guarded(_run)


@main.command()
@click.option("--model", required=True, help="Slug of the heat-pump model.")
@click.option("--accept", multiple=True, help="Reason of the gate to accept; repeatable.")
def train(model: str, accept: tuple[str, ...]) -> None:
    """Train one model now, show how it goes, and release it if it passes the gate."""
    if not is_slug(model):
        raise click.ClickException("not the slug of a model, such as aero_slm_6_17")
    outcomes: list[str] = []

    async def work(settings: Settings) -> None:
        outcomes.append(await train_by_hand(settings, model, accept))

    _guarded(work)
    sys.exit(0 if outcomes in (["released"], ["unchanged"]) else 1)


def _guarded(work: Callable[[Settings], Coroutine[None, None, None]]) -> None:
    try:
        settings = load(Settings, PREFIX, os.environ)
    except SettingsError as error:
        sys.exit(f"heatpool-trainer cannot start:\n{error}")
    try:
        asyncio.run(work(settings))
    except bus.BusError as error:
        sys.exit(f"heatpool-trainer cannot start: {error}")


async def _run(settings: Settings) -> None:
    log = logs.configure("trainer")
    log.info("starting", **described(settings))
    life = Lifecycle("trainer")
    metrics = TrainerMetrics(life.registry)
    await life.serve(lifecycle.private_app(life), settings.private_host, settings.private_port)

    async def work() -> None:
        identity = bus.Identity(settings.nats_seed or "", settings.nats_ca)
        client = await bus.connect(life, settings.nats_url, identity, buffered=True)
        await probe(client, life, Role.TRAINER)
        with TemporaryDirectory(prefix="heatpool-trainer-") as temporary:
            folder = settings.state or Path(temporary)
            shutil.rmtree(folder / WORK, ignore_errors=True)  # of a trainer that was killed
            # The same after a restart, so that its leases are found again.
            holder = f"{socket.gethostname()}:{settings.private_port}"
            ports = await wire(client, settings, folder, holder)
            trainer = Trainer(
                settings,
                life,
                metrics,
                client,
                ports.reports,
                ports.bulletin,
                ports.attempts,
                log,
            )

            def forget(home: str) -> None:
                if ports.days is not None and ports.days.forget(home):
                    metrics.homes_forgotten.inc()
                trainer.forget(home)

            if ports.days is not None:
                kept = sorted(ports.days.homes())
                for home in await erased_homes.gone(ports.buckets.installations, kept):
                    forget(home)
            await micro.register(client, life, log, rebuild_endpoint(ports.bulletin, _now_ms))
            life.set_check("started", ok=True)
            async with asyncio.TaskGroup() as group:
                group.create_task(erased_homes.follow(client, life, forget, log))
                group.create_task(trainer.run())
        await bus.close(client)

    await lifecycle.run(life, work)
    log.info("stopped")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


if __name__ == "__main__":
    main()
