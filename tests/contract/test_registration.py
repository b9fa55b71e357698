"""Registrations: a key is yours if it signed, and an id may be the key itself."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulators import publisher as pub
from simulators.publisher import HOME, OTHER_HOME

from heatpool_contract import dsse, grants
from heatpool_contract.grants import (
    RegistrationRequest,
    read_registration,
    self_id,
    sign_registration,
)
from heatpool_contract.identity import InstallationId, installation_id
from heatpool_contract.rejects import Reject, SealRefused

FIELD = 2**255 - 19
SMALL_ORDER_ED25519 = {
    "identity": b"\x01" + bytes(31),
    "zero": bytes(32),
    "order 2": (FIELD - 1).to_bytes(32, "little"),
    "order 8": bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
    "not canonical": (FIELD + 1).to_bytes(32, "little"),
    "no point": b"\x02" + bytes(31),
}


@pytest.mark.parametrize("key", SMALL_ORDER_ED25519.values(), ids=SMALL_ORDER_ED25519)
def test_weak_signing_keys_are_refused(key: bytes) -> None:
    """Keys for which anybody can make a signature are no keys."""
    with pytest.raises(SealRefused) as refused:
        grants.check_keys(key, pub.box_public("home"))

    assert refused.value.code is Reject.KEY_WEAK


@given(st.binary(min_size=32, max_size=32))
def test_self_certifying_id_is_a_uuid_of_version_8(key: bytes) -> None:
    """Every public key has an id that the pool takes, and always the same."""
    own = self_id(key)

    assert installation_id(own) == own == self_id(key)
    assert own[14] == "8"


def test_two_keys_have_two_ids() -> None:
    """The id depends on the key."""
    assert self_id(pub.signing_public("home")) != self_id(pub.signing_public("other home"))


OWN_ID = self_id(pub.signing_public("home"))


def _request(home: InstallationId = HOME, **changes: object) -> bytes:
    request = sign_registration(home, pub.secret("home"), pub.box_public("home"))
    return msgspec.json.encode(msgspec.structs.replace(request, **changes))


def _registration_code(body: bytes, home: InstallationId = HOME) -> str:
    try:
        read_registration(body, home)
    except SealRefused as refused:
        return refused.code
    return "ok"


@pytest.mark.parametrize("home", [HOME, OWN_ID], ids=["version 4", "version 8"])
def test_registration_gives_both_keys(home: InstallationId) -> None:
    """Ids of old loggers and self-certifying ones are registered in the same way."""
    request = read_registration(_request(home), home)

    assert (request.ed25519, request.x25519) == (pub.signing_public("home"), pub.box_public("home"))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"x25519": pub.box_public("other home")}, "key_proof"),
        ({"ed25519": pub.signing_public("other home")}, "key_proof"),
        ({"signature": bytes(64)}, "key_proof"),
        ({"signature": bytes(63)}, "key_malformed"),
        ({"ed25519": bytes(31)}, "key_malformed"),
        ({"x25519": bytes(33)}, "key_malformed"),
        ({"ed25519": SMALL_ORDER_ED25519["order 8"]}, "key_weak"),
        ({"x25519": bytes(32)}, "key_weak"),
        ({"installation_id": OTHER_HOME}, "key_other_id"),
        ({"installation_id": HOME.upper()}, "key_other_id"),
        ({"installation_id": HOME + "\n"}, "key_other_id"),
    ],
)
def test_registration_is_proof_of_possession(changes: dict[str, object], code: str) -> None:
    """Nothing in a request can be exchanged for something that its key did not sign."""
    assert _registration_code(_request(**changes)) == code  # type: ignore[arg-type]  # no key is `home`


def test_registration_for_another_path_is_refused() -> None:
    """A request for one id does not register another."""
    assert _registration_code(_request(), OTHER_HOME) == "key_other_id"


def test_self_certifying_id_takes_no_other_key() -> None:
    """An id of version 8 belongs to its key, before any registry is asked."""
    request = sign_registration(OWN_ID, pub.secret("other home"), pub.box_public("home"))

    assert _registration_code(msgspec.json.encode(request), OWN_ID) == "key_other_id"


def test_signature_for_another_purpose_registers_nothing() -> None:
    """The same bytes signed as a request are no registration."""
    body = HOME.encode() + pub.signing_public("home") + pub.box_public("home")
    signature = dsse.sign(dsse.TYPE_REQUEST, body, pub.secret("home")).sig

    assert _registration_code(_request(signature=signature)) == "key_proof"


@given(st.binary(max_size=1200))
def test_any_bytes_register_nothing(body: bytes) -> None:
    """Arbitrary bytes are refused by code, and no other exception either."""
    assert _registration_code(body) == "key_malformed"


def test_long_request_is_refused_unread() -> None:
    """White space around a good request does not buy parsing time."""
    assert _registration_code(_request() + b" " * 1024) == "key_malformed"


def test_request_survives_json() -> None:
    """What is sent is what was signed."""
    request = sign_registration(HOME, pub.secret("home"), pub.box_public("home"))

    assert msgspec.json.decode(msgspec.json.encode(request), type=RegistrationRequest) == request
