"""The pool's owner with fixed keys: makes trust files, releases, grants and freshness statements.

For tests and for `tests/vectors/sealed/make.py`. The keys are derived from their names, so anybody
can make them: they are test keys.
"""

from __future__ import annotations

import zlib
from hashlib import sha256

import msgspec
from nacl.bindings import (
    crypto_aead_xchacha20poly1305_ietf_encrypt,
    crypto_box,
    crypto_scalarmult_base,
)
from nacl.encoding import RawEncoder
from nacl.hash import blake2b

from heatpool_contract import dsse, grants, sealed
from heatpool_contract.fresh import Fresh
from heatpool_contract.identity import InstallationId, ModelSlug
from heatpool_contract.manifest import ReleaseFacts, read_manifest
from heatpool_contract.trust import Role, Trust

NOW_S = 1_795_219_200  # 2026-11-21
DAY_S = 86_400
MODEL = ModelSlug("aero_slm_6_17")
ENGINE = "river-hst/1"
CLIENT_VERSION = "0.1.0"
HOME = InstallationId("3f2b8c1e-5d4a-4b6f-8a9c-0d1e2f3a4b5c")
OTHER_HOME = InstallationId("7a6b5c4d-3e2f-4a1b-9c8d-7e6f5a4b3c2d")
PAYLOAD = b"a detector with one leaf, which is enough for a seal"


def secret(name: str) -> bytes:
    """32 bytes: an Ed25519 seed, an X25519 private key or a content key."""
    return sha256(b"heatpool test key " + name.encode()).digest()


def signing_public(name: str) -> bytes:
    """The Ed25519 public key of `secret(name)`."""
    return dsse.public_key_of(secret(name))


def box_public(name: str) -> bytes:
    """The X25519 public key of `secret(name)`."""
    return crypto_scalarmult_base(secret(name))


def role(*names: str, threshold: int = 1) -> Role:
    """A role held by these keys."""
    return Role(tuple(signing_public(name) for name in names), threshold)


TRUST = Trust(
    version=1,
    epoch=1,
    expires_s=NOW_S + 366 * DAY_S,
    root=role("root 1", "root 2", "root 3", threshold=2),
    release=role("release 1"),
    timestamp=role("timestamp 1"),
)


def trust_file(trust: Trust, *root_names: str) -> bytes:
    """`trust`, signed by these root keys (two of the first three, if none is named)."""
    names = root_names or ("root 1", "root 2")
    return dsse.wrap(dsse.TYPE_TRUST, msgspec.json.encode(trust), [secret(one) for one in names])


FACTS = ReleaseFacts(
    model=MODEL,
    version="v2026.11",
    epoch=1,
    seq=7,
    created_s=NOW_S - DAY_S,
    expires_s=NOW_S + 89 * DAY_S,
    engine=ENGINE,
    min_client="0.1.0",
    installations=41,
    samples=1_234_567,
)


class Release(msgspec.Struct, frozen=True):
    """A sealed file with what opens it."""

    blob: bytes
    cek: bytes

    @property
    def model_hash(self) -> str:
        """Its name."""
        return sealed.model_hash(self.blob)

    def grant(
        self, to: str = "home", home: InstallationId = HOME, until_s: int | None = None
    ) -> bytes:
        """Its content key for one home, sealed to the named X25519 key; always the same bytes."""
        return grant(
            b"HPG1",
            bytes.fromhex(self.model_hash),
            self.cek,
            bytes.fromhex(home.replace("-", "")),
            (until_s or NOW_S + grants.GRANT_LIFETIME_S).to_bytes(8, "little"),
            to=to,
        )

    def fresh(self, **changes: object) -> bytes:
        """A statement that it is the current one."""
        facts = read_manifest(sealed.parse(self.blob).manifest_raw)
        statement = Fresh(
            model=facts.model,
            epoch=facts.epoch,
            seq=facts.seq,
            model_hash=self.model_hash,
            issued_s=NOW_S - 3600,
            expires_s=NOW_S + DAY_S,
        )
        body = msgspec.json.encode(msgspec.structs.replace(statement, **changes))
        return dsse.wrap(dsse.TYPE_MODEL_FRESH, body, [secret("timestamp 1")])


def release(
    payload: bytes = PAYLOAD, signers: tuple[str, ...] = ("release 1",), **changes: object
) -> Release:
    """A release of `FACTS` with changes; content key and nonce follow from its sequence."""
    facts = msgspec.structs.replace(FACTS, **changes)
    cek = secret(f"cek {facts.model} {facts.epoch} {facts.seq}")
    nonce = secret(f"nonce {facts.model} {facts.epoch} {facts.seq}")[: sealed.NONCE_BYTES]
    seeds = [secret(name) for name in signers]
    return Release(sealed.seal(payload, facts, cek, nonce, seeds), cek)


def boxed(packed: bytes, cek: bytes, model: str = MODEL, epoch: int = 1, seq: int = 7) -> bytes:
    """Any bytes in the place of a deflated payload, encrypted as the format says."""
    nonce = secret("nonce of a forger")[: sealed.NONCE_BYTES]
    aad = b"HPM1/payload\0" + model.encode() + b"\0"
    aad += epoch.to_bytes(8, "little") + seq.to_bytes(8, "little")
    return nonce + crypto_aead_xchacha20poly1305_ietf_encrypt(packed, aad, nonce, cek)


def forge(
    changes: dict[str, object] | None = None,
    *,
    box: bytes | None = None,
    without: str | None = None,
    names: tuple[str, ...] = ("release 1",),
) -> Release:
    """A file whose manifest says anything at all, signed in due form: a trainer gone wrong.

    Without `box`, the box is the good one of `PAYLOAD`; its length and hash are always told right,
    unless `changes` say otherwise.
    """
    cek = secret("cek of a forger")
    box = boxed(zlib.compress(PAYLOAD, 9), cek) if box is None else box
    good = sealed.parse(release().blob)
    manifest: dict[str, object] = msgspec.json.decode(good.manifest_raw)
    manifest |= {"ct_len": len(box), "ct_sha256": sha256(box).hexdigest()}
    manifest |= changes or {}
    manifest.pop(without or "", None)
    return Release(signed(msgspec.json.encode(manifest), box, names), cek)


def signed(manifest: bytes, box: bytes, names: tuple[str, ...] = ("release 1",)) -> bytes:
    """A file of these very manifest bytes."""
    signatures = tuple(dsse.sign(dsse.TYPE_MODEL_MANIFEST, manifest, secret(one)) for one in names)
    return sealed.join(sealed.Container(manifest, signatures, box))


def grant(*parts: bytes, to: str = "home") -> bytes:
    """A libsodium sealed box of the joined parts, with a fixed ephemeral key."""
    ephemeral, public = secret("ephemeral"), box_public(to)
    head = crypto_scalarmult_base(ephemeral)
    nonce = blake2b(head + public, digest_size=24, encoder=RawEncoder)
    return head + crypto_box(b"".join(parts), nonce, public, ephemeral)
