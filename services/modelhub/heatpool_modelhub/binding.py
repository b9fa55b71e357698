"""Registration of an installation's keys: the first ones stay, until they sign their successors.

In: keys whose proof of possession was checked. Out: bound, rotated, or the same as before.
Guarantee: of any number of first registrations, at any number of hubs, exactly one wins, because
the entry is written only if nobody else wrote it since it was read; contributions folded by the
writer meanwhile are kept; a bound key is overwritten only with its own signature over the new one.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Literal

import msgspec
import nats.errors
from nats.js.errors import KeyNotFoundError, KeyWrongLastSequenceError

from heatpool_chassis import buckets
from heatpool_contract import registry as contract
from heatpool_contract.grants import may_replace
from heatpool_contract.refusals import Refusal
from heatpool_contract.registry import Installation
from heatpool_contract.subjects import KV_INSTALLATIONS
from heatpool_modelhub.answering import RefusedError

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.js.kv import KeyValue

    from heatpool_contract.grants import RegistrationRequest
    from heatpool_contract.identity import Pseudonym
    from heatpool_modelhub.registry import Registry

Bound = Literal["bound", "unchanged", "rotated"]
ATTEMPTS_MAX: Final = 20
"""The only other writer of an entry is the `writer`, about once a minute for a home."""
TIMEOUT_S: Final = 5.0
RETRY_AFTER_S: Final = 5
SEEN_S_MAX: Final = 1.0  # several polls of the view (`reading.POLL_S`)
SEEN_LOOK_S: Final = 0.02


async def bind(
    client: Client,
    view: Registry,
    installation: Pseudonym,
    keys: RegistrationRequest,
    now_ms: int,
) -> Bound:
    """Write the keys into the installation's entry, if it has none or the old ones agree.

    Returns when this hub's view has them, or soon will: a home asks for its model right after.

    Raises:
        RefusedError: `key_conflict`, `installation_gone`, `bus_unavailable`.
    """
    try:
        bucket = buckets.bound(client.jetstream(timeout=TIMEOUT_S), KV_INSTALLATIONS)
        for _ in range(ATTEMPTS_MAX):
            entry, revision = await _get(bucket, installation)
            if entry.erased:
                raise RefusedError(Refusal.INSTALLATION_GONE)
            if (entry.ed25519, entry.x25519) == (keys.ed25519, keys.x25519):
                return "unchanged"
            if entry.ed25519 is not None and not may_replace(
                keys, entry.ed25519, entry.x25519 or b""
            ):
                raise RefusedError(Refusal.KEY_CONFLICT)
            bound = msgspec.structs.replace(
                entry, ed25519=keys.ed25519, x25519=keys.x25519, registered_ms=now_ms
            )
            try:
                await bucket.update(installation, contract.encode(bound), last=revision)
            except KeyWrongLastSequenceError:
                continue
            await _seen(view, installation, keys)
            return "bound" if entry.ed25519 is None else "rotated"
    except (nats.errors.Error, TimeoutError) as error:
        raise RefusedError(Refusal.BUS_UNAVAILABLE, retry_after_s=RETRY_AFTER_S) from error
    raise RefusedError(Refusal.BUS_UNAVAILABLE, retry_after_s=RETRY_AFTER_S)


async def _seen(view: Registry, installation: Pseudonym, keys: RegistrationRequest) -> None:
    for _ in range(round(SEEN_S_MAX / SEEN_LOOK_S)):
        entry = view.find(installation)
        if entry is not None and (entry.ed25519, entry.x25519) == (keys.ed25519, keys.x25519):
            return
        await asyncio.sleep(SEEN_LOOK_S)


async def _get(bucket: KeyValue, installation: Pseudonym) -> tuple[Installation, int]:
    """The entry (an empty one if there is none) and the revision that it is."""
    try:
        found = await bucket.get(installation)
    except KeyNotFoundError as error:
        deleted = error.entry.revision if error.entry else 0
        return Installation(), deleted or 0
    try:
        return contract.decode(found.value or b""), found.revision or 0
    except contract.MalformedEntryError as error:
        # Writing over what we cannot read could throw away a bound key.
        raise RefusedError(Refusal.BUS_UNAVAILABLE, retry_after_s=RETRY_AFTER_S) from error
