"""One attempt at one model: who may take part, the training, what becomes of its outcome.

In: a model with news. Out: a release, a refused candidate that is kept, or the reason why neither.
Guarantee: nothing is signed that the gate did not let pass; nothing stays of an attempt that is
given up.
"""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import msgspec
import nats.errors
import nats.js.errors
from nats.js.kv import KeyValue
from nats.js.object_store import ObjectStore

from heatpool_chassis.bus import BusUnavailableError
from heatpool_chassis.victoria import StoreError, Victoria, VictoriaUrls
from heatpool_contract import registry
from heatpool_contract.manifest import ReleaseFacts
from heatpool_contract.release import RefusedCandidate, TrainingReport
from heatpool_trainer import child, export, publishing
from heatpool_trainer.admission import Admitted, admit
from heatpool_trainer.erasing import erasing
from heatpool_trainer.export import Window
from heatpool_trainer.training import Job, Progress, Trained

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from nats.aio.client import Client

    from heatpool_contract.release import News, ReleasePointer
    from heatpool_trainer.publishing import Signing
    from heatpool_trainer.settings import Settings

MIN_CLIENT: Final = "0.1.0"
ENTRIES_AT_ONCE: Final = 32
DAYS: Final = "days"
WORK: Final = "work"


class Buckets(msgspec.Struct, frozen=True):
    """Where the trainer reads and writes."""

    pointers: KeyValue
    reports: KeyValue
    installations: KeyValue
    models: ObjectStore


class Attempts:
    """Makes attempts. `folder` is for the files of a training."""

    def __init__(
        self, settings: Settings, client: Client, buckets: Buckets, signing: Signing, folder: Path
    ) -> None:
        self._client = client
        self._settings = settings
        self._buckets = buckets
        self._signing = signing
        self._folder = folder
        self.homes: frozenset[str] = frozenset()
        """In the training that runs."""

    async def attempt(
        self, item: News, now_ms: int, told: Callable[[Progress], None]
    ) -> TrainingReport:
        """Train one model and publish the outcome, or report why not."""
        model = item.model
        try:
            pointer, _revision = await publishing.current(self._buckets.pointers, model)
            window = Window.until(now_ms, self._settings.window_days)
            admitted = await self._admitted(model, window, now_ms)
            self.homes = frozenset(admitted.homes)
            job = await self._job(item, window, admitted, pointer)
            trained = await child.run(job, told)
            report = await self._conclude(model, trained, pointer, now_ms)
        except (
            BusUnavailableError,
            StoreError,
            publishing.LostRaceError,
            child.TrainingDiedError,
            nats.errors.Error,
            TimeoutError,
        ) as error:
            reasons = (type(error).__name__,)
            return TrainingReport(model=model, at_ms=now_ms, outcome="failed", reasons=reasons)
        finally:
            self.homes = frozenset()
        return msgspec.structs.replace(report, homes_quarantined=len(admitted.quarantined))

    async def _admitted(self, model: str, window: Window, now_ms: int) -> Admitted:
        url = self._settings.victoria_read_url
        async with Victoria(VictoriaUrls(url, url, url)) as store:
            homes = [one.installation for one in await export.homes(store, model, window)]
        slots = asyncio.Semaphore(ENTRIES_AT_ONCE)

        async def entry(home: str) -> registry.Installation | None:
            async with slots:
                try:
                    found = await self._buckets.installations.get(home)
                    return registry.decode(found.value or b"")
                except (nats.js.errors.KeyNotFoundError, registry.MalformedEntryError):
                    return None

        entries = await asyncio.gather(*map(entry, homes))
        known = {home: one for home, one in zip(homes, entries, strict=True) if one is not None}
        asked = await erasing(self._client)
        return admit(homes, known, now_ms, self._settings.quarantine_days, asked)

    async def _job(
        self, item: News, window: Window, admitted: Admitted, pointer: ReleasePointer | None
    ) -> Job:
        settings = self._settings
        comparable = pointer is not None and pointer.current.epoch == settings.epoch
        return Job(
            model=item.model,
            victoria_read_url=settings.victoria_read_url,
            window=window,
            homes=admitted.homes,
            installations_min=settings.installations_min,
            samples_min=settings.samples_min,
            folder=str(self._folder / WORK / item.model),
            days=str(settings.state / DAYS) if settings.state else None,
            days_bytes_max=settings.days_bytes_max,
            processes=settings.processes or os.cpu_count() or 1,
            predecessor_homes=pointer.current.installations if pointer else 0,
            predecessor=await publishing.predecessor(
                self._client, self._buckets.models, self._signing, item.model, pointer.current
            )
            if pointer is not None and comparable
            else b"",
            accepted=item.accepted,
            catalogue=str(settings.catalogue) if settings.catalogue else None,
        )

    async def _conclude(
        self, model: str, trained: Trained, pointer: ReleasePointer | None, now_ms: int
    ) -> TrainingReport:
        report = TrainingReport(
            model=model,
            at_ms=now_ms,
            outcome=trained.outcome,
            reasons=trained.reasons,
            installations=trained.installations,
            samples=trained.samples,
            figures={figure.name: figure.value for figure in trained.figures},
            homes_rejected=trained.homes_rejected,
        )
        if trained.outcome == "refused":
            await self._keep(model, trained, now_ms)
        if trained.outcome != "released":
            return report
        settings = self._settings
        if publishing.is_unchanged(pointer, trained.payload, settings.epoch):
            return msgspec.structs.replace(report, outcome="unchanged")
        facts = ReleaseFacts(
            model=model,
            version=f"v{datetime.fromtimestamp(now_ms / 1000, UTC):%Y.%m}",
            epoch=settings.epoch,
            seq=publishing.next_seq(pointer, settings.epoch),
            created_s=now_ms // 1000,
            expires_s=now_ms // 1000 + settings.release_days_valid * 86_400,
            engine=trained.engine,
            min_client=MIN_CLIENT,
            installations=trained.installations,
            samples=trained.samples,
            provenance=trained.provenance,
        )
        served = await publishing.publish(
            self._buckets.models,
            self._buckets.pointers,
            trained.payload,
            facts,
            trained.state,
            self._signing,
            settings.canary_share,
        )
        return msgspec.structs.replace(report, version=served.version, model_hash=served.model_hash)

    async def _keep(self, model: str, trained: Trained, now_ms: int) -> None:
        window = trained.provenance
        candidate = RefusedCandidate(
            at_ms=now_ms,
            reasons=trained.reasons,
            figures=trained.figures,
            installations=trained.installations,
            samples=trained.samples,
            homes_rejected=trained.homes_rejected,
            window_start_s=window.window_start_s if window else 0,
            window_end_s=window.window_end_s if window else 0,
            payload_sha256=publishing.digest(trained.payload),
        )
        await publishing.keep_refused(
            self._buckets.models,
            self._buckets.reports,
            model,
            candidate,
            trained.payload,
            self._signing,
        )
