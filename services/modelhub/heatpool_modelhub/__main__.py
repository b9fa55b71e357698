"""Start the hub: read the environment, build, run."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import time
from functools import partial
from typing import TYPE_CHECKING

import uvloop

from heatpool_chassis import bus, lifecycle, logs, micro
from heatpool_chassis.lifecycle import Lifecycle
from heatpool_chassis.metrics import ModelhubMetrics
from heatpool_chassis.permissions import Role
from heatpool_chassis.probing import probe
from heatpool_chassis.settings import SettingsError, described, load
from heatpool_chassis.victoria import Victoria, VictoriaUrls
from heatpool_contract import subjects
from heatpool_modelhub.app import create_app
from heatpool_modelhub.asking import Ports
from heatpool_modelhub.binding import bind
from heatpool_modelhub.community import Community
from heatpool_modelhub.following import follow
from heatpool_modelhub.freshness import Freshness
from heatpool_modelhub.hub import Hub
from heatpool_modelhub.limits import Limits
from heatpool_modelhub.objects import read_object
from heatpool_modelhub.operators import models_endpoint
from heatpool_modelhub.overview import Overviews
from heatpool_modelhub.public_routes import public_routes
from heatpool_modelhub.registry import Registry
from heatpool_modelhub.releases import Releases
from heatpool_modelhub.rights import Rights, rights_routes
from heatpool_modelhub.rollup import RollupJob
from heatpool_modelhub.settings import PREFIX, Settings, keys_of, policy_of, rates_of
from heatpool_modelhub.signatures import Signatures
from heatpool_modelhub.site import site
from heatpool_modelhub.statistics import Rules
from heatpool_modelhub.statistics_routes import statistics_routes
from heatpool_modelhub.tokens import Tokens
from heatpool_modelhub.trust_files import TrustFiles

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from nats.aio.client import Client
    from structlog.stdlib import BoundLogger


def main() -> None:
    """Entry point of `heatpool-modelhub`."""
    try:
        settings = load(Settings, PREFIX, os.environ)
    except SettingsError as error:
        sys.exit(f"heatpool-modelhub cannot start:\n{error}")
    try:
        uvloop.run(_run(settings))
    except bus.BusError as error:
        sys.exit(f"heatpool-modelhub cannot start: {error}")


async def _run(settings: Settings) -> None:
    log = logs.configure("modelhub")
    log.info("starting", **described(settings))
    life = Lifecycle("modelhub")
    await life.serve(lifecycle.private_app(life), settings.private_host, settings.private_port)
    await lifecycle.run(life, lambda: serve(settings, life, log))
    log.info("stopped")


async def serve(settings: Settings, life: Lifecycle, log: BoundLogger) -> None:
    """Connect, follow the buckets and answer requests until the process is to stop."""
    identity = bus.Identity(settings.nats_seed or "", settings.nats_ca)
    client = await bus.connect(life, settings.nats_url, identity, buffered=False)
    await probe(client, life, Role.MODELHUB)
    await bus.verify(
        client,
        buckets=(
            subjects.KV_INSTALLATIONS,
            subjects.KV_RELEASES,
            subjects.KV_TRUST,
            subjects.KV_COMMUNITY,
            subjects.KV_ERASURES,
        ),
        streams=(subjects.STREAM_CONSENT,),
        objects=(subjects.OBJECTS_MODELS,),
    )
    read_url = settings.victoria_read_url
    write_url = settings.victoria_write_url or read_url
    urls = VictoriaUrls(write_url, read_url, read_url, settings.victoria_storage_urls)
    store = Victoria(urls) if read_url else None
    assembly = Assembly(settings, client, life, log, time.time, store)
    instance = f"{socket.gethostname()}:{settings.private_port}"
    await micro.register(client, life, log, models_endpoint(assembly.releases, instance))
    async with asyncio.TaskGroup() as group:
        # One that fails ends the group and the process: a supervisor starts it anew.
        tasks = [group.create_task(work) for work in assembly.background()]
        await life.serve(assembly.app, settings.host, settings.port)
        log.info("listening", port=settings.port)
        tasks.append(group.create_task(_report_start(life, assembly.releases)))
        await life.stopping.wait()
        await life.drained()
        for task in tasks:
            task.cancel()
    if store is not None:
        await store.close()
    await client.close()


async def _report_start(life: Lifecycle, releases: Releases) -> None:
    """Ready when releases can be offered; before, a contributor would hear that there is none."""
    await releases.loaded.wait()
    life.set_check("started", ok=True)


class Assembly:
    """The parts of one hub on one connection, put together."""

    def __init__(
        self,
        settings: Settings,
        client: Client,
        life: Lifecycle,
        log: BoundLogger,
        clock: Callable[[], float],
        store: Victoria | None = None,
    ) -> None:
        self._client, self._life = client, life
        keys = keys_of(settings)
        # What is in memory is served on; only registrations wait, and say so (docs/modelhub.md).
        life.dispensable.add("nats")
        self.metrics = ModelhubMetrics(life.registry)
        self.trust = TrustFiles(self.metrics)
        self.community = Community(self.metrics)
        self.registry = Registry(settings.registry_entries_max, self.metrics)
        self.releases = Releases(
            partial(read_object, client),
            keys.hub_private,
            settings.cache_bytes_max,
            self.metrics,
            log,
        )
        freshness = Freshness(keys.timestamp_seed)
        signatures = Signatures(settings.identity, self.metrics)
        hub = Hub(
            policy_of(settings), keys, self.registry, self.releases, freshness, signatures, life
        )
        loggers, operators = Tokens(settings.tokens), Tokens(settings.operator_tokens)
        limits = Limits(rates_of(settings), os.urandom)
        ports = Ports(
            loggers, operators, limits, clock, partial(bind, client, self.registry), self.trust
        )
        rights = Rights(client, store, keys.pseudonym)
        files = site()
        homes_min = settings.statistics_homes_min
        overviews = Overviews(hub, self.community, homes_min, files.words)
        self.app = create_app(
            hub,
            ports,
            [
                *statistics_routes(hub, ports, self.community, store),
                *rights_routes(hub, ports, rights),
                *public_routes(overviews, files, ports),
            ],
            self.metrics,
            log,
        )
        self.rollup: RollupJob | None = None
        if store is not None and settings.victoria_write_url:
            rules = Rules(homes_min)
            owner = os.urandom(8).hex()
            self.rollup = RollupJob(client, store, self.registry, rules, owner, log)
        self._clock = clock

    def background(self) -> list[Coroutine[None, None, None]]:
        """What runs beside the requests."""
        client, life, metrics = self._client, self._life, self.metrics
        rollups = [] if self.rollup is None else [self.rollup.run(life, self._clock)]
        return [
            *rollups,
            follow(client, subjects.KV_COMMUNITY, self.community, life, metrics),
            follow(client, subjects.KV_INSTALLATIONS, self.registry, life, metrics),
            follow(client, subjects.KV_RELEASES, self.releases, life, metrics),
            follow(client, subjects.KV_TRUST, self.trust, life, metrics),
            self.releases.keep(),
        ]


if __name__ == "__main__":
    main()
