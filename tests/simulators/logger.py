"""A logger's model store with a detector small enough for a test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from simulators import publisher as pub
from simulators.publisher import CLIENT_VERSION, ENGINE, HOME, MODEL, NOW_S, TRUST, Release

from heatpool_client.models import Active, Engine, ModelStore, Offer, OwnKeys

if TYPE_CHECKING:
    from pathlib import Path

    from heatpool_client.durable import Disk
    from heatpool_contract.trust import Trust

KEYS = OwnKeys(HOME, pub.secret("home"), pub.secret("fleet"))


class Doubler(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A detector small enough for a test: it multiplies, and says what 3 should become."""

    factor: float
    of_three: float


DOUBLERS: Engine[Doubler] = Engine(
    ENGINE,
    msgspec.json.Decoder(Doubler).decode,
    lambda doubler: doubler.factor * 3.0 == doubler.of_three,
)


def doubling(seq: int) -> Release:
    """The release of this sequence; its detector multiplies by it."""
    return pub.release(msgspec.json.encode(Doubler(float(seq), 3.0 * seq)), seq=seq)


def store_in(folder: Path, disk: Disk | None = None) -> ModelStore[Doubler]:
    """The store of a logger that keeps its state in `folder`."""
    return ModelStore(folder, MODEL, DOUBLERS, CLIENT_VERSION, disk)


def offer_of(release: Release, **changes: object) -> Offer:
    """What the check answers about a release, with changes."""
    offer = Offer(model_hash=release.model_hash, grant=release.grant())
    return msgspec.structs.replace(offer, **changes)


def activate(
    store: ModelStore[Doubler], release: Release, trust: Trust = TRUST, **changes: object
) -> Active[Doubler]:
    """An update as it should be, with changes."""
    return store.activate(release.blob, offer_of(release, **changes), KEYS, trust, NOW_S)


IDENTITY: Engine[object] = Engine(ENGINE, bytes, lambda _: True)
"""Takes every payload."""
