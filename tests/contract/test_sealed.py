"""HPM1: every vector gets its answer, every change of a file is noticed, no bomb goes off."""

from __future__ import annotations

import math
import tracemalloc
import zlib
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulators import publisher as pub
from simulators.publisher import DAY_S, NOW_S, PAYLOAD, boxed, forge, release

from heatpool_contract import dsse, sealed
from heatpool_contract.manifest import (
    BLOB_BYTES_MAX,
    BOX_BYTES_MIN,
    GateFigure,
    Manifest,
    Provenance,
    read_manifest,
)
from heatpool_contract.rejects import DETAIL_CHARS_MAX, Reject, SealRefused
from heatpool_contract.sealed import Container, Expected, Floor, Verified

if TYPE_CHECKING:
    from heatpool_contract.trust import Trust

TRUST = pub.TRUST
GOOD = release()
PROVENANCE_NAN = Provenance(
    window_start_s=0, window_end_s=1, trainer="0", gate=(GateFigure("auc", math.nan, 0.5),)
)


def _expected(blob: bytes, floor: Floor | None = None) -> Expected:
    """As if the check had announced these very bytes, so that later checks have their turn."""
    return Expected(
        model_hash=sealed.model_hash(blob),
        model=pub.MODEL,
        engine=pub.ENGINE,
        client_version=pub.CLIENT_VERSION,
        floor=floor,
    )


def _verify(blob: bytes, *, now_s: int = NOW_S, trust: Trust = TRUST) -> Verified:
    return sealed.verify(blob, _expected(blob), trust, now_s)


def _code(blob: bytes, *, now_s: int = NOW_S, trust: Trust = TRUST) -> str:
    try:
        _verify(blob, now_s=now_s, trust=trust)
    except SealRefused as refused:
        return refused.code
    return "ok"


