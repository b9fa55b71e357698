"""Releases in an operator's hand: list, try out, promote, withdraw.

In: KV RELEASES, the Object Store. Out: a changed pointer. Guarantee: compare-and-set, so that a
trainer's release is never undone; a release is never taken back, because clients refuse what is
older: its predecessor's payload is released again under a higher sequence.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import msgspec
from nacl.public import PrivateKey
from nats.js.errors import (
    KeyNotFoundError,
    KeyWrongLastSequenceError,
    NotFoundError,
)

from heatpool_chassis import buckets
from heatpool_contract import grants, keeping, release, sealed
from heatpool_contract.dsse import KEY_BYTES
from heatpool_contract.identity import ModelSlug
from heatpool_contract.manifest import ReleaseFacts, read_manifest
from heatpool_contract.rejects import SealRefused
from heatpool_contract.release import (
    WITHDRAWN_MAX,
    RefusedCandidate,
    ReleasePointer,
    TrainingReport,
)
from heatpool_contract.subjects import KV_PROGRESS, KV_RELEASES, OBJECTS_MODELS
from heatpool_contract.trust import Trust

if TYPE_CHECKING:
    from nats.aio.client import Client

STORE_S_MAX: Final = 60.0


class ModelAdminError(Exception):
    """Not done; the text says why."""


class Desk(msgspec.Struct, frozen=True):
    """Keys for a withdrawal. Both lie together on no server: use them where root keys are used."""

    trust: Trust
    """What the predecessor must be signed under: nothing unsigned is ever signed here."""
    release_seed: bytes
    hub_private_key: bytes
    random: Callable[[int], bytes]

    def __repr__(self) -> str:
        return "Desk(...)"


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of one model."""

    model: str
    pointer: ReleasePointer | None
    report: TrainingReport | None
    refused: tuple[RefusedCandidate, ...]
    """Newest first."""


async def listed(client: Client) -> list[ReleasePointer]:
    """All pointers, by model."""
    return [one.pointer for one in await standings(client) if one.pointer is not None]


async def standings(client: Client) -> list[Standing]:
    """All models that have a release or were tried, by name."""
    pointers = {
        key: release.decode_pointer(value)
        async for key, value in buckets.entries(client, KV_RELEASES)
    }
    progress = {key: value async for key, value in buckets.entries(client, KV_PROGRESS)}
    reports = {
        key: release.decode_report(value) for key, value in progress.items() if "." not in key
    }
    return [
        Standing(
            model=model,
            pointer=pointers.get(model),
            report=reports.get(model),
            refused=_refused(progress.get(release.refused_key(model))),
        )
        for model in sorted(pointers.keys() | reports.keys())
    ]


async def standing(client: Client, model: str) -> Standing:
    """One model.

    Raises:
        ModelAdminError: nothing is known of it.
    """
    found = next((one for one in await standings(client) if one.model == model), None)
    if found is None:
        raise ModelAdminError(f"there is no release of {model}, and no training")
    return found


def _refused(value: bytes | None) -> tuple[RefusedCandidate, ...]:
    return release.decode_refused(value).candidates if value else ()


async def share(client: Client, model: str, canary_share: float) -> ReleasePointer:
    """Offer the current release to this share of homes; 1 promotes it.

    Raises:
        ModelAdminError: no such model; the share went down; another one changed it meanwhile.
    """
    pointer, revision = await _pointer(client, model)
    if canary_share < pointer.canary_share:
        raise ModelAdminError(
            "homes that have the release would refuse its predecessor: withdraw it instead"
        )
    changed = msgspec.structs.replace(pointer, canary_share=canary_share)
    await _update(client, changed, revision)
    return changed


async def withdraw(client: Client, model: str, desk: Desk, now_s: int) -> ReleasePointer:
    """Release the predecessor's payload again, above the current release, to all homes.

    Raises:
        ModelAdminError: no predecessor, its file is gone, or a key does not fit.
    """
    pointer, revision = await _pointer(client, model)
    bad, good = pointer.current, pointer.previous
    if good is None or good.epoch != bad.epoch:
        raise ModelAdminError("there is no predecessor of this epoch to go back to")
    objects = await client.jetstream(timeout=STORE_S_MAX).object_store(OBJECTS_MODELS)
    try:
        found = await objects.get(release.object_name(model, good.model_hash))
        verified = _verified(found.data or b"", good.model_hash, model, desk.trust, now_s)
        key = grants.open_content_key(good.cek_sealed, desk.hub_private_key, good.model_hash)
        payload = sealed.open_payload(verified, key)
    except NotFoundError as error:
        raise ModelAdminError("the predecessor's file is gone") from error
    except SealRefused as refused:
        raise ModelAdminError(f"the predecessor does not open: {refused}") from refused
    cek = desk.random(KEY_BYTES)
    facts = _facts(verified.manifest, bad.seq + 1, now_s)
    blob = sealed.seal(payload, facts, cek, desk.random(sealed.NONCE_BYTES), [desk.release_seed])
    model_hash = sealed.model_hash(blob)
    hub_public = bytes(PrivateKey(desk.hub_private_key).public_key)
    served = msgspec.structs.replace(
        good,
        model_hash=model_hash,
        size=len(blob),
        version=facts.version,
        seq=facts.seq,
        created_ms=facts.created_s * 1000,
        expires_ms=facts.expires_s * 1000,
        cek_sealed=grants.seal_content_key(hub_public, cek, model_hash),
        cek_kept=keeping.keep(desk.release_seed, model_hash, cek, desk.random(keeping.NONCE_BYTES)),
    )
    await objects.put(release.object_name(model, model_hash), blob)
    changed = msgspec.structs.replace(
        pointer,
        current=served,
        previous=good,
        canary_share=1.0,
        withdrawn=(*pointer.withdrawn, bad.model_hash)[-WITHDRAWN_MAX:],
    )
    await _update(client, changed, revision)
    return changed


def _verified(
    blob: bytes, model_hash: str, model: str, trust: Trust, now_s: int
) -> sealed.Verified:
    """As a client would, for whatever scorer and client version it is."""
    manifest = read_manifest(sealed.parse(blob).manifest_raw)
    expected = sealed.Expected(
        model_hash=model_hash,
        model=ModelSlug(model),
        engine=manifest.engine,
        client_version=manifest.min_client,
        floor=None,
    )
    return sealed.verify(blob, expected, trust, now_s)


def _facts(manifest: ReleaseFacts, seq: int, now_s: int) -> ReleaseFacts:
    fields = {name: getattr(manifest, name) for name in ReleaseFacts.__struct_fields__}
    lifetime_s = manifest.expires_s - manifest.created_s
    fields |= {"seq": seq, "created_s": now_s, "expires_s": now_s + lifetime_s}
    return ReleaseFacts(**fields)


async def _pointer(client: Client, model: str) -> tuple[ReleasePointer, int]:
    bucket = await client.jetstream().key_value(KV_RELEASES)
    try:
        entry = await bucket.get(model)
        return release.decode_pointer(entry.value or b""), entry.revision or 0
    except KeyNotFoundError as error:
        raise ModelAdminError(f"there is no release of {model}") from error
    except release.MalformedPointerError as error:
        raise ModelAdminError(f"the pointer of {model} is none: {error}") from error


async def _update(client: Client, pointer: ReleasePointer, revision: int) -> None:
    bucket = await client.jetstream().key_value(KV_RELEASES)
    try:
        await bucket.update(pointer.model, release.encode(pointer), last=revision)
    except KeyWrongLastSequenceError as error:
        raise ModelAdminError("another release was published meanwhile; look again") from error
