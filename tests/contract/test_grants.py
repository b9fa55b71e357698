"""Grants and registrations: keys that everybody could use, and keys that are not yours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulators import publisher as pub
from simulators.publisher import HOME, NOW_S, OTHER_HOME, release

from heatpool_contract import grants, sealed
from heatpool_contract.grants import (
    GRANT_BYTES,
    GRANT_LIFETIME_S,
    make_grant,
    open_content_key,
    open_grant,
    seal_content_key,
)
from heatpool_contract.rejects import Reject, SealRefused

if TYPE_CHECKING:
    from heatpool_contract.identity import InstallationId

UNTIL_S = NOW_S + GRANT_LIFETIME_S
ORDER_8 = bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800")
FIELD = 2**255 - 19
LOW_ORDER_X25519 = {
    "zero": bytes(32),
    "one": b"\x01" + bytes(31),
    "order 8": ORDER_8,
    "p - 1": (FIELD - 1).to_bytes(32, "little"),
    "p": FIELD.to_bytes(32, "little"),
    "p + 1": (FIELD + 1).to_bytes(32, "little"),
}


def _grant_code(
    grant: bytes,
    *,
    home: InstallationId = HOME,
    key: str = "home",
    model_hash: str | None = None,
    now_s: int = NOW_S,
) -> str:
    try:
        open_grant(grant, pub.secret(key), model_hash or release().model_hash, home, now_s)
    except SealRefused as refused:
        return refused.code
    return "ok"


@given(cek=st.binary(min_size=32, max_size=32), until_s=st.integers(NOW_S + 1, 2**64 - 1))
def test_grant_opens_for_whom_it_was_made(cek: bytes, until_s: int) -> None:
    """The content key comes back, from exactly 140 bytes."""
    grant = make_grant(pub.box_public("home"), cek, release().model_hash, HOME, until_s)

    assert len(grant) == GRANT_BYTES
    assert open_grant(grant, pub.secret("home"), release().model_hash, HOME, NOW_S) == cek


def test_library_and_simulator_make_the_same_layout() -> None:
    """The grants of the vectors, sealed with a fixed ephemeral key, open like real ones."""
    good = release()

    assert open_grant(good.grant(), pub.secret("home"), good.model_hash, HOME, NOW_S) == good.cek


def test_two_grants_have_nothing_in_common() -> None:
    """Each is sealed with an ephemeral key of its own, so that nobody can tell them apart."""
    one, two = (
        make_grant(pub.box_public("home"), bytes(32), "0" * 64, HOME, UNTIL_S) for _ in "ab"
    )

    assert one[:32] != two[:32]


def test_fleet_key_opens_fleet_grants() -> None:
    """The fallback for homes without a key: the same grant, a key that every client has."""
    good = release()
    grant = make_grant(pub.box_public("fleet"), good.cek, good.model_hash, HOME, UNTIL_S)

    assert _grant_code(grant, key="fleet") == "ok"
    assert _grant_code(grant, key="home") == "grant_sealed"


def test_grants_and_releases_do_not_mix() -> None:
    """Of all pairs of two releases' grants and files only the two right ones open."""
    pair = (release(), release(seq=8))
    codes = {
        (file is other, _grant_code(other.grant(), model_hash=file.model_hash))
        for file in pair
        for other in pair
    }

    assert codes == {(True, "ok"), (False, "grant_other_release")}


def test_every_byte_of_a_grant_counts() -> None:
    """Any change makes it unreadable."""
    grant = release().grant()
    changed = {
        _grant_code(grant[:at] + bytes([grant[at] ^ 1]) + grant[at + 1 :]) for at in range(140)
    }

    assert changed == {"grant_sealed"}


@given(st.binary(max_size=300))
def test_any_bytes_are_no_grant(raw: bytes) -> None:
    """Arbitrary bytes are refused, by their length before anything is decrypted."""
    assert _grant_code(raw) == ("grant_sealed" if len(raw) == GRANT_BYTES else "grant_length")


def test_grant_names_one_home() -> None:
    """A grant for another id does not open, though the key fits."""
    assert _grant_code(release().grant(), home=OTHER_HOME) == "grant_other_installation"


@pytest.mark.parametrize(("beside_s", "code"), [(-1, "ok"), (0, "grant_expired")])
def test_grant_ends(beside_s: int, code: str) -> None:
    """At the very second of its end a grant has ended."""
    assert _grant_code(release().grant(until_s=UNTIL_S), now_s=UNTIL_S + beside_s) == code


def test_forged_grant_yields_no_model() -> None:
    """Anybody can seal a key of his own to a home; the release does not open with it."""
    good = release()
    forged = make_grant(pub.box_public("home"), bytes(32), good.model_hash, HOME, UNTIL_S)
    expected = sealed.Expected(
        model_hash=good.model_hash,
        model=pub.MODEL,
        engine=pub.ENGINE,
        client_version=pub.CLIENT_VERSION,
    )
    verified = sealed.verify(good.blob, expected, pub.TRUST, NOW_S)
    with pytest.raises(SealRefused) as refused:
        sealed.open_payload(
            verified, open_grant(forged, pub.secret("home"), good.model_hash, HOME, NOW_S)
        )

    assert refused.value.code is Reject.AEAD


@pytest.mark.parametrize("key", LOW_ORDER_X25519.values(), ids=LOW_ORDER_X25519)
def test_nothing_is_sealed_to_a_key_of_low_order(key: bytes) -> None:
    """Libsodium refuses such keys with an error of its own; it must not become a 500."""
    for attempt in (
        lambda: make_grant(key, bytes(32), "0" * 64, HOME, UNTIL_S),
        lambda: seal_content_key(key, bytes(32), "0" * 64),
        lambda: grants.check_keys(pub.signing_public("home"), key),
    ):
        with pytest.raises(SealRefused) as refused:
            attempt()
        assert refused.value.code is Reject.KEY_WEAK


@pytest.mark.parametrize("length", [0, 31, 33])
def test_content_keys_have_32_bytes(length: int) -> None:
    """Another length is an error of the program."""
    with pytest.raises(ValueError, match="32 bytes"):
        make_grant(pub.box_public("home"), bytes(length), "0" * 64, HOME, UNTIL_S)
    with pytest.raises(ValueError, match="32 bytes"):
        seal_content_key(pub.box_public("hub"), bytes(length), "0" * 64)


def test_content_key_travels_to_the_hub() -> None:
    """What the trainer seals, the hub opens, for the release it was sealed for."""
    good = release()
    box = seal_content_key(pub.box_public("hub"), good.cek, good.model_hash)

    assert len(box) == grants.CONTENT_KEY_SEALED_BYTES
    assert open_content_key(box, pub.secret("hub"), good.model_hash) == good.cek


def test_content_key_is_bound_to_its_release_and_hub() -> None:
    """A key under another name, for another hub, of another length or kind is refused."""
    good = release()
    box = seal_content_key(pub.box_public("hub"), good.cek, good.model_hash)
    other_kind = pub.grant(b"HPG1", bytes(64), to="hub")
    for raw, key, name, code in (
        (box, "hub", "0" * 64, Reject.GRANT_OTHER_RELEASE),
        (box, "home", good.model_hash, Reject.GRANT_SEALED),
        (box[:-1], "hub", good.model_hash, Reject.GRANT_LENGTH),
        (other_kind, "hub", good.model_hash, Reject.GRANT_MAGIC),
    ):
        with pytest.raises(SealRefused) as refused:
            open_content_key(raw, pub.secret(key), name)
        assert refused.value.code is code
