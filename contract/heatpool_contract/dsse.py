"""Signatures over typed bytes: DSSE v1 with Ed25519.

In: bytes and keys. Out: signatures, envelopes, the number of distinct signers. Guarantee: a
signature made for one payload type is none for another, one key counts once however often it
signed, and nobody needs canonical JSON, because bytes are signed as they travel.

Source: https://github.com/secure-systems-lab/dsse, protocol.md and envelope.md, version 1.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey

if TYPE_CHECKING:
    from collections.abc import Iterable

TYPE_MODEL_MANIFEST: Final = "application/vnd.hp.model-manifest.v1+json"
TYPE_MODEL_FRESH: Final = "application/vnd.hp.model-fresh.v1+json"
TYPE_TRUST: Final = "application/vnd.hp.trust.v1+json"
TYPE_REGISTRATION: Final = "application/vnd.hp.registration.v1"
TYPE_REQUEST: Final = "application/vnd.hp.request.v1"

KEY_BYTES: Final = 32
"""Ed25519 and X25519 keys, public and private (RFC 8032, RFC 7748)."""
SIGNATURE_BYTES: Final = 64
KEYID_BYTES: Final = 8  # a hint which key to try, never a reason to believe one
SIGNATURES_MAX: Final = 16  # each costs a verification; trust files have two sets of root keys

Count = Annotated[int, msgspec.Meta(ge=1, le=2**53 - 1)]
"""Versions, epochs and sequence numbers: exact in every JSON reader, also those with doubles."""
Seconds = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]
"""Seconds since 1970, UTC."""
PublicKey = Annotated[bytes, msgspec.Meta(min_length=KEY_BYTES, max_length=KEY_BYTES)]
SignatureBytes = Annotated[
    bytes, msgspec.Meta(min_length=SIGNATURE_BYTES, max_length=SIGNATURE_BYTES)
]
Sha256Hex = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$(?!\\n)")]
"""`(?!\\n)`, because Python's `$` lets a trailing newline through."""
Slug = Annotated[str, msgspec.Meta(pattern="^[a-z0-9]+(_[a-z0-9]+)*$(?!\\n)", max_length=64)]
"""`identity.ModelSlug` on the wire."""


class Signature(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One signature; `keyid` is the hex form of `key_id` of its public key."""

    keyid: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{16}$(?!\\n)")]
    sig: SignatureBytes


class Envelope(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Payload and signatures as one JSON document."""

    payload: bytes
    payload_type: str
    signatures: Annotated[tuple[Signature, ...], msgspec.Meta(max_length=SIGNATURES_MAX)]


_envelopes = msgspec.json.Decoder(Envelope)


def pae(payload_type: str, body: bytes) -> bytes:
    """Pre-authentication encoding: `DSSEv1 SP LEN(type) SP type SP LEN(body) SP body`."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(body), body)


def key_id(public_key: bytes) -> str:
    """First 8 bytes of the key's SHA-256, in hex."""
    return sha256(public_key).digest()[:KEYID_BYTES].hex()


def public_key_of(seed: bytes) -> bytes:
    """The Ed25519 public key of a 32-byte seed."""
    return bytes(SigningKey(seed).verify_key)


def sign(payload_type: str, body: bytes, seed: bytes) -> Signature:
    """Signature over `pae(payload_type, body)` with the Ed25519 key of `seed` (32 bytes)."""
    key = SigningKey(seed)
    return Signature(key_id(bytes(key.verify_key)), key.sign(pae(payload_type, body)).signature)


def is_signed(payload_type: str, body: bytes, sig: bytes, public_key: bytes) -> bool:
    """Whether `sig` (64 bytes) is `public_key`'s (32 bytes) over this body as this type."""
    try:
        VerifyKey(public_key).verify(pae(payload_type, body), sig)
    except BadSignatureError:
        return False
    return True


def signers(
    payload_type: str, body: bytes, signatures: Iterable[Signature], keys: Iterable[bytes]
) -> int:
    """How many distinct keys of `keys` signed; unknown keys and bad signatures count nothing."""
    trusted = {key_id(key): key for key in keys}
    good: set[bytes] = set()
    for signature in signatures:
        key = trusted.get(signature.keyid)
        if key is None or key in good:
            continue
        if is_signed(payload_type, body, signature.sig, key):
            good.add(key)
    return len(good)


def wrap(payload_type: str, body: bytes, seeds: Iterable[bytes]) -> bytes:
    """An envelope of `body`, signed with each seed."""
    signatures = tuple(sign(payload_type, body, seed) for seed in seeds)
    return msgspec.json.encode(Envelope(body, payload_type, signatures))


def co_sign(raw: bytes, payload_type: str, seed: bytes) -> bytes:
    """The envelope with one more signature: offline root keys never meet on one machine.

    Raises:
        ValueError: `raw` is no envelope of this type.
    """
    envelope = unwrap(raw, payload_type, len(raw))
    added = sign(payload_type, envelope.payload, seed)
    others = tuple(one for one in envelope.signatures if one.keyid != added.keyid)
    return msgspec.json.encode(
        Envelope(envelope.payload, payload_type, (*others, added)),
    )


def unwrap(raw: bytes, payload_type: str, bytes_max: int) -> Envelope:
    """Bytes to an envelope of exactly this type. Its signatures are not checked here.

    Raises:
        ValueError: too large, no envelope, or of another type.
    """
    if len(raw) > bytes_max:
        raise ValueError(f"envelope of {len(raw)} bytes, at most {bytes_max}")
    envelope = _envelopes.decode(raw)
    if envelope.payload_type != payload_type:
        raise ValueError(f"envelope holds {envelope.payload_type!r}, not {payload_type!r}")
    return envelope
