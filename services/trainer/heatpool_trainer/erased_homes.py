"""Erased homes leave the trainer's disk at once.

In: KV ERASURES, as it is and as it changes. Out: calls of `forget`. Guarantee: every erasure on its
way is seen, also one that began while this process was not running; one that was over by
then is found by comparing the day store with the registry at the start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import nats.errors
import nats.js.errors

from heatpool_chassis import reading
from heatpool_contract import erasures, registry, subjects

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from nats.aio.client import Client
    from nats.js.kv import KeyValue
    from structlog.stdlib import BoundLogger

    from heatpool_chassis.lifecycle import Lifecycle

PAUSE_S: Final = 1.0


async def follow(
    client: Client, life: Lifecycle, forget: Callable[[str], object], log: BoundLogger
) -> None:
    """Call `forget` for every home whose erasure is on its way, until the process stops."""
    while not life.stopping.is_set():
        try:
            await _follow_once(client, life, forget)
        except (nats.errors.Error, TimeoutError, ConnectionError) as error:
            log.warning("erasures_not_followed", reason=type(error).__name__)
        await life.stopped_within(PAUSE_S)


async def _follow_once(client: Client, life: Lifecycle, forget: Callable[[str], object]) -> None:
    bucket = subjects.KV_ERASURES
    async for message in reading.followed(client, f"KV_{bucket}", f"$KV.{bucket}.>"):
        if message is None:
            if life.stopping.is_set():
                return
            continue
        try:
            erasure = erasures.decode(message.data)
        except erasures.MalformedErasureError:
            continue
        if erasure.installation:
            forget(erasure.installation)


async def gone(bucket: KeyValue, homes: Iterable[str]) -> list[str]:
    """Those of `homes` that the registry knows as erased, or knows no more."""
    found = []
    for home in homes:
        try:
            entry = await bucket.get(home)
            if registry.decode(entry.value or b"").erased:
                found.append(home)
        except (nats.js.errors.KeyNotFoundError, registry.MalformedEntryError):
            found.append(home)
    return found
