"""The keys of an installation, and content keys sealed to them.

In: public keys with their proof; a content key and who may have it. Out: a registration to rely on;
140 bytes that only one private key opens. Guarantee: a grant opens for the installation, release
and time it was made for, and for nothing else.

A grant says nothing about who made it: anybody can seal to a public key. That is harmless, because
a wrong content key fails the release's AEAD. Authenticity is the manifest's signature alone.

The fleet key is the fallback for loggers that registered no key: the same grant, sealed to a
key whose private half ships with every client. That is obfuscation, not access control.

`make_grant` and `seal_content_key` draw the ephemeral key of libsodium's sealed box inside
libsodium: the one place of this package where randomness is no argument.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final

import msgspec
from nacl.bindings import crypto_core_ed25519_is_valid_point, crypto_scalarmult
from nacl.exceptions import CryptoError
from nacl.exceptions import RuntimeError as SodiumError
from nacl.public import PrivateKey, SealedBox
from nacl.public import PublicKey as BoxKey

from heatpool_contract.dsse import (
    KEY_BYTES,
    TYPE_REGISTRATION,
    PublicKey,
    SignatureBytes,
    is_signed,
    public_key_of,
    sign,
)
from heatpool_contract.identity import InstallationId, installation_id
from heatpool_contract.rejects import Reject, SealRefused

GRANT_MAGIC: Final = b"HPG1"
GRANT_BYTES: Final = 140  # magic 4, hash 32, key 32, id 16, not_after 8, sealed box 48
GRANT_LIFETIME_S: Final = 86_400  # long enough for a download over a bad line, and its repeats
CONTENT_KEY_MAGIC: Final = b"HPK1"
CONTENT_KEY_SEALED_BYTES: Final = 116  # magic 4, hash 32, key 32, sealed box 48
REGISTRATION_BYTES_MAX: Final = 1024  # about 360 bytes with a rotation
_PROBE: Final = b"\x01" * KEY_BYTES  # any scalar: clamping makes all of them find low order
_ID_DOMAIN: Final = b"hp-installation-id/v1\0"
_SELF_CERTIFYING: Final = "8"  # UUID version


def make_grant(
    public_key: bytes,
    content_key: bytes,
    model_hash: str,
    installation: InstallationId,
    until_s: int,
) -> bytes:
    """The content key of one release, for one installation.

    Layout before sealing: `HPG1 || sha256 of the file || content key || id (16) || u64 until_s`,
    little-endian.

    Args:
        public_key: X25519, the installation's registered one, or the fleet's.
        content_key: 32 bytes.
        model_hash: hex SHA-256 of the file.
        installation: whom it is for.
        until_s: seconds since 1970 at which it stops to be good.

    Raises:
        SealRefused: `key_weak`, the public key is of low order.
        ValueError: lengths.
    """
    if len(content_key) != KEY_BYTES:
        raise ValueError("content key must have 32 bytes")
    plain = b"".join(
        (
            GRANT_MAGIC,
            bytes.fromhex(model_hash),
            content_key,
            _id_bytes(installation),
            until_s.to_bytes(8, "little"),
        )
    )
    return _seal_to(public_key, plain)


def open_grant(
    grant: bytes, private_key: bytes, model_hash: str, installation: InstallationId, now_s: int
) -> bytes:
    """The content key (32 bytes) in a grant, opened with an X25519 private key.

    Raises:
        SealRefused: `grant_*`.
    """
    if len(grant) != GRANT_BYTES:  # before any decryption, as age does with its file keys
        raise SealRefused(Reject.GRANT_LENGTH, f"{len(grant)} bytes")
    plain = _open_sealed(grant, private_key)
    if plain[:4] != GRANT_MAGIC:
        raise SealRefused(Reject.GRANT_MAGIC)
    if plain[68:84] != _id_bytes(installation):
        raise SealRefused(Reject.GRANT_OTHER_INSTALLATION)
    if plain[4:36].hex() != model_hash:
        raise SealRefused(Reject.GRANT_OTHER_RELEASE)
    until_s = int.from_bytes(plain[84:], "little")
    if now_s >= until_s:
        raise SealRefused(Reject.GRANT_EXPIRED, f"at {until_s}, now {now_s}")
    return plain[36:68]


def seal_content_key(hub_public_key: bytes, content_key: bytes, model_hash: str) -> bytes:
    """The content key on its way from trainer to hub (`release.ServedRelease.cek_sealed`).

    Raises:
        SealRefused: `key_weak`.
    """
    if len(content_key) != KEY_BYTES:
        raise ValueError("content key must have 32 bytes")
    return _seal_to(hub_public_key, CONTENT_KEY_MAGIC + bytes.fromhex(model_hash) + content_key)


def open_content_key(sealed: bytes, hub_private_key: bytes, model_hash: str) -> bytes:
    """The inverse, at the hub.

    Raises:
        SealRefused: `grant_*`.
    """
    if len(sealed) != CONTENT_KEY_SEALED_BYTES:
        raise SealRefused(Reject.GRANT_LENGTH, f"{len(sealed)} bytes")
    plain = _open_sealed(sealed, hub_private_key)
    if plain[:4] != CONTENT_KEY_MAGIC:
        raise SealRefused(Reject.GRANT_MAGIC)
    if plain[4:36].hex() != model_hash:
        raise SealRefused(Reject.GRANT_OTHER_RELEASE)
    return plain[36:]


class KeyPair(msgspec.Struct, frozen=True):
    """What is bound so far: the seed that signs, the public key that grants are sealed to."""

    ed25519_seed: bytes
    x25519: bytes

    def __repr__(self) -> str:
        return "KeyPair(...)"


class RegistrationRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `PUT /api/v1/installations/{id}/keys`; bytes are base64 in JSON."""

    installation_id: str
    ed25519: PublicKey
    x25519: PublicKey
    signature: SignatureBytes
    """By `ed25519` over PAE(registration, id as 36 characters || ed25519 || x25519)."""
    rotation: SignatureBytes | None = None
    """By the key bound so far, over PAE(registration, `rotate` || id || both old keys || both new
    ones): the old pair is named, so that an earlier rotation cannot be played again."""


