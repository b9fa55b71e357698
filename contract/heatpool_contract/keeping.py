"""What the trainer keeps for itself in stores that others read: encrypted with a key of its own.

In: the seed of the release key; bytes; the name they are kept under. Out: a box, and back.
Guarantee: only who can sign releases can read or make a box, and a box under another name does not
open: so the predecessor that the gate compares with is the one that was released, whoever may write
to the bus.
"""

from __future__ import annotations

from hashlib import blake2b, sha256
from typing import TYPE_CHECKING, Final

from nacl.exceptions import CryptoError
from nacl.secret import Aead

from heatpool_contract import sealed
from heatpool_contract.manifest import read_manifest
from heatpool_contract.rejects import SealRefused

if TYPE_CHECKING:
    from heatpool_contract.release import ServedRelease

NONCE_BYTES: Final = Aead.NONCE_SIZE
_PURPOSE: Final = b"heatpool-keep-1"


def keep(release_seed: bytes, name: str, data: bytes, nonce: bytes) -> bytes:
    """A box that only who has the seed opens, and only as `name`."""
    return bytes(_box(release_seed).encrypt(data, name.encode(), nonce))


def kept(release_seed: bytes, name: str, box: bytes) -> bytes | None:
    """What is in a box; None if it is not of this key, or not of this name."""
    try:
        return bytes(_box(release_seed).decrypt(box, name.encode()))
    except (CryptoError, ValueError):
        return None


def payload_of(release_seed: bytes, served: ServedRelease, blob: bytes) -> bytes | None:
    """The payload of a release of our own; None if it is none, or of a former key.

    The box binds the content key to the file's hash, and the hash binds the file: nothing that
    this key did not make comes out, so there is no signature left to check.
    """
    key = kept(release_seed, served.model_hash, served.cek_kept)
    if key is None or sealed.model_hash(blob) != served.model_hash:
        return None
    try:
        container = sealed.parse(blob)
        manifest = read_manifest(container.manifest_raw)
        ours = sealed.Verified(manifest, served.model_hash, container.box)
        payload = sealed.open_payload(ours, key)
    except SealRefused:
        return None
    return payload if sha256(payload).hexdigest() == served.payload_sha256 else None


def _box(release_seed: bytes) -> Aead:
    return Aead(blake2b(_PURPOSE, key=release_seed, digest_size=Aead.KEY_SIZE).digest())
