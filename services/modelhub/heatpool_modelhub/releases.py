"""KV `RELEASES` and Object Store `MODELS` -> files that can be served.

In: pointers and their changes (`following`), a reader of objects. Out: the current release of a
model, its content key, the bytes of the current and the previous one. Guarantee: a release becomes
visible only after its whole file was read, hashed and found to be what the pointer says; until then
its predecessor stands. A predecessor is servable for a week. Bytes in memory are bounded; a file
that was dropped is read and hashed again.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import msgspec

from heatpool_contract.rejects import SealRefused
from heatpool_contract.release import (
    SERVED_S_MIN,
    MalformedPointerError,
    ReleasePointer,
    ServedRelease,
    decode_pointer,
    is_canary,
    object_name,
)
from heatpool_contract.sealed import model_hash
from heatpool_contract.subjects import KV_RELEASES
from heatpool_modelhub.following import raise_if_cancelled
from heatpool_modelhub.objects import ObjectUnavailableError
from heatpool_modelhub.pointers import (
    check_pointer,
    current_content_key,
    previous_content_key,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from structlog.stdlib import BoundLogger

    from heatpool_chassis.metrics import ModelhubMetrics

MODELS_MAX: Final = 4096  # the market has some hundred types; each costs one pointer and one key
RETRY_S: Final = 10.0
"""A pointer whose file is not there or not right is looked at again after so long."""


class Shown(msgspec.Struct, frozen=True):
    """A release that is visible, with the key that opens it. Never printed."""

    pointer: ReleasePointer
    content_key: bytes
    previous_key: bytes | None
    """Of the predecessor, which is offered while this one is on trial; None: there is none."""

    def __repr__(self) -> str:
        return f"Shown({self.pointer.current.model_hash})"


class Offered(msgspec.Struct, frozen=True):
    """The release for one home. Never printed."""

    pointer: ReleasePointer
    release: ServedRelease
    content_key: bytes

    def __repr__(self) -> str:
        return f"Offered({self.release.model_hash})"


class Releases:
    """A view of the bucket, see `following.View`, with the files behind it."""

    def __init__(
        self,
        read: Callable[[str, int], Awaitable[bytes]],
        hub_private_key: bytes,
        cache_bytes_max: int,
        metrics: ModelhubMetrics,
        log: BoundLogger,
    ) -> None:
        """`read` gives the bytes of an object, or raises `ObjectUnavailableError`."""
        self.loaded = asyncio.Event()
        """Set when the bucket was read and its files were looked at once."""
        self._read = read
        self._hub_private_key = hub_private_key
        self._cache_bytes_max = cache_bytes_max
        self._metrics = metrics
        self._log = log
        self._wanted: dict[str, ReleasePointer] = {}
        self._shown: dict[str, Shown] = {}
        self._pending: set[str] = set()
        self._unseen: set[str] = set()
        self._changed = asyncio.Event()
        self._is_complete = False
        self._files: OrderedDict[str, bytes] = OrderedDict()
        self._files_bytes = 0
        # One read at a time: a stampede after a start reads each file once, and one file is all
        # that is in flight beside the cache.
        self._reading = asyncio.Lock()

    def current(self, model: str, now_ms: int) -> Shown | None:
        """The visible release of a model (slug), unless it has expired."""
        shown = self._shown.get(model)
        if shown is None or now_ms >= shown.pointer.current.expires_ms:
            return None
        return shown

    def offered(self, model: str, home: str, now_ms: int) -> Offered | None:
        """What a home (pseudonym) is offered.

        The current release, or its predecessor while others try the current one.
        """
        shown = self._shown.get(model)
        if shown is None:
            return None
        pointer, previous = shown.pointer, shown.pointer.previous
        if (
            previous is not None
            and shown.previous_key is not None
            and now_ms < previous.expires_ms
            and previous.model_hash not in pointer.withdrawn
            and not is_canary(home, pointer.current.model_hash, pointer.canary_share)
        ):
            return Offered(pointer, previous, shown.previous_key)
        if now_ms >= pointer.current.expires_ms:
            return None
        return Offered(pointer, pointer.current, shown.content_key)

    def pinned(self, model: str, wanted_hash: str, now_ms: int) -> ServedRelease | None:
        """The release with this hash, if it is the current one or was within the last week."""
        shown = self.current(model, now_ms)
        if shown is None:
            return None
        current, previous = shown.pointer.current, shown.pointer.previous
        if current.model_hash == wanted_hash and wanted_hash not in shown.pointer.withdrawn:
            return current
        if previous is None or previous.model_hash != wanted_hash:
            return None
        if wanted_hash in shown.pointer.withdrawn:
            return None
        until_ms = previous.expires_ms
        if shown.pointer.canary_share >= 1:
            until_ms = min(until_ms, current.created_ms + SERVED_S_MIN * 1000)
        return previous if now_ms < until_ms else None

    def visible(self) -> list[ReleasePointer]:
        """All visible releases, by name."""
        return sorted((one.pointer for one in self._shown.values()), key=lambda one: one.name)

    @property
    def pending(self) -> int:
        """Pointers whose file is not there or not right."""
        return len(self._pending)

    @property
    def cache_bytes(self) -> int:
        """Files in memory."""
        return self._files_bytes

    async def file(self, model: str, release: ServedRelease) -> bytes:
        """The bytes of a release; their SHA-256 is its hash.

        Raises:
            ObjectUnavailableError: not there, not right, or not reachable.
        """
        if (cached := self._cached(release.model_hash)) is not None:
            return cached
        async with self._reading:
            if (cached := self._cached(release.model_hash)) is not None:
                return cached
            name = object_name(model, release.model_hash)
            blob = await self._read(name, release.size)
            if len(blob) != release.size or model_hash(blob) != release.model_hash:
                raise ObjectUnavailableError(f"{name} is not what its name says")
            self._remember(release.model_hash, blob)
            return blob

    async def keep(self) -> None:
        """Make visible what the bucket names, as soon as it can be served; until cancelled."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(RETRY_S if self._pending else None):
                    await self._changed.wait()
            self._changed.clear()
            for model in sorted(self._pending):
                raise_if_cancelled()
                await self._admit(model)
            if self._is_complete:
                self.loaded.set()

    def begin(self) -> None:
        """See `following.View`."""
        self._unseen = set(self._wanted)

    def apply(self, key: str, value: bytes | None) -> None:
        """See `following.View`. A pointer that makes no sense leaves the model as it was."""
        self._unseen.discard(key)
        if value is None:
            self._withdraw(key)
            return
        try:
            pointer = decode_pointer(value)
            check_pointer(key, pointer)
        except MalformedPointerError:
            self._metrics.malformed.labels(KV_RELEASES).inc()
            return
        if key not in self._wanted and len(self._wanted) >= MODELS_MAX:
            self._metrics.overflow.labels(KV_RELEASES).inc()
            return
        if self._wanted.get(key) != pointer:
            self._wanted[key] = pointer
            self._pending.add(key)
            self._changed.set()

    def complete(self) -> None:
        """See `following.View`."""
        for key in self._unseen:
            self._withdraw(key)
        self._unseen = set()
        self._is_complete = True
        self._changed.set()

    async def _admit(self, model: str) -> None:
        pointer = self._wanted.get(model)
        if pointer is None:  # withdrawn while another one was read
            return
        try:
            blob = await self.file(model, pointer.current)
            content_key = current_content_key(pointer, blob, self._hub_private_key)
        except (ObjectUnavailableError, SealRefused) as error:
            self._log.warning("release_not_served", model=model, reason=str(error))
        else:
            if self._wanted.get(model) is pointer:  # else it changed while we read
                previous_key = previous_content_key(pointer, self._hub_private_key)
                self._shown[model] = Shown(pointer, content_key, previous_key)
                self._pending.discard(model)
                current = pointer.current
                self._log.info(
                    "release_served", model=model, version=current.version, size=current.size
                )
        self._report()

    def _withdraw(self, model: str) -> None:
        self._wanted.pop(model, None)
        self._pending.discard(model)
        self._shown.pop(model, None)
        self._report()

    def _cached(self, wanted_hash: str) -> bytes | None:
        blob = self._files.get(wanted_hash)
        if blob is not None:
            self._files.move_to_end(wanted_hash)
        return blob

    def _remember(self, file_hash: str, blob: bytes) -> None:
        self._files[file_hash] = blob
        self._files_bytes += len(blob)
        while self._files_bytes > self._cache_bytes_max and len(self._files) > 1:
            _, dropped = self._files.popitem(last=False)
            self._files_bytes -= len(dropped)
        self._report()

    def _report(self) -> None:
        self._metrics.releases.set(len(self._shown))
        self._metrics.releases_pending.set(len(self._pending))
        self._metrics.cache_bytes.set(self._files_bytes)
        self._metrics.release_timestamp.clear()
        for model, shown in self._shown.items():
            made_s = shown.pointer.current.created_ms / 1000
            self._metrics.release_timestamp.labels(model).set(made_s)
