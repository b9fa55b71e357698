"""Writes the vectors of HPM1: `uv run python tests/vectors/sealed/make.py`.

Each `*.hpm` is one release with at most one thing wrong; `index.json` says what a reader that
knows the rest must answer. Written once per change of the format and committed: a later reader must
give the same answers for ever. All keys are test keys, derived from their names.
"""

from __future__ import annotations

import sys
import zlib
from hashlib import sha256
from pathlib import Path

import msgspec

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent.parent))

from simulators import publisher as pub  # noqa: E402 - as above
from simulators import sealed_vectors as bad  # noqa: E402 - as above
from simulators.publisher import DAY_S, NOW_S, PAYLOAD, forge, release  # noqa: E402 - as above

from heatpool_contract import sealed  # noqa: E402 - needs the path above
from heatpool_contract.manifest import GateFigure, Provenance  # noqa: E402 - as above


def accepted(shelf: bad.Shelf) -> None:
    """Files that must open."""
    shelf.put("accept-plain", "ok", "the ordinary release", release())
    provenance = Provenance(
        window_start_s=NOW_S - 40 * DAY_S,
        window_end_s=NOW_S - 2 * DAY_S,
        trainer="0.1.0",
        gate=(GateFigure("auc_holdout", 0.91, 0.75),),
    )
    digest = sha256(b"the whole training record").hexdigest()
    full = release(provenance=provenance, provenance_sha256=digest)
    shelf.put("accept-provenance", "ok", "all optional fields", full)
    two = release(signers=("release 1", "release 2"))
    shelf.put("accept-two-of-two", "ok", "both keys of two signed", two, trust="two_of_two")
    stranger = release(signers=("stranger", "release 1"))
    shelf.put("accept-unknown-signer-beside", "ok", "an unknown key counts nothing", stranger)
    shelf.put("accept-floor-equal", "ok", "the active release again", release(), floor=(1, 7))
    again = release(epoch=2, seq=1)
    why = "a new epoch drops the floor that a thief had raised"
    shelf.put("accept-new-epoch", "ok", why, again, trust="epoch_2", floor=(1, 2**53 - 1))
    late = release(expires_s=NOW_S + 1)
    shelf.put("accept-last-second", "ok", "expires one second from now", late)
    early = release(created_s=NOW_S + DAY_S)
    shelf.put("accept-created-a-day-ahead", "ok", "a clock that is a day slow", early)
    shelf.put("accept-fleet-grant", "ok", "content key by the fleet key", release(), fleet=True)
    noise = b"".join(sha256(bytes([n])).digest() for n in range(40))
    shelf.put("accept-incompressible", "ok", "deflate makes it longer", release(noise))


def ages(shelf: bad.Shelf) -> None:
    """Order in time, and mixing of releases."""
    why = "of an epoch that was closed"
    shelf.put("epoch-older", "epoch", why, release(), trust="epoch_2")
    shelf.put("epoch-newer", "epoch", "the trust file knows no such epoch", release(epoch=2))
    shelf.put("rollback-seq", "rollback", "one below the floor", release(), floor=(1, 8))
    why = "trust file and release restored from an old backup"
    shelf.put("rollback-epoch", "rollback", why, release(seq=99), floor=(2, 1))
    shelf.put(
        "trust-expired", "trust_expired", "expires this very second", release(), trust="expired"
    )
    one, two = release(), release(seq=8)
    mine, other = sealed.parse(one.blob), sealed.parse(two.blob)
    mixed = sealed.join(sealed.Container(mine.manifest_raw, mine.signatures, other.box))
    shelf.put("ciphertext-other-release", "ciphertext", "manifest of 7, box of 8", mixed)
    flipped = mine.box[:-1] + bytes([mine.box[-1] ^ 1])
    bent = sealed.join(sealed.Container(mine.manifest_raw, mine.signatures, flipped))
    shelf.put("ciphertext-bit-flip", "ciphertext", "file and announcement agree", bent)


