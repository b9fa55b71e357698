"""HPM1: the sealed model. Layout, sealing, the checks of a client in their order, opening.

In: a payload and keys (trainer); a file, what is expected of it, the trust file and now (client).
Out: a file (trainer); its payload (client). Guarantee: a payload comes out only if enough release
keys signed it for this heat-pump model, it is neither expired nor older than what was active, and
every byte is the signed one. Encryption keeps out who does not contribute; the signature is what
makes a model believable.

    0    8    magic "HPM1" CR LF SUB LF      damage by a text-mode transfer is visible
    8    4    manifest length M, u32 little-endian, 2..16384
    12   M    manifest, JSON, signed as these bytes
    .    1    number of signatures n, 1..4
    .    72n  key id (8) || Ed25519 (64) over PAE(model-manifest, manifest bytes)
    .    C    box: nonce (24) || XChaCha20-Poly1305(content key, zlib(payload)); C == ct_len; end

All randomness and the time are arguments. One-shot AEAD, because the file is small and its hash
is known before anything is decrypted; a larger cap would ask for a stream with a final tag.
"""

from __future__ import annotations

import zlib
from hashlib import sha256
from typing import TYPE_CHECKING, Final

import msgspec
from nacl.bindings import (
    crypto_aead_xchacha20poly1305_ietf_decrypt,
    crypto_aead_xchacha20poly1305_ietf_encrypt,
)
from nacl.exceptions import CryptoError

from heatpool_contract.dsse import (
    KEY_BYTES,
    KEYID_BYTES,
    SIGNATURE_BYTES,
    TYPE_MODEL_MANIFEST,
    Signature,
    sign,
    signers,
)
from heatpool_contract.manifest import (
    BLOB_BYTES_MAX,
    BOX_BYTES_MIN,
    MANIFEST_BYTES_MAX,
    Manifest,
    ReleaseFacts,
    read_manifest,
)
from heatpool_contract.rejects import Reject, SealRefused
from heatpool_contract.trust import check_current

if TYPE_CHECKING:
    from collections.abc import Sequence

    from heatpool_contract.trust import Trust

MAGIC: Final = b"HPM1\r\n\x1a\n"
FORMAT: Final = "HPM1"
CIPHER: Final = "xchacha20poly1305-zlib"
SIGNATURES_MAX: Final = 4  # of releases: one key now, two of two later, both during a rotation
BLOB_BYTES_USUAL_MAX: Final = 4 * 1024 * 1024  # a logger's default: 25 trees of height 10, 17 times
NONCE_BYTES: Final = 24
TAG_BYTES: Final = 16
CLOCK_SKEW_S_MAX: Final = 86_400  # a logger's clock may be a day behind the trainer's
_HEAD_BYTES: Final = len(MAGIC) + 4
_MANIFEST_BYTES_MIN: Final = 2


class Container(msgspec.Struct, frozen=True):
    """The parts of a file. Nothing in it is believed yet."""

    manifest_raw: bytes
    signatures: tuple[Signature, ...]
    box: bytes


class Floor(msgspec.Struct, frozen=True, order=True):
    """The highest `(epoch, seq)` that was active: nothing older is accepted again."""

    epoch: int
    seq: int


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """What a client knows before it looks at the file."""

    model_hash: str
    """As announced by the check."""
    model: str
    """Slug of the own heat pump."""
    engine: str
    client_version: str
    """Of this program, three numbers."""
    floor: Floor | None = None


class Verified(msgspec.Struct, frozen=True):
    """A file that passed every check that needs no content key. Only `verify` makes one."""

    manifest: Manifest
    model_hash: str
    box: bytes


def model_hash(blob: bytes) -> str:
    """Name of a release: lower-case hex SHA-256 of the file, which is also its ETag."""
    return sha256(blob).hexdigest()


