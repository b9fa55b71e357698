"""A pointer and its file -> what it says, and the content keys in it.

In: a value of KV RELEASES, a file, the hub's private key. Out: content keys. Guarantee: pure; a
pointer passes only if key, model, name, hashes, sizes and the file's manifest agree.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from heatpool_contract.grants import open_content_key
from heatpool_contract.identity import model_slug
from heatpool_contract.manifest import BLOB_BYTES_MAX, read_manifest
from heatpool_contract.rejects import SealRefused
from heatpool_contract.release import MalformedPointerError
from heatpool_contract.sealed import parse
from heatpool_modelhub.objects import ObjectUnavailableError

if TYPE_CHECKING:
    from heatpool_contract.release import ReleasePointer

_HASH: Final = re.compile("[0-9a-f]{64}")


def check_pointer(key: str, pointer: ReleasePointer) -> None:
    """Refuse a pointer that names no release.

    Raises:
        MalformedPointerError: it does not.
    """
    if not model_slug(pointer.name) == pointer.model == key:
        raise MalformedPointerError("key, model and name differ")
    for release in (pointer.current, pointer.previous):
        if release is None:
            continue
        if not _HASH.fullmatch(release.model_hash) or not 0 < release.size <= BLOB_BYTES_MAX:
            raise MalformedPointerError("hash or size of no release")


def previous_content_key(pointer: ReleasePointer, hub_private_key: bytes) -> bytes | None:
    """The predecessor's content key, if there is one and it opens."""
    previous = pointer.previous
    if previous is None:
        return None
    try:
        return open_content_key(previous.cek_sealed, hub_private_key, previous.model_hash)
    except SealRefused:  # sealed to a former key of this hub
        return None


def current_content_key(pointer: ReleasePointer, blob: bytes, hub_private_key: bytes) -> bytes:
    """The content key of a file that is the one its pointer describes.

    The release keys' signatures are the clients' business: the hub is not trusted to check them.

    Raises:
        ObjectUnavailableError: it is another file.
        SealRefused: it is none, or its key is not sealed to this hub.
    """
    current = pointer.current
    manifest = read_manifest(parse(blob).manifest_raw)
    said = (manifest.model, manifest.epoch, manifest.seq, manifest.version)
    if said != (pointer.model, current.epoch, current.seq, current.version):
        raise ObjectUnavailableError("the manifest is not the one that the pointer describes")
    return open_content_key(current.cek_sealed, hub_private_key, current.model_hash)
