"""A candidate that passed the gate -> a release that clients find.

In: payload, facts, keys. Out: one immutable file in the Object Store, then the pointer. Guarantee:
the pointer names only files that are complete; it is written by compare-and-set, so of two trainers
one loses; a kill in between leaves an unnamed file and the old release.
"""

from __future__ import annotations

import asyncio
import contextlib
import zlib
from collections.abc import Callable
from hashlib import sha256
from typing import TYPE_CHECKING, Final

import msgspec
import nats.errors
import nats.js.errors

from heatpool_chassis import reading
from heatpool_chassis.bus import BusUnavailableError
from heatpool_contract import grants, keeping, release, sealed, subjects
from heatpool_contract.dsse import KEY_BYTES
from heatpool_contract.release import (
    REFUSED_KEPT,
    RefusedCandidate,
    RefusedCandidates,
    ReleasePointer,
    ServedRelease,
)

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.js.kv import KeyValue
    from nats.js.object_store import ObjectStore

    from heatpool_contract.manifest import ReleaseFacts

STORE_S_MAX: Final = 60.0


class Signing(msgspec.Struct, frozen=True):
    """Keys of the trainer, and its randomness."""

    release_seed: bytes
    hub_public_key: bytes
    random: Callable[[int], bytes]

    def keep(self, name: str, data: bytes) -> bytes:
        """Encrypted for ourselves."""
        return keeping.keep(self.release_seed, name, data, self.random(keeping.NONCE_BYTES))

    def __repr__(self) -> str:
        return "Signing(...)"


class LostRaceError(Exception):
    """Another trainer published this model meanwhile."""


async def current(pointers: KeyValue, model: str) -> tuple[ReleasePointer | None, int]:
    """The model's pointer and its revision; (None, 0) before the first release."""
    try:
        entry = await pointers.get(model)
    except nats.js.errors.KeyNotFoundError:
        return None, 0
    return release.decode_pointer(entry.value or b""), entry.revision or 0


async def predecessor(
    client: Client, objects: ObjectStore, signing: Signing, model: str, served: ServedRelease
) -> bytes:
    """The payload of a release, for comparison; empty if it cannot be had any more.

    Raises:
        BusUnavailableError: not read; it may be another time.
    """
    bucket = subjects.OBJECTS_MODELS
    try:
        info = await objects.get_info(release.object_name(model, served.model_hash))
        # Not nats-py's own `get`: it asks which stream has the chunks, which only operators may.
        chunks = reading.messages(client, f"OBJ_{bucket}", f"$O.{bucket}.C.{info.nuid}")
        blob = b"".join([message.data async for message in chunks])
    except nats.js.errors.NotFoundError:
        return b""
    except (nats.errors.Error, TimeoutError) as error:
        raise BusUnavailableError(f"release not read: {type(error).__name__}") from error
    return keeping.payload_of(signing.release_seed, served, blob) or b""


async def keep_refused(
    objects: ObjectStore,
    reports: KeyValue,
    model: str,
    candidate: RefusedCandidate,
    payload: bytes,
    signing: Signing,
) -> None:
    """Keep a candidate that the gate refused, with its figures; the oldest goes.

    Raises:
        BusUnavailableError: not stored.
    """
    name = f"refused/{model}/{candidate.payload_sha256}"
    key = release.refused_key(model)
    box = signing.keep(name, zlib.compress(payload))
    try:
        put = asyncio.ensure_future(objects.put(name, box))
        await asyncio.wait_for(asyncio.shield(put), STORE_S_MAX)
        known: tuple[RefusedCandidate, ...] = ()
        with contextlib.suppress(nats.js.errors.KeyNotFoundError):
            known = release.decode_refused((await reports.get(key)).value or b"").candidates
        candidate = msgspec.structs.replace(candidate, object_name=name)
        kept = (candidate, *(one for one in known if one.object_name != name))
        stays = RefusedCandidates(model=model, candidates=kept[:REFUSED_KEPT])
        await reports.put(key, release.encode(stays))
        for one in kept[REFUSED_KEPT:]:
            with contextlib.suppress(nats.js.errors.NotFoundError):
                await objects.delete(one.object_name)
    except (nats.errors.Error, TimeoutError) as error:
        raise BusUnavailableError(f"candidate not kept: {type(error).__name__}") from error


def is_unchanged(pointer: ReleasePointer | None, payload: bytes, epoch: int) -> bool:
    """Whether the current release holds this very detector, signed in this epoch."""
    digest = sha256(payload).hexdigest()
    return (
        pointer is not None
        and pointer.current.payload_sha256 == digest
        and pointer.current.epoch == epoch
    )


def digest(payload: bytes) -> str:
    """What names a payload."""
    return sha256(payload).hexdigest()


def next_seq(pointer: ReleasePointer | None, epoch: int) -> int:
    """One more than the last; a new epoch counts anew, whatever a thief has published before."""
    return pointer.current.seq + 1 if pointer and pointer.current.epoch == epoch else 1


async def publish(  # noqa: PLR0913, PLR0917 - what a release consists of
    objects: ObjectStore,
    pointers: KeyValue,
    payload: bytes,
    facts: ReleaseFacts,
    state: str,
    signing: Signing,
    canary_share: float = 1.0,
) -> ServedRelease:
    """Seal, store, point.

    Raises:
        LostRaceError: the pointer changed since `facts.seq` was chosen.
        BusUnavailableError: not stored.
    """
    cek = signing.random(KEY_BYTES)
    blob = sealed.seal(
        payload, facts, cek, signing.random(sealed.NONCE_BYTES), [signing.release_seed]
    )
    model_hash = sealed.model_hash(blob)
    served = ServedRelease(
        model_hash=model_hash,
        size=len(blob),
        version=facts.version,
        epoch=facts.epoch,
        seq=facts.seq,
        created_ms=facts.created_s * 1000,
        expires_ms=facts.expires_s * 1000,
        cek_sealed=grants.seal_content_key(signing.hub_public_key, cek, model_hash),
        state="released" if state == "released" else "learning",
        installations=facts.installations,
        samples=facts.samples,
        payload_sha256=sha256(payload).hexdigest(),
        cek_kept=signing.keep(model_hash, cek),
    )
    try:
        before, revision = await current(pointers, facts.model)
        if before is not None and (before.current.epoch, before.current.seq) >= (
            facts.epoch,
            facts.seq,
        ):
            raise LostRaceError(facts.model)
        # Shielded: nats-py leaves the chunks of a cancelled put behind for ever.
        put = asyncio.ensure_future(objects.put(release.object_name(facts.model, model_hash), blob))
        await asyncio.wait_for(asyncio.shield(put), STORE_S_MAX)
        pointer = ReleasePointer(
            model=facts.model,
            name=before.name if before else facts.model,
            current=served,
            # A release of a former epoch is refused by every client that knows the new one.
            previous=before.current if before and before.current.epoch == facts.epoch else None,
            canary_share=canary_share if before else 1.0,
            withdrawn=before.withdrawn if before else (),
        )
        await pointers.update(facts.model, release.encode(pointer), last=revision)
    except nats.js.errors.KeyWrongLastSequenceError as error:
        raise LostRaceError(facts.model) from error
    except (nats.errors.Error, TimeoutError) as error:
        raise BusUnavailableError(f"release not stored: {type(error).__name__}") from error
    return served