def seal(
    payload: bytes, facts: ReleaseFacts, cek: bytes, nonce: bytes, signing_seeds: Sequence[bytes]
) -> bytes:
    """A release file.

    Args:
        payload: the detector, at most `RAW_BYTES_MAX`.
        facts: what the manifest says beside lengths and hashes.
        cek: content key, 32 random bytes, for this release only.
        nonce: 24 random bytes.
        signing_seeds: Ed25519 seeds of the release keys, 1 to 4.

    Raises:
        SealRefused: the outcome would be a file that clients refuse (`manifest`, `size`).
        ValueError: keys, nonce or signers of the wrong number or length.
    """
    if len(cek) != KEY_BYTES or len(nonce) != NONCE_BYTES:
        raise ValueError("content key must have 32 bytes, nonce 24")
    if not 1 <= len(set(signing_seeds)) == len(signing_seeds) <= SIGNATURES_MAX:
        raise ValueError("one to four distinct release keys sign")
    box = nonce + crypto_aead_xchacha20poly1305_ietf_encrypt(
        zlib.compress(payload, 9), _aad(facts), nonce, cek
    )
    manifest = Manifest(
        **msgspec.structs.asdict(facts),
        format=FORMAT,
        cipher=CIPHER,
        ct_len=len(box),
        ct_sha256=sha256(box).hexdigest(),
        raw_len=len(payload),
        raw_sha256=sha256(payload).hexdigest(),
    )
    raw = msgspec.json.encode(manifest)
    read_manifest(raw)  # Structs are not checked when built, and NaN becomes null in JSON
    signatures = [sign(TYPE_MODEL_MANIFEST, raw, seed) for seed in signing_seeds]
    return join(Container(raw, tuple(signatures), box))


def join(container: Container) -> bytes:
    """The inverse of `parse`.

    Raises:
        SealRefused: `size`, `manifest`.
    """
    if len(container.manifest_raw) > MANIFEST_BYTES_MAX:
        raise SealRefused(Reject.MANIFEST, f"{len(container.manifest_raw)} bytes")
    blob = b"".join(
        (
            MAGIC,
            len(container.manifest_raw).to_bytes(4, "little"),
            container.manifest_raw,
            len(container.signatures).to_bytes(1, "little"),
            *(bytes.fromhex(one.keyid) + one.sig for one in container.signatures),
            container.box,
        )
    )
    if len(blob) > BLOB_BYTES_MAX:
        raise SealRefused(Reject.SIZE, f"{len(blob)} bytes, at most {BLOB_BYTES_MAX}")
    return blob


def parse(blob: bytes) -> Container:
    """Split a file into its parts, looking at lengths only.

    Raises:
        SealRefused: `size`, `magic`, `length`.
    """
    if len(blob) > BLOB_BYTES_MAX:
        raise SealRefused(Reject.SIZE, f"{len(blob)} bytes, at most {BLOB_BYTES_MAX}")
    if not blob.startswith(MAGIC):
        raise SealRefused(Reject.MAGIC)
    manifest_bytes = int.from_bytes(blob[len(MAGIC) : _HEAD_BYTES], "little")
    if not _MANIFEST_BYTES_MIN <= manifest_bytes <= MANIFEST_BYTES_MAX:
        raise SealRefused(Reject.LENGTH, f"manifest of {manifest_bytes} bytes")
    count_at = _HEAD_BYTES + manifest_bytes
    count = int.from_bytes(blob[count_at : count_at + 1], "little")  # 0 at the end of the file
    if not 1 <= count <= SIGNATURES_MAX:
        raise SealRefused(Reject.LENGTH, f"{count} signatures")
    signature_bytes = KEYID_BYTES + SIGNATURE_BYTES
    box_at = count_at + 1 + count * signature_bytes
    if len(blob) < box_at + BOX_BYTES_MIN:
        raise SealRefused(Reject.LENGTH, f"{len(blob)} bytes end before the box does")
    return Container(
        blob[_HEAD_BYTES:count_at],
        tuple(
            Signature(
                blob[at : at + KEYID_BYTES].hex(), blob[at + KEYID_BYTES : at + signature_bytes]
            )
            for at in range(count_at + 1, box_at, signature_bytes)
        ),
        blob[box_at:],
    )