def grants(shelf: bad.Shelf) -> None:
    """The content key."""
    good = release()
    name, home = bytes.fromhex(good.model_hash), bytes.fromhex(pub.HOME.replace("-", ""))
    until = (NOW_S + DAY_S).to_bytes(8, "little")
    whole = good.grant()
    for code, suffix, why, grant in (
        ("grant_length", "empty", "no grant", b""),
        ("grant_length", "139", "one byte short", whole[:-1]),
        ("grant_length", "141", "one byte long", whole + b"\0"),
        ("grant_sealed", "other-key", "sealed to another home", good.grant("other home")),
        ("grant_sealed", "bit-flip", "damaged", whole[:-1] + bytes([whole[-1] ^ 1])),
        ("grant_sealed", "zero", "140 zero bytes", bytes(140)),
        ("grant_magic", "hpg0", "another magic", pub.grant(b"HPG0", name, good.cek, home, until)),
        ("grant_other_installation", "id", "another id", good.grant(home=pub.OTHER_HOME)),
        ("grant_other_release", "seq-8", "the grant of seq 8", release(seq=8).grant()),
        ("grant_expired", "now", "ends this very second", good.grant(until_s=NOW_S)),
        (
            "aead",
            "forged-grant",
            "anybody can seal a wrong key",
            pub.grant(b"HPG1", name, pub.secret("wrong"), home, until),
        ),
    ):
        row = f"{code.replace('_', '-')}-{suffix}"
        shelf.put(row, code, why, good.blob, grant=grant)
    fleet = good.grant("fleet")
    shelf.put("grant-sealed-fleet", "grant_sealed", "fleet grant, own key", good.blob, grant=fleet)


def payloads(shelf: bad.Shelf) -> None:
    """What is inside."""
    cek = pub.secret("cek of a forger")
    packed = zlib.compress(PAYLOAD, 9)
    reused = forge(box=pub.boxed(packed, cek, seq=6))
    shelf.put("aead-other-release-data", "aead", "content key used for two releases", reused)
    bomb = pub.boxed(zlib.compress(bytes(1024**2), 9), cek)
    shelf.put("inflate-bomb", "inflate", "1 MiB announced as 52 bytes", forge(box=bomb))
    for name, why, data in (
        ("one-byte-more", "longer than announced", zlib.compress(PAYLOAD + b"!", 9)),
        ("one-byte-less", "shorter than announced", zlib.compress(PAYLOAD[:-1], 9)),
        ("trailing-byte", "a byte after the stream", packed + b"\0"),
        ("unfinished", "the stream is cut", packed[:-1]),
        ("not-zlib", "no zlib", PAYLOAD),
        ("checksum", "Adler-32 is wrong", packed[:-1] + bytes([packed[-1] ^ 1])),
        ("empty", "no stream at all", b""),
    ):
        shelf.put(f"inflate-{name}", "inflate", why, forge(box=pub.boxed(data, cek)))
    other = zlib.compress(PAYLOAD[::-1], 9)
    why = "decrypts to another payload of the same length"
    shelf.put("raw-hash-other-payload", "raw_hash", why, forge(box=pub.boxed(other, cek)))
    for name, why, payload in (
        ("pickle", "runs `true` if ever unpickled", b"cos\nsystem\n(S'true'\ntR."),
        ("not-msgpack", "text", PAYLOAD),
        ("empty-map", "an empty map", b"\x80"),
    ):
        shelf.put(f"payload-{name}", "payload", why, release(payload), decode=True)


def main() -> None:
    """Write all files beside this one."""
    shelf = bad.Shelf()
    for part in (accepted, bad.container, bad.signatures, bad.manifests, ages, grants, payloads):
        part(shelf)
    replace = msgspec.structs.replace
    trust = pub.TRUST
    both = replace(trust, release=pub.role("release 1", "release 2", threshold=2))
    index = bad.Index(
        now_s=NOW_S,
        model=pub.MODEL,
        engine=pub.ENGINE,
        client_version=pub.CLIENT_VERSION,
        installation=pub.HOME,
        home_private_key=pub.secret("home"),
        fleet_private_key=pub.secret("fleet"),
        trusts=dict(  # noqa: C408 - reads as the rows that name them
            plain=pub.trust_file(trust),
            two_of_two=pub.trust_file(both),
            epoch_2=pub.trust_file(replace(trust, version=2, epoch=2)),
            rotated=pub.trust_file(replace(trust, version=2, release=pub.role("release 2"))),
            expired=pub.trust_file(replace(trust, expires_s=NOW_S)),
        ),
        vectors=shelf.rows,
    )
    for old in HERE.glob("*.hpm"):
        old.unlink()
    for name, blob in shelf.files.items():
        (HERE / f"{name}.hpm").write_bytes(blob)
    encoded = msgspec.json.format(msgspec.json.encode(index), indent=1)
    (HERE / "index.json").write_bytes(encoded + b"\n")


if __name__ == "__main__":
    main()
