"""What is new for each model, in KV TRAINING, shared by all trainers.

In: changes. Out: news. Guarantee: compare-and-set, so that of two trainers that share the durable
neither overwrites what the other has seen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import nats.errors
import nats.js.errors

from heatpool_chassis import buckets, bus
from heatpool_contract import release, subjects
from heatpool_contract.release import Lease, News

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from nats.aio.client import Client
    from nats.js.kv import KeyValue

ATTEMPTS_MAX: Final = 8  # a conflict means that another trainer made progress
LEASE_MS: Final = 60_000  # a trainer that is gone for so long has lost its model


class ContendedError(Exception):
    """Others changed the same entry again and again."""


class Bulletin:
    """The board. `holder` names this trainer on leases, across its restarts."""

    def __init__(self, client: Client, bucket: KeyValue, holder: str) -> None:
        self._client = client
        self._bucket = bucket
        self._holder = holder

    async def read(self) -> dict[str, News]:
        """All news.

        Raises:
            BusUnavailableError: not all could be read.
        """
        found: dict[str, News] = {}
        async for key, value in buckets.entries(self._client, subjects.KV_PROGRESS):
            if key.startswith(release.news_key("")):
                known = release.decode_news(value)
                found[known.model] = known
        return found

    async def change(self, model: str, how: Callable[[News], News]) -> News:
        """Change one model's news.

        Raises:
            ContendedError: others were always faster.
        """
        key = release.news_key(model)
        for _attempt in range(ATTEMPTS_MAX):
            value, revision = await self._entry(key)
            before = release.decode_news(value) if value else blank(model)
            after = how(before)
            if after == before:
                return before
            if await self._written(key, release.encode(after), revision):
                return after
        raise ContendedError(model)

    async def acquire(self, model: str, now_ms: int) -> bool:
        """Take, or keep, the lease of a model; whether it is ours now."""
        key = release.lease_key(model)
        value, revision = await self._entry(key)
        known = release.decode_lease(value) if value else None
        if known is not None and known.holder != self._holder and known.until_ms > now_ms:
            return False
        lease = Lease(model=model, holder=self._holder, until_ms=now_ms + LEASE_MS)
        return await self._written(key, release.encode(lease), revision)

    async def give_back(self, model: str) -> None:
        """End the lease, if it is ours."""
        key = release.lease_key(model)
        value, revision = await self._entry(key)
        if value and release.decode_lease(value).holder == self._holder:
            ended = Lease(model=model, holder=self._holder, until_ms=0)
            await self._written(key, release.encode(ended), revision)

    async def _entry(self, key: str) -> tuple[bytes, int]:
        try:
            entry = await self._bucket.get(key)
        except nats.js.errors.KeyNotFoundError:  # a deleted key is one, too
            return b"", 0
        return entry.value or b"", entry.revision or 0

    async def _written(self, key: str, value: bytes, revision: int) -> bool:
        try:
            await self._bucket.update(key, value, last=revision)
        except nats.js.errors.KeyWrongLastSequenceError:
            return False
        return True


def blank(model: str) -> News:
    """Nothing is known of a model."""
    return News(model=model, messages=0, seq_last=0, seen_ms=0)


async def request_rebuild(
    bulletin: Bulletin, model: str, now_ms: int, accepted: Collection[str] = ()
) -> News:
    """Ask for a training of a model, whatever is new.

    `accepted` are reasons of the gate that somebody has looked at: this one training passes in
    spite of them, and its manifest says so.
    """

    def requested(news: News) -> News:
        return msgspec.structs.replace(
            news, requested_ms=now_ms, accepted=tuple(sorted(accepted)), failures=0
        )

    return await bulletin.change(model, requested)


FAULTS: Final = (nats.errors.Error, TimeoutError, ConnectionError, bus.BusError, ContendedError)
"""What the bulletin may raise: try again."""