def verify(blob: bytes, expected: Expected, trust: Trust, now_s: int) -> Verified:
    """Every check that needs no content key, cheap and safe ones first.

    Pure: `now_s` is the time at which the cycle began, taken once (TUF 5.1).

    Raises:
        SealRefused: with the code of the first check that failed; keep what is active.
    """
    if len(blob) > BLOB_BYTES_MAX:
        raise SealRefused(Reject.SIZE, f"{len(blob)} bytes, at most {BLOB_BYTES_MAX}")
    if model_hash(blob) != expected.model_hash:
        raise SealRefused(Reject.HASH)
    container = parse(blob)
    check_current(trust, now_s)
    # Signatures before JSON: no parser sees bytes that the release keys did not sign.
    good = signers(
        TYPE_MODEL_MANIFEST, container.manifest_raw, container.signatures, trust.release.keys
    )
    if good < trust.release.threshold:
        raise SealRefused(Reject.THRESHOLD, f"{good} of {trust.release.threshold} keys signed")
    manifest = read_manifest(container.manifest_raw)
    _check_kind(manifest, expected)
    _check_age(manifest, expected.floor, trust.epoch, now_s)
    if len(container.box) != manifest.ct_len:
        raise SealRefused(Reject.LENGTH, f"box of {len(container.box)} bytes")
    if sha256(container.box).hexdigest() != manifest.ct_sha256:
        raise SealRefused(Reject.CIPHERTEXT)
    return Verified(manifest, expected.model_hash, container.box)


def open_payload(verified: Verified, cek: bytes) -> bytes:
    """Decrypt and inflate. No more than `raw_len` + 1 bytes are ever inflated.

    Raises:
        SealRefused: `aead`, `inflate`, `raw_hash`.
    """
    nonce, boxed = verified.box[:NONCE_BYTES], verified.box[NONCE_BYTES:]
    manifest = verified.manifest
    try:
        packed = crypto_aead_xchacha20poly1305_ietf_decrypt(boxed, _aad(manifest), nonce, cek)
    except CryptoError as error:
        raise SealRefused(Reject.AEAD) from error
    inflater = zlib.decompressobj()
    try:
        raw = inflater.decompress(packed, manifest.raw_len + 1)
    except zlib.error as error:
        raise SealRefused(Reject.INFLATE, str(error)) from error
    if len(raw) != manifest.raw_len or not inflater.eof or inflater.unused_data:
        raise SealRefused(Reject.INFLATE, f"not {manifest.raw_len} bytes")
    if sha256(raw).hexdigest() != manifest.raw_sha256:
        raise SealRefused(Reject.RAW_HASH)
    return raw


def _check_kind(manifest: Manifest, expected: Expected) -> None:
    if manifest.format != FORMAT:
        raise SealRefused(Reject.FORMAT, manifest.format)
    if manifest.engine != expected.engine:
        raise SealRefused(Reject.ENGINE, manifest.engine)
    if manifest.cipher != CIPHER:
        raise SealRefused(Reject.CIPHER, manifest.cipher)
    if _ordered(manifest.min_client) > _ordered(expected.client_version):
        raise SealRefused(Reject.CLIENT_TOO_OLD, manifest.min_client)
    if manifest.model != expected.model:
        raise SealRefused(Reject.WRONG_MODEL, manifest.model)


def _check_age(manifest: Manifest, floor: Floor | None, epoch: int, now_s: int) -> None:
    if now_s >= manifest.expires_s:  # at the very second it has expired
        raise SealRefused(Reject.EXPIRED, f"at {manifest.expires_s}, now {now_s}")
    if manifest.created_s > now_s + CLOCK_SKEW_S_MAX:
        raise SealRefused(Reject.CREATED_IN_FUTURE, f"at {manifest.created_s}, now {now_s}")
    if manifest.epoch != epoch:
        raise SealRefused(Reject.EPOCH, f"{manifest.epoch}, trust file says {epoch}")
    if floor is not None and Floor(manifest.epoch, manifest.seq) < floor:
        raise SealRefused(Reject.ROLLBACK, f"{manifest.epoch}.{manifest.seq} below {floor}")


def _aad(facts: ReleaseFacts) -> bytes:
    """Defence in depth against a content key used twice; the signature binds all this anyway."""
    return b"HPM1/payload\0%b\0%b%b" % (
        facts.model.encode(),
        facts.epoch.to_bytes(8, "little"),
        facts.seq.to_bytes(8, "little"),
    )


def _ordered(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