_registrations = msgspec.json.Decoder(RegistrationRequest)


def self_id(ed25519: bytes) -> InstallationId:
    """The id that follows from a public key, a UUID of version 8 (RFC 9562).

    Nothing to squat: who has another key has another id, and checking needs no state.
    """
    raw = bytearray(sha256(_ID_DOMAIN + ed25519).digest()[:16])
    raw[6] = raw[6] & 0x0F | 0x80
    raw[8] = raw[8] & 0x3F | 0x80
    text = raw.hex()
    return InstallationId(
        f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}",
    )


def sign_registration(
    installation: InstallationId, ed25519_seed: bytes, x25519: bytes
) -> RegistrationRequest:
    """A request that registers the public keys of an installation."""
    ed25519 = public_key_of(ed25519_seed)
    body = _registration_body(installation, ed25519, x25519)
    signature = sign(TYPE_REGISTRATION, body, ed25519_seed).sig
    return RegistrationRequest(installation, ed25519, x25519, signature)


def sign_rotation(
    installation: InstallationId, old: KeyPair, ed25519_seed: bytes, x25519: bytes
) -> RegistrationRequest:
    """A request that replaces the keys bound so far.

    A version-8 id keeps its Ed25519 key: with another one begins another installation.
    """
    request = sign_registration(installation, ed25519_seed, x25519)
    body = _rotation_body(
        installation, public_key_of(old.ed25519_seed), old.x25519, request.ed25519, x25519
    )
    rotation = sign(TYPE_REGISTRATION, body, old.ed25519_seed).sig
    return msgspec.structs.replace(request, rotation=rotation)


def may_replace(request: RegistrationRequest, ed25519: bytes, x25519: bytes) -> bool:
    """Whether the keys bound so far (public) agreed to be replaced by those of `request`."""
    installation = installation_id(request.installation_id)
    if request.rotation is None or installation is None:
        return False
    body = _rotation_body(installation, ed25519, x25519, request.ed25519, request.x25519)
    return is_signed(TYPE_REGISTRATION, body, request.rotation, ed25519)


def is_self_certifying(installation: InstallationId) -> bool:
    """Whether the id is of version 8, hence follows from a key."""
    return installation[14] == _SELF_CERTIFYING


def read_registration(body: bytes, installation: InstallationId) -> RegistrationRequest:
    """Bytes of a request for `installation` (from its path) to keys that can be relied on.

    Whether another key is bound to the id already is the registry's question, not answered here.

    Raises:
        SealRefused: `key_malformed`, `key_weak`, `key_other_id`, `key_proof`.
    """
    if len(body) > REGISTRATION_BYTES_MAX:
        raise SealRefused(Reject.KEY_MALFORMED, f"{len(body)} bytes")
    try:
        request = _registrations.decode(body)
    except ValueError as error:
        raise SealRefused(Reject.KEY_MALFORMED, str(error)) from error
    if installation_id(request.installation_id) != installation:
        raise SealRefused(Reject.KEY_OTHER_ID)
    check_keys(request.ed25519, request.x25519)
    if is_self_certifying(installation) and installation != self_id(request.ed25519):
        raise SealRefused(Reject.KEY_OTHER_ID)
    signed = _registration_body(installation, request.ed25519, request.x25519)
    if not is_signed(TYPE_REGISTRATION, signed, request.signature, request.ed25519):
        raise SealRefused(Reject.KEY_PROOF)
    return request


def check_keys(ed25519: bytes, x25519: bytes) -> None:
    """Refuse public keys of small order: anybody can sign for them, or knows what they agree on.

    Raises:
        SealRefused: `key_malformed`, `key_weak`.
    """
    if len(ed25519) != KEY_BYTES or len(x25519) != KEY_BYTES:
        raise SealRefused(Reject.KEY_MALFORMED, "keys have 32 bytes")
    if not crypto_core_ed25519_is_valid_point(ed25519):
        raise SealRefused(Reject.KEY_WEAK, "ed25519")
    try:
        crypto_scalarmult(_PROBE, x25519)  # all zero, hence refused, for points of low order
    except SodiumError as error:
        raise SealRefused(Reject.KEY_WEAK, "x25519") from error


def _registration_body(installation: InstallationId, ed25519: bytes, x25519: bytes) -> bytes:
    return installation.encode() + ed25519 + x25519


def _rotation_body(
    installation: InstallationId, old_ed: bytes, old_x: bytes, new_ed: bytes, new_x: bytes
) -> bytes:
    return b"rotate" + installation.encode() + old_ed + old_x + new_ed + new_x


def _id_bytes(installation: InstallationId) -> bytes:
    return bytes.fromhex(installation.replace("-", ""))


def _seal_to(public_key: bytes, plain: bytes) -> bytes:
    try:
        return SealedBox(BoxKey(public_key)).encrypt(plain)
    except SodiumError as error:
        raise SealRefused(Reject.KEY_WEAK, "x25519") from error


def _open_sealed(sealed: bytes, private_key: bytes) -> bytes:
    try:
        return SealedBox(PrivateKey(private_key)).decrypt(sealed)
    except CryptoError as error:
        raise SealRefused(Reject.GRANT_SEALED) from error
