"""What a sealed model says about itself: the signed manifest.

In: the trainer's facts; manifest bytes. Out: a manifest. Guarantee: exactly the known fields, each
within its limits; everything is known and signed before any of the payload is touched.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from heatpool_contract.dsse import (
    Count,
    Seconds,
    Sha256Hex,
    Slug,
)
from heatpool_contract.rejects import Reject, SealRefused

BLOB_BYTES_MAX: Final = 32 * 1024 * 1024  # of the file, absolute: 25 trees of height 15 take 6.7 MB
BOX_BYTES_MIN: Final = 24 + 16  # nonce and tag around nothing
MANIFEST_BYTES_MAX: Final = 16 * 1024  # about 0.5 KiB without provenance
RAW_BYTES_MAX: Final = 64 * 1024 * 1024  # what a Raspberry Pi may be asked to hold once
LIFETIME_S_MAX: Final = 366 * 86_400  # 90 days are usual; a slip of the trainer must not last
GATE_FIGURES_MAX: Final = 64  # a few per operating mode; the manifest's cap bounds them too

Amount = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]
Version = Annotated[str, msgspec.Meta(pattern="^[0-9]+[.][0-9]+[.][0-9]+$(?!\\n)", max_length=32)]
Label = Annotated[str, msgspec.Meta(pattern="^[A-Za-z0-9][A-Za-z0-9._+/-]*$(?!\\n)", max_length=64)]


class GateFigure(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One figure of the gate that the release passed, with the limit it was held against."""

    name: Label
    value: float
    limit: float


class Provenance(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the payload came about; the whole record is what `provenance_sha256` names."""

    window_start_s: Seconds = msgspec.field(name="window_start")
    window_end_s: Seconds = msgspec.field(name="window_end")
    trainer: Label
    """Version of the code that trained."""
    gate: Annotated[tuple[GateFigure, ...], msgspec.Meta(max_length=GATE_FIGURES_MAX)] = ()


class ReleaseFacts(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """What the trainer says about a release; the rest of the manifest follows from the payload."""

    model: Slug
    version: Label
    """`v2026.11`, for people; `epoch` and `seq` are what is compared."""
    epoch: Count
    """That of the trust file."""
    seq: Count
    """Higher with every release of the model; a withdrawn one is replaced by a higher one."""
    created_s: Seconds = msgspec.field(name="created")
    expires_s: Seconds = msgspec.field(name="expires")
    engine: Label
    """Which scorer reads the payload, `river-hst/1`."""
    min_client: Version
    installations: Amount
    samples: Amount
    provenance_sha256: Sha256Hex | None = None
    provenance: Provenance | None = None

    def __post_init__(self) -> None:
        """Refuse a lifetime that is empty or longer than anyone would mean."""
        if not 0 < self.expires_s - self.created_s <= LIFETIME_S_MAX:
            raise ValueError("expires must follow created within 366 days")


class Manifest(ReleaseFacts, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The signed part of the file: everything is known before any of the payload is touched."""

    format: str
    cipher: str
    ct_len: Annotated[int, msgspec.Meta(ge=BOX_BYTES_MIN, le=BLOB_BYTES_MAX)]
    """Bytes of the box."""
    ct_sha256: Sha256Hex
    """Of the box."""
    raw_len: Annotated[int, msgspec.Meta(ge=1, le=RAW_BYTES_MAX)]
    """Bytes of the payload, inflated."""
    raw_sha256: Sha256Hex
    """Of the payload: commits to the content key, since an AEAD alone does not."""


_manifests = msgspec.json.Decoder(Manifest)


def read_manifest(raw: bytes) -> Manifest:
    """Manifest bytes to a manifest, believed or not.

    Raises:
        SealRefused: `manifest`.
    """
    try:
        return _manifests.decode(raw)
    except ValueError as error:
        raise SealRefused(Reject.MANIFEST, str(error)) from error