def test_every_single_bit_counts() -> None:
    """No bit of a file can be flipped unnoticed, even by who can announce the flipped file."""
    codes = set()
    for at in range(len(GOOD.blob) * 8):
        flipped = bytearray(GOOD.blob)
        flipped[at // 8] ^= 1 << at % 8
        codes.add(_code(bytes(flipped)))

    assert codes == {"magic", "length", "threshold", "ciphertext"}


def test_every_cut_is_noticed() -> None:
    """A file that ends anywhere before its end is refused for its length."""
    codes = {_code(GOOD.blob[:end]) for end in range(len(GOOD.blob))}

    assert codes == {"magic", "length"}


@given(st.binary(min_size=1, max_size=100))
def test_anything_appended_is_noticed(tail: bytes) -> None:
    """A file that goes on after its end is refused for its length."""
    assert _code(GOOD.blob + tail) == "length"


@given(st.binary(max_size=3000), st.sampled_from([b"", sealed.MAGIC, GOOD.blob[:200]]))
def test_parse_takes_any_bytes(tail: bytes, head: bytes) -> None:
    """Arbitrary bytes are split or refused, and what is split joins to the same bytes."""
    blob = head + tail
    try:
        again = sealed.join(sealed.parse(blob))
    except SealRefused as refused:
        again = blob if refused.code in {Reject.MAGIC, Reject.LENGTH} else b""

    assert again == blob


@given(st.binary(max_size=2000))
def test_manifest_reader_takes_any_bytes(raw: bytes) -> None:
    """Arbitrary bytes are no manifest, and no other exception either."""
    with pytest.raises(SealRefused) as refused:
        read_manifest(raw)

    assert refused.value.code is Reject.MANIFEST
    assert len(refused.value.detail) <= DETAIL_CHARS_MAX


@given(
    payload=st.binary(min_size=1, max_size=5000),
    seq=st.integers(1, 2**53 - 1),
    samples=st.integers(0, 2**53 - 1),
    keys=st.sets(st.sampled_from(["release 1", "release 2", "release 3", "release 4"]), min_size=1),
)
def test_what_is_sealed_opens(payload: bytes, seq: int, samples: int, keys: set[str]) -> None:
    """Sealing and opening give back the payload, whatever it is and whoever of the keys signed."""
    names = tuple(sorted(keys))
    made = release(payload, names, seq=seq, samples=samples)
    trust = msgspec.structs.replace(TRUST, release=pub.role(*names, threshold=len(names)))

    verified = _verify(made.blob, trust=trust)

    assert sealed.open_payload(verified, made.cek) == payload
    assert (verified.manifest.seq, verified.manifest.samples) == (seq, samples)
    assert verified.model_hash == made.model_hash


def test_equal_inputs_give_equal_files() -> None:
    """Everything random is an argument, so a release can be made again byte by byte."""
    assert release().blob == release().blob


def test_parts_of_two_releases_do_not_mix() -> None:
    """Manifest, signatures and box belong together: of eight mixtures only the pure ones open."""
    one, two = sealed.parse(GOOD.blob), sealed.parse(release(seq=8).blob)
    opened = [
        (raw is signed is box)
        for raw in (one, two)
        for signed in (one, two)
        for box in (one, two)
        if _code(sealed.join(Container(raw.manifest_raw, signed.signatures, box.box))) == "ok"
    ]

    assert opened == [True, True]


@pytest.mark.parametrize(("beside_s", "code"), [(-1, "ok"), (0, "expired"), (1, "expired")])
def test_expiry_is_the_first_second_that_is_too_late(beside_s: int, code: str) -> None:
    """`now == expires` has expired."""
    assert _code(GOOD.blob, now_s=pub.FACTS.expires_s + beside_s) == code


@pytest.mark.parametrize(("behind_s", "code"), [(DAY_S, "ok"), (DAY_S + 1, "created_in_future")])
def test_clock_may_be_a_day_slow(behind_s: int, code: str) -> None:
    """A release from the future is refused once the difference is more than a slow clock."""
    assert _code(GOOD.blob, now_s=pub.FACTS.created_s - behind_s) == code


@pytest.mark.parametrize("raw_len", [1, 52, 1024**2])
def test_bomb_is_never_inflated(raw_len: int) -> None:
    """64 MiB of zeros announced as less take no more memory than what was announced, twice."""
    cek = pub.secret("cek of a forger")
    bomb = boxed(zlib.compress(bytes(64 * 1024**2), 9), cek)
    verified = _verify(forge({"raw_len": raw_len}, box=bomb).blob)

    tracemalloc.start()
    with pytest.raises(SealRefused) as refused:
        sealed.open_payload(verified, cek)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert refused.value.code is Reject.INFLATE
    assert peak_bytes < 2 * raw_len + 4 * len(bomb)


def test_box_has_room_for_nonce_and_tag() -> None:
    """A file that ends within the shortest possible box has no parts."""
    box_at = len(GOOD.blob) - len(sealed.parse(GOOD.blob).box)
    with pytest.raises(SealRefused) as refused:
        sealed.parse(GOOD.blob[: box_at + BOX_BYTES_MIN - 1])

    assert refused.value.code is Reject.LENGTH
    assert len(sealed.parse(GOOD.blob[: box_at + BOX_BYTES_MIN]).box) == BOX_BYTES_MIN


@pytest.mark.parametrize(
    ("least", "own", "accepted"),
    [("0.9.0", "0.10.0", True), ("0.10.0", "0.9.0", False), ("1.0.0", "1.0.0", True)],
)
def test_client_versions_are_compared_as_numbers(least: str, own: str, *, accepted: bool) -> None:
    """0.10 comes after 0.9."""
    made = release(min_client=least)
    expected = msgspec.structs.replace(_expected(made.blob), client_version=own)
    try:
        sealed.verify(made.blob, expected, TRUST, NOW_S)
    except SealRefused as refused:
        answer = str(refused.code)
    else:
        answer = "ok"

    assert answer == ("ok" if accepted else "client_too_old")


def test_too_large_a_file_is_not_even_hashed() -> None:
    """Above 32 MiB everything refuses, with the same code."""
    blob = bytes(BLOB_BYTES_MAX + 1)
    parts = sealed.parse(GOOD.blob)
    expected = _expected(GOOD.blob)
    attempts = (
        lambda: sealed.verify(blob, expected, TRUST, NOW_S),
        lambda: sealed.parse(blob),
        lambda: sealed.join(Container(parts.manifest_raw, parts.signatures, blob)),
    )
    for attempt in attempts:
        with pytest.raises(SealRefused) as refused:
            attempt()
        assert refused.value.code is Reject.SIZE


@pytest.mark.parametrize(
    "changes",
    [
        {"seq": 0},
        {"model": "AERO"},
        {"samples": -1},
        {"min_client": "latest"},
        {"provenance_sha256": "none"},
        {"provenance": PROVENANCE_NAN},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_sealing_refuses_what_clients_would(changes: dict[str, object]) -> None:
    """A trainer that got its facts wrong notices before anybody downloads."""
    facts = msgspec.structs.replace(pub.FACTS, **changes)
    with pytest.raises(SealRefused) as refused:
        sealed.seal(PAYLOAD, facts, bytes(32), bytes(24), [pub.secret("release 1")])

    assert refused.value.code is Reject.MANIFEST


def test_sealing_refuses_a_payload_above_the_cap() -> None:
    """64 MiB and one byte are refused by the trainer, as they would be by the client."""
    with pytest.raises(SealRefused) as refused:
        release(bytes(64 * 1024**2 + 1))

    assert refused.value.code is Reject.MANIFEST


def test_lifetime_is_refused_when_the_facts_are_written() -> None:
    """A release that lasts for ever, or not at all, cannot even be described."""
    for expires_s in (pub.FACTS.created_s, pub.FACTS.created_s + 367 * DAY_S):
        with pytest.raises(ValueError, match="within 366 days"):
            msgspec.structs.replace(pub.FACTS, expires_s=expires_s)


@pytest.mark.parametrize(
    ("cek_bytes", "nonce_bytes", "signers"),
    [(31, 24, 1), (32, 12, 1), (32, 24, 0), (32, 24, 5)],
)
def test_sealing_takes_the_right_number_of_everything(
    cek_bytes: int, nonce_bytes: int, signers: int
) -> None:
    """Keys, nonces and signers of the wrong number are errors of the program."""
    seeds = [pub.secret(f"release {n}") for n in range(signers)]
    with pytest.raises(ValueError, match=r"bytes|sign"):
        sealed.seal(PAYLOAD, pub.FACTS, bytes(cek_bytes), bytes(nonce_bytes), seeds)


def test_one_key_does_not_sign_twice() -> None:
    """Signing twice with one key would look like two signers to nobody but the signer."""
    seeds = [pub.secret("release 1")] * 2
    with pytest.raises(ValueError, match="distinct"):
        sealed.seal(PAYLOAD, pub.FACTS, bytes(32), bytes(24), seeds)


def test_manifest_has_the_decided_fields() -> None:
    """The names of the format, none more: what is optional is left out."""
    manifest = msgspec.json.decode(sealed.parse(GOOD.blob).manifest_raw)

    required = (
        "format model version epoch seq created expires engine min_client installations samples "
        "cipher ct_len ct_sha256 raw_len raw_sha256"
    )
    assert set(manifest) == set(required.split())
    assert {field.encode_name for field in msgspec.structs.fields(Manifest)} - set(manifest) == {
        "provenance",
        "provenance_sha256",
    }


def test_a_signature_is_looked_for_before_json_is_read() -> None:
    """Bytes that no release key signed never reach the JSON parser."""
    unsigned = sealed.join(
        Container(b"not json at all", (dsse.Signature("0" * 16, bytes(64)),), bytes(40))
    )

    assert _code(unsigned) == "threshold"
