"""A hub on a real bus, asked over real HTTP, with the clock and the trainer in the test's hand."""

from __future__ import annotations

import asyncio
import os
from base64 import b64encode
from typing import TYPE_CHECKING

import httpx
import msgspec
import structlog
from simulators import publisher as pub

from heatpool_chassis.settings import Secret
from heatpool_contract import grants, registry, release, requests
from heatpool_contract.identity import pseudonym
from heatpool_contract.manifest import read_manifest
from heatpool_contract.registry import Installation
from heatpool_contract.sealed import parse
from heatpool_contract.subjects import KV_INSTALLATIONS, KV_RELEASES, OBJECTS_MODELS
from heatpool_deploy.free_ports import free_port
from heatpool_modelhub.__main__ import Assembly
from heatpool_modelhub.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from nats.aio.client import Client

    from heatpool_chassis.lifecycle import Lifecycle
    from heatpool_chassis.victoria import Victoria
    from heatpool_contract.identity import InstallationId, Pseudonym

TOKEN = "logger-token-0123456789"
OTHER_TOKEN = "logger-token-rotated-in"
OPERATOR_TOKEN = "operator-token-0123456789"
PSEUDONYM_KEY = "the key of the test pool's names"
MODEL_NAME = "AERO SLM 6-17"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
OPERATOR = {"Authorization": f"Bearer {OPERATOR_TOKEN}"}
SETTLE_S_MAX = 40.0


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something holds that nobody announces."""
    async with asyncio.timeout(SETTLE_S_MAX):
        while not condition():  # noqa: ASYNC110 - there is no event for what a test looks at
            await asyncio.sleep(0.01)


def settings(**changes: object) -> Settings:
    """Settings of a hub whose keys are those of `publisher`."""
    base = Settings(
        tokens=(Secret(TOKEN), Secret(OTHER_TOKEN)),
        operator_tokens=(Secret(OPERATOR_TOKEN),),
        pseudonym_key=Secret(PSEUDONYM_KEY),
        hub_private_key=Secret(b64encode(pub.secret("hub")).decode()),
        timestamp_key=Secret(b64encode(pub.secret("timestamp 1")).decode()),
        fleet_public_key=b64encode(pub.box_public("fleet")).decode(),
        nats_url="nats://nowhere",
        identity="observe",  # tests of signatures choose another one
        host_per_s=1e6,
        installation_per_s=1e6,
        registrations_per_s=1e6,
    )
    return msgspec.structs.replace(base, **changes)


def name_of(home: InstallationId) -> Pseudonym:
    """The pseudonym of a home in the test pool."""
    return pseudonym(home, PSEUDONYM_KEY.encode())


def contributor(days_ago: int = 0, **changes: object) -> Installation:
    """The entry of a home that sent on one day."""
    day = pub.NOW_S // pub.DAY_S - days_ago
    entry = Installation(
        model=pub.MODEL,
        version="1.0.0",
        first_ms=day * registry.DAY_MS,
        last_ms=day * registry.DAY_MS + 5_000,
        day_last=day,
        days_mask=1,
        samples=1_440,
        applied=(1, 2, 3),
    )
    return msgspec.structs.replace(entry, **changes)


def served(sealed: pub.Release, **changes: object) -> release.ServedRelease:
    """What the pointer says about a release."""
    manifest = read_manifest(parse(sealed.blob).manifest_raw)
    facts = release.ServedRelease(
        model_hash=sealed.model_hash,
        size=len(sealed.blob),
        version=manifest.version,
        epoch=manifest.epoch,
        seq=manifest.seq,
        created_ms=manifest.created_s * 1000,
        expires_ms=manifest.expires_s * 1000,
        cek_sealed=grants.seal_content_key(pub.box_public("hub"), sealed.cek, sealed.model_hash),
        state="released",
        installations=manifest.installations,
        samples=manifest.samples,
    )
    return msgspec.structs.replace(facts, **changes)


def pointer(
    current: release.ServedRelease, previous: release.ServedRelease | None = None
) -> release.ReleasePointer:
    """The pointer of `publisher.MODEL`."""
    return release.ReleasePointer(
        model=pub.MODEL, name=MODEL_NAME, current=current, previous=previous
    )


class RunningHub:
    """One hub. `now_s` is its clock."""

    def __init__(
        self,
        bus: Client,
        life: Lifecycle,
        chosen: Settings | None = None,
        store: Victoria | None = None,
    ) -> None:
        self.now_s = float(pub.NOW_S)
        self.bus = bus
        self.life = life
        self.events: list[structlog.typing.EventDict] = []
        log: structlog.stdlib.BoundLogger = structlog.wrap_logger(
            None, processors=[self._keep], wrapper_class=structlog.stdlib.BoundLogger
        )
        self.log = log
        self.parts = Assembly(chosen or settings(), bus, life, log, lambda: self.now_s, store)
        self.port = free_port()
        self.http = httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}")
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Follow the buckets and listen; returns when the views are complete."""
        self._tasks = [asyncio.create_task(work) for work in self.parts.background()]
        await self.life.serve(self.parts.app, "127.0.0.1", self.port)
        await self.until(
            lambda: self.parts.registry.is_loaded and self.parts.releases.loaded.is_set()
        )
        self.life.set_check("started", ok=True)

    async def stop(self) -> None:
        """End everything."""
        await self.http.aclose()
        self.life.stopping.set()
        await self.life.drained()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something holds."""
        await until(condition)

    async def enter(self, home: InstallationId, entry: Installation) -> None:
        """Write an entry, as the writer does, and wait until the hub knows it."""
        bucket = await self.bus.jetstream().key_value(KV_INSTALLATIONS)
        await bucket.put(name_of(home), registry.encode(entry))
        kept = msgspec.structs.replace(entry, applied=())
        await self.until(lambda: self.parts.registry.find(name_of(home)) == kept)

    async def upload(self, sealed: pub.Release, name: str | None = None) -> None:
        """Put a file into the Object Store."""
        store = await self.bus.jetstream().object_store(OBJECTS_MODELS)
        await store.put(name or release.object_name(pub.MODEL, sealed.model_hash), sealed.blob)

    async def point(self, to: release.ReleasePointer) -> None:
        """Write the pointer; does not wait."""
        bucket = await self.bus.jetstream().key_value(KV_RELEASES)
        await bucket.put(to.model, release.encode(to))

    async def publish(
        self, sealed: pub.Release, previous: release.ServedRelease | None = None
    ) -> release.ServedRelease:
        """Publish a release, as the trainer does, and wait until it is visible."""
        current = served(sealed)
        await self.upload(sealed)
        await self.point(pointer(current, previous))
        await self.until(lambda: self.visible_hash() == sealed.model_hash)
        return current

    def visible_hash(self) -> str | None:
        """Hash of the release that the hub serves."""
        shown = self.parts.releases.current(pub.MODEL, int(self.now_s * 1000))
        return shown.pointer.current.model_hash if shown else None

    async def check(self, home: InstallationId = pub.HOME, **query: str) -> httpx.Response:
        """Ask as a logger does."""
        return await self.http.get("/api/v1/model/check", params={"installation_id": home, **query})

    def signed(  # noqa: PLR0913 - each of them is one part of a request
        self,
        method: str,
        path: str,
        owner: str = "home",
        home: InstallationId = pub.HOME,
        body: bytes = b"",
        *,
        time_s: int | None = None,
        nonce: bytes | None = None,
        **query: str,
    ) -> httpx.Request:
        """A request signed with the key of an owner, whose name it follows from."""
        request = self.http.build_request(
            method, path, params=query or None, content=body or None, headers=BEARER
        )
        asked = requests.Asked(
            method=method, path=path, query=request.url.query, body=body, installation=home
        )
        when_s = int(self.now_s) if time_s is None else time_s
        fresh = os.urandom(requests.NONCE_BYTES) if nonce is None else nonce
        request.headers.update(requests.sign_request(asked, pub.secret(owner), when_s, fresh))
        return request

    async def check_signed(
        self, owner: str = "home", home: InstallationId = pub.HOME, **more: object
    ) -> httpx.Response:
        """Ask as a logger with keys does."""
        request = self.signed(
            "GET",
            "/api/v1/model/check",
            owner,
            home,
            installation_id=home,
            **more,  # type: ignore[arg-type]  # a test's keywords
        )
        return await self.http.send(request)

    async def download(
        self,
        home: InstallationId = pub.HOME,
        headers: dict[str, str] | None = None,
        method: str = "GET",
        **query: str,
    ) -> httpx.Response:
        """Fetch the file as a logger does."""
        return await self.http.request(
            method,
            "/api/v1/model/download",
            params={"installation_id": home, **query},
            headers={**BEARER, **(headers or {})},
        )

    def metric(self, name: str, **labels: str) -> float:
        """Value of one of the hub's metrics."""
        return self.life.registry.get_sample_value(name, labels) or 0.0

    def _keep(
        self, _logger: object, method: str, event: structlog.typing.EventDict
    ) -> structlog.typing.EventDict:
        self.events.append({**event, "level": method})
        raise structlog.DropEvent
