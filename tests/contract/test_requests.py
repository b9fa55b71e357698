"""Signed requests: one signature is good for one request, made now, and for nothing else."""

from __future__ import annotations

from base64 import b64encode

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulators import publisher as pub

from heatpool_contract import dsse, requests
from heatpool_contract.rejects import Reject, SealRefused
from heatpool_contract.requests import Asked, sign_request, verify_request

NONCE = bytes(range(16))
ASKED = Asked(
    method="GET",
    path="/api/v1/model/check",
    query=b"installation_id=x&model=AERO%20SLM",
    body=b"",
    installation=pub.HOME,
)


def headers(asked: Asked = ASKED, time_s: int = pub.NOW_S) -> dict[str, str]:
    """What the home sends."""
    return sign_request(asked, pub.secret("home"), time_s, NONCE)


def refusal(sent: dict[str, str], asked: Asked = ASKED, now_s: float = pub.NOW_S) -> Reject:
    """Code of the refusal."""
    with pytest.raises(SealRefused) as refused:
        verify_request(sent, asked, now_s)
    return refused.value.code


def test_signature_names_the_key_that_made_it() -> None:
    """Key, time and nonce come back."""
    signer = verify_request(headers(), ASKED, pub.NOW_S)

    assert signer == requests.Signer(pub.signing_public("home"), pub.NOW_S, NONCE.hex())


def test_order_of_the_query_does_not_count() -> None:
    """A proxy may sort it; it may not change it."""
    turned = msgspec.structs.replace(ASKED, query=b"model=AERO%20SLM&installation_id=x")

    assert verify_request(headers(), turned, pub.NOW_S)


@pytest.mark.parametrize(
    "change",
    [
        {"method": "DELETE"},
        {"path": "/api/v1/model/download"},
        {"query": b"installation_id=y&model=AERO%20SLM"},
        {"query": b""},
        {"body": b"{}"},
        {"installation": pub.OTHER_HOME},
    ],
)
def test_signature_is_for_one_request(change: dict[str, object]) -> None:
    """Any other method, path, query, body or installation is refused."""
    assert refusal(headers(), msgspec.structs.replace(ASKED, **change)) is Reject.REQUEST_SIGNATURE


@pytest.mark.parametrize("off_s", [-301, 301, -86_400, 10**9])
def test_signature_is_for_ten_minutes(off_s: int) -> None:
    """Five minutes to either side are taken, one second more is not."""
    assert verify_request(headers(), ASKED, pub.NOW_S - 300)
    assert verify_request(headers(), ASKED, pub.NOW_S + 300)
    assert refusal(headers(), now_s=pub.NOW_S + off_s) is Reject.REQUEST_TIME


@pytest.mark.parametrize("name", requests.HEADERS)
@pytest.mark.parametrize("value", [None, "", "x", "é", "0" * 5000, "A" * 43 + "=", "-1"])
def test_half_a_signature_is_none(name: str, value: str | None) -> None:
    """A header that is missing or is no such thing is refused, never an exception."""
    sent = {key: text for key, text in headers().items() if key != name}
    if value is not None:
        sent[name] = value

    assert refusal(sent) in {Reject.REQUEST_MALFORMED, Reject.REQUEST_SIGNATURE, Reject.KEY_WEAK}


def test_key_of_small_order_signs_nothing() -> None:
    """Anybody can sign for it."""
    sent = headers() | {requests.HEADER_KEY: "AQ" + "A" * 41 + "="}

    assert refusal(sent) is Reject.KEY_WEAK


def test_signature_of_another_payload_type_is_none() -> None:
    """The same bytes signed as something else do not count."""
    signer = requests.Signer(pub.signing_public("home"), pub.NOW_S, NONCE.hex())
    body = requests._body(ASKED, signer)
    for kind in (dsse.TYPE_REGISTRATION, dsse.TYPE_MODEL_FRESH, dsse.TYPE_TRUST):
        sig = dsse.sign(kind, body, pub.secret("home")).sig
        sent = headers() | {requests.HEADER_SIGNATURE: b64encode(sig).decode()}

        assert refusal(sent) is Reject.REQUEST_SIGNATURE


@given(
    st.lists(st.binary(max_size=6), min_size=2, max_size=2),
    st.lists(st.binary(max_size=6), min_size=2, max_size=2),
)
def test_no_two_requests_have_the_same_bytes(one: list[bytes], other: list[bytes]) -> None:
    """Moving a byte from one part to the next changes what is signed."""
    signer = requests.Signer(bytes(32), 0, "")
    left, right = (
        requests._body(
            msgspec.structs.replace(ASKED, path=part[0].decode("latin-1"), query=part[1]), signer
        )
        for part in (one, other)
    )
    same = (one[0], sorted(one[1].split(b"&"))) == (other[0], sorted(other[1].split(b"&")))

    assert (left == right) is same
