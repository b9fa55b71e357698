"""The trainer's ports, made once for a process: the service, or one training by hand.

In: settings, a connection. Out: what the loop works with. Guarantee: what must exist on the bus was
looked for before anything is read.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import msgspec
from nats.aio.client import Client

from heatpool_chassis import bus, micro
from heatpool_chassis.buckets import bound
from heatpool_contract import subjects
from heatpool_contract.identity import is_slug
from heatpool_contract.release import RebuildRequest, RebuildRequested
from heatpool_trainer.attempt import DAYS, Attempts, Buckets
from heatpool_trainer.bulletin import FAULTS, Bulletin, request_rebuild
from heatpool_trainer.day_store import DayStore
from heatpool_trainer.gate import NEVER_ACCEPTED
from heatpool_trainer.publishing import Signing
from heatpool_trainer.settings import Settings, key_bytes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from nats.js.kv import KeyValue

    from heatpool_chassis.micro import Endpoint


class Ports(msgspec.Struct, frozen=True):
    """Everything."""

    client: Client
    buckets: Buckets
    bulletin: Bulletin
    attempts: Attempts
    days: DayStore | None

    @property
    def reports(self) -> KeyValue:
        """Where reports go."""
        return self.buckets.reports


async def wire(client: Client, settings: Settings, folder: Path, holder: str) -> Ports:
    """Open everything; `holder` names this process on leases.

    Raises:
        BusError: a bucket or stream is missing.
    """
    await bus.verify(
        client,
        streams=(subjects.STREAM_TELEMETRY,),
        buckets=(
            subjects.KV_RELEASES,
            subjects.KV_PROGRESS,
            subjects.KV_INSTALLATIONS,
            subjects.KV_ERASURES,
        ),
        objects=(subjects.OBJECTS_MODELS,),
    )
    js = client.jetstream()
    buckets = Buckets(
        bound(js, subjects.KV_RELEASES),
        bound(js, subjects.KV_PROGRESS),
        bound(js, subjects.KV_INSTALLATIONS),
        await js.object_store(subjects.OBJECTS_MODELS),
    )
    signing = Signing(
        key_bytes(settings.release_seed), key_bytes(settings.hub_public_key), secrets.token_bytes
    )
    return Ports(
        client,
        buckets,
        Bulletin(client, buckets.reports, holder),
        Attempts(settings, client, buckets, signing, folder),
        DayStore(settings.state / DAYS) if settings.state else None,
    )


def rebuild_endpoint(bulletin: Bulletin, now_ms: Callable[[], int]) -> Endpoint:
    """`heatpool.trainer.rebuild`: a training by request."""

    async def handle(asked: RebuildRequest) -> RebuildRequested:
        if never := NEVER_ACCEPTED.intersection(asked.accept):
            raise micro.EndpointError(
                micro.Code.BAD_REQUEST, f"cannot be accepted: {', '.join(sorted(never))}"
            )
        if not is_slug(asked.model):
            raise micro.EndpointError(micro.Code.BAD_REQUEST, "no slug of a model")
        try:
            found = await request_rebuild(bulletin, asked.model, now_ms(), asked.accept)
        except FAULTS as error:
            raise micro.EndpointError(micro.Code.UNAVAILABLE, type(error).__name__) from error
        return RebuildRequested(asked.model, found.requested_ms)

    return micro.endpoint("rebuild", RebuildRequest, handle, "train a model, whatever is new of it")
