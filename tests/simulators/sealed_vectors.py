"""Vectors of HPM1: the rows of their index, and the files that are malformed or wrongly signed.

`tests/vectors/sealed/make.py` writes them; the tests read the index with the same Structs.
"""

from __future__ import annotations

import msgspec
from nacl.signing import SigningKey
from simulators import publisher as pub
from simulators.publisher import DAY_S, NOW_S, Release, forge, release

from heatpool_contract import dsse, sealed
from heatpool_contract.identity import (
    InstallationId,
)

ORDER = 2**252 + 27742317777372353535851937790883648493  # of the Ed25519 base point, RFC 8032


class Vector(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """One row of the index. What is left out is as in `Index`."""

    name: str
    expect: str
    why: str
    trust: str = "plain"
    floor: tuple[int, int] | None = None
    model_hash: str | None = None
    grant: bytes = b""
    fleet: bool = False
    decode: bool = False
    """The payload is also handed to `detector.decode`."""


class Index(msgspec.Struct, frozen=True, kw_only=True):
    """`index.json`; bytes are base64."""

    now_s: int
    model: str
    engine: str
    client_version: str
    installation: InstallationId
    home_private_key: bytes
    fleet_private_key: bytes
    trusts: dict[str, bytes]
    """The trust files that the vectors are read under, by name."""
    vectors: list[Vector]


class Shelf:
    """Collects files and rows."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.rows: list[Vector] = []

    def put(self, name: str, expect: str, why: str, blob: Release | bytes, **more: object) -> None:
        """One vector; a release brings its own grant."""
        if isinstance(blob, Release):
            more.setdefault("grant", blob.grant("fleet" if more.get("fleet") else "home"))
            blob = blob.blob
        self.files[name] = blob
        row = {"name": name, "expect": expect, "why": why} | more
        self.rows.append(Vector(**row))  # type: ignore[arg-type]  # the keywords are Vector's


def container(shelf: Shelf) -> None:
    """Lengths and magic."""
    good = release().blob
    parts = sealed.parse(good)
    head, rest = good[:8], good[12:]
    count_at = 12 + len(parts.manifest_raw)
    box_at = len(good) - len(parts.box)
    shelf.put("magic-empty", "magic", "nothing at all", b"")
    shelf.put("magic-cut", "magic", "ends inside the magic", good[:7])
    shelf.put("magic-hpm0", "magic", "an older format that never was", b"HPM0" + good[4:])
    shelf.put("magic-text-mode", "magic", "CR LF became LF", good.replace(b"\r\n", b"\n", 1))
    for name, size in (("zero", 0), ("one", 1), ("above-cap", 16_385), ("huge", 2**32 - 1)):
        blob = head + size.to_bytes(4, "little") + rest
        shelf.put(f"length-manifest-{name}", "length", f"manifest of {size} bytes", blob)
    padded = parts.manifest_raw + b" " * (16_385 - len(parts.manifest_raw))
    signature = dsse.sign(dsse.TYPE_MODEL_MANIFEST, padded, pub.secret("release 1"))
    tail = b"\x01" + bytes.fromhex(signature.keyid) + signature.sig + parts.box
    blob = head + len(padded).to_bytes(4, "little") + padded + tail
    shelf.put("length-manifest-signed-above-cap", "length", "16,385 bytes, signed", blob)
    for count in (0, 5, 255):
        blob = good[:count_at] + bytes([count]) + good[count_at + 1 :]
        shelf.put(f"length-signatures-{count}", "length", f"{count} signatures", blob)
    five = tuple(
        dsse.sign(dsse.TYPE_MODEL_MANIFEST, parts.manifest_raw, pub.secret(f"release {n}"))
        for n in range(1, 6)
    )
    blob = sealed.join(sealed.Container(parts.manifest_raw, five, parts.box))
    shelf.put("length-five-good-signatures", "length", "one more than the format has", blob)
    for name, end in (
        ("head", 12),
        ("manifest", 12 + 100),
        ("count", count_at),
        ("signature", count_at + 30),
        ("box", box_at),
        ("box-minimum", box_at + 39),
        ("last-byte", len(good) - 1),
    ):
        shelf.put(f"length-cut-at-{name}", "length", f"{end} of {len(good)} bytes", good[:end])
    shelf.put("length-trailing-byte", "length", "one byte more than signed", good + b"\0")
    other = release(seq=8)
    shelf.put(
        "hash-other-file", "hash", "not what was announced", good, model_hash=other.model_hash
    )
    flipped = good[:-1] + bytes([good[-1] ^ 1])
    shelf.put("hash-bit-flip", "hash", "the last bit", flipped, model_hash=release().model_hash)


def signatures(shelf: Shelf) -> None:
    """Who signed."""
    good = sealed.parse(release().blob)
    raw, box = good.manifest_raw, good.box

    def put(name: str, why: str, *signed: dsse.Signature, **more: object) -> None:
        blob = sealed.join(sealed.Container(raw, signed, box))
        shelf.put(f"threshold-{name}", "threshold", why, blob, **more)

    def by(name: str, kind: str = dsse.TYPE_MODEL_MANIFEST) -> dsse.Signature:
        return dsse.sign(kind, raw, pub.secret(name))

    mine = by("release 1")
    put("stranger", "a key that is not in the trust file", by("stranger"))
    put("one-of-two", "one of two keys", mine, trust="two_of_two")
    put("same-key-twice", "each key counts once", mine, mine, trust="two_of_two")
    put("retired-key", "the key was rotated away", mine, trust="rotated")
    put("root-key", "root keys sign trust files only", by("root 1"), by("root 2"))
    put("timestamp-key", "the online key makes no models", by("timestamp 1"))
    for kind in ("fresh", "trust", "registration", "request"):
        payload_type = {
            "fresh": dsse.TYPE_MODEL_FRESH,
            "trust": dsse.TYPE_TRUST,
            "registration": dsse.TYPE_REGISTRATION,
            "request": dsse.TYPE_REQUEST,
        }[kind]
        put(f"typed-{kind}", "the same bytes signed as another type", by("release 1", payload_type))
    bare = SigningKey(pub.secret("release 1")).sign(raw).signature
    put("without-pae", "signed without encoding", dsse.Signature(mine.keyid, bare))
    swapped = dsse.Signature(by("stranger").keyid, mine.sig)
    put("foreign-key-id", "a good signature under another id", swapped)
    borrowed = dsse.Signature(mine.keyid, by("stranger").sig)
    put("borrowed-key-id", "a stranger's signature under a good id", borrowed)
    half = int.from_bytes(mine.sig[32:], "little") + ORDER
    malleated = dsse.Signature(mine.keyid, mine.sig[:32] + half.to_bytes(32, "little"))
    put("malleated", "S plus the group order", malleated)
    put("zero", "64 zero bytes", dsse.Signature(mine.keyid, bytes(64)))
    changed = raw.replace(b'"samples":1', b'"samples":9')
    blob = sealed.join(sealed.Container(changed, (mine,), box))
    shelf.put("threshold-manifest-changed", "threshold", "one digit of the manifest", blob)
    other = sealed.parse(release(seq=8).blob)
    blob = sealed.join(sealed.Container(raw, other.signatures, box))
    shelf.put("threshold-other-release", "threshold", "the signature of seq 8", blob)


def manifests(shelf: Shelf) -> None:
    """What is said, by a release key that says wrong things."""

    def put(name: str, why: str, changes: dict[str, object], without: str | None = None) -> None:
        shelf.put(f"manifest-{name}", "manifest", why, forge(changes, without=without))

    put("unknown-field", "one field more", {"mirror": "elsewhere"})
    put("missing-field", "one field less", {}, without="engine")
    put("number-as-text", "seq as a string", {"seq": "7"})
    put("number-as-float", "seq as 7.5", {"seq": 7.5})
    put("seq-zero", "sequences begin at 1", {"seq": 0})
    put("seq-above-2-53", "not exact in a double", {"seq": 2**53})
    put("epoch-negative", "epochs begin at 1", {"epoch": -1})
    put("lifetime-two-years", "longer than a year", {"expires": NOW_S + 800 * DAY_S})
    put("lifetime-empty", "expires when it is created", {"expires": NOW_S, "created": NOW_S})
    put("model-upper-case", "not a slug", {"model": "AERO_SLM_6_17"})
    put("model-newline", "a line break after the slug", {"model": pub.MODEL + "\n"})
    put("model-path", "a path", {"model": "../aero"})
    put("version-newline", "a line break after the version", {"version": "v1\n"})
    put("raw-len-above-cap", "64 MiB and one byte", {"raw_len": 64 * 1024**2 + 1})
    put("raw-len-zero", "no payload", {"raw_len": 0})
    put("hash-upper-case", "hashes are lower case", {"raw_sha256": "A" * 64})
    put("hash-short", "63 digits", {"raw_sha256": "a" * 63})
    put("min-client-words", "not three numbers", {"min_client": "latest"})
    put("provenance-unknown-field", "one field more inside", {"provenance": {"x": 1}})
    good = sealed.parse(release().blob)
    for name, why, raw in (
        ("not-json", "no JSON", b"hello"),
        ("array", "a list", b"[1]"),
        ("two-documents", "something after the object", good.manifest_raw + b"{}"),
        ("not-utf8", "bytes that are no UTF-8", good.manifest_raw.replace(b"v2026", b"\xff2026")),
        ("nested-deep", "ten thousand brackets", b'{"seq":' + b"[" * 10_000),
    ):
        shelf.put(f"manifest-{name}", "manifest", why, pub.signed(raw, good.box))
    lies: tuple[tuple[str, str, dict[str, object]], ...] = (
        ("format", "HPM2 in an HPM1 file", {"format": "HPM2"}),
        ("engine", "a scorer of the future", {"engine": "river-hst/2"}),
        ("cipher", "no encryption", {"cipher": "none"}),
        ("client_too_old", "made for a later client", {"min_client": "0.10.0"}),
        ("wrong_model", "another heat pump", {"model": "terra_sw_11"}),
        ("expired", "expires this very second", {"expires": NOW_S}),
        ("created_in_future", "a day and a second ahead", {"created": NOW_S + DAY_S + 1}),
    )
    for code, why, changes in lies:
        shelf.put(f"{code.replace('_', '-')}-forged", code, why, forge(changes))
