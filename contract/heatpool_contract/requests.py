"""Signed requests: which key asks, for what, and when.

In: the parts of a request and a key (client); headers and the parts as they arrived (hub). Out: the
headers; the key that signed. Guarantee: a signature holds for one method, path, query, body,
installation, time and nonce, and as nothing but a request. Whether the key is that of the
installation, and whether the nonce came before, is not answered here.

Fixed fields and one algorithm: there is nothing to negotiate and nothing to downgrade
(docs/decisions/0401 says why not RFC 9421).
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, b64encode
from hashlib import sha256
from typing import TYPE_CHECKING, Final

import msgspec
from nacl.bindings import crypto_core_ed25519_is_valid_point

from heatpool_contract.dsse import (
    KEY_BYTES,
    SIGNATURE_BYTES,
    TYPE_REQUEST,
    is_signed,
    public_key_of,
    sign,
)
from heatpool_contract.identity import InstallationId
from heatpool_contract.rejects import Reject, SealRefused

if TYPE_CHECKING:
    from collections.abc import Mapping

HEADER_KEY: Final = "hp-key"
HEADER_TIME: Final = "hp-time"
HEADER_NONCE: Final = "hp-nonce"
HEADER_SIGNATURE: Final = "hp-signature"
HEADERS: Final = (HEADER_KEY, HEADER_TIME, HEADER_NONCE, HEADER_SIGNATURE)
NONCE_BYTES: Final = 16
WINDOW_S: Final = 300
"""A logger's clock may be off by so much; also how long a nonce must be remembered, twice."""
_TIME: Final = re.compile("[0-9]{1,12}")  # also far beyond any clock; `int` of thousands is slow
_NONCE: Final = re.compile("[0-9a-f]{32}")


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What a signature is for, as it stands on the wire."""

    method: str
    path: str
    """From `/api/` on, as sent: prefixes are a proxy's business."""
    query: bytes = b""
    """As sent; the order of its members does not count."""
    body: bytes = b""
    installation: InstallationId
    """Named by path or query; signed once more, so that both sides mean the same one."""


class Signer(msgspec.Struct, frozen=True):
    """Public key, and what makes this very request unique."""

    ed25519: bytes
    time_s: int
    nonce: str


def sign_request(asked: Asked, ed25519_seed: bytes, time_s: int, nonce: bytes) -> dict[str, str]:
    """The headers that sign a request. `nonce` are 16 bytes never used before."""
    if len(nonce) != NONCE_BYTES:
        raise ValueError("a nonce has 16 bytes")
    signer = Signer(public_key_of(ed25519_seed), time_s, nonce.hex())
    signature = sign(TYPE_REQUEST, _body(asked, signer), ed25519_seed).sig
    return {
        HEADER_KEY: b64encode(signer.ed25519).decode(),
        HEADER_TIME: str(time_s),
        HEADER_NONCE: signer.nonce,
        HEADER_SIGNATURE: b64encode(signature).decode(),
    }


def is_request_signed(headers: Mapping[str, str]) -> bool:
    """Whether a request claims a signature; one header of the four is claim enough."""
    return any(name in headers for name in HEADERS)


def verify_request(headers: Mapping[str, str], asked: Asked, now_s: float) -> Signer:
    """Who signed this request.

    Args:
        headers: names in lower case.
        asked: the request as it arrived.
        now_s: the hub's clock.

    Raises:
        SealRefused: `request_malformed`, `request_time`, `key_weak`, `request_signature`.
    """
    key = _decoded(headers.get(HEADER_KEY, ""), KEY_BYTES, HEADER_KEY)
    signature = _decoded(headers.get(HEADER_SIGNATURE, ""), SIGNATURE_BYTES, HEADER_SIGNATURE)
    time, nonce = headers.get(HEADER_TIME, ""), headers.get(HEADER_NONCE, "")
    if not _TIME.fullmatch(time) or not _NONCE.fullmatch(nonce):
        raise SealRefused(Reject.REQUEST_MALFORMED, f"{HEADER_TIME} or {HEADER_NONCE}")
    signer = Signer(key, int(time), nonce)
    if abs(now_s - signer.time_s) > WINDOW_S:
        raise SealRefused(Reject.REQUEST_TIME, f"signed at {time}, now {int(now_s)}")
    if not crypto_core_ed25519_is_valid_point(key):
        raise SealRefused(Reject.KEY_WEAK, "ed25519")
    if not is_signed(TYPE_REQUEST, _body(asked, signer), signature, key):
        raise SealRefused(Reject.REQUEST_SIGNATURE)
    return signer


def _body(asked: Asked, signer: Signer) -> bytes:
    """Each part with its length before it, so that no two requests have the same bytes."""
    parts = (
        asked.method.encode(),
        asked.path.encode(),
        b"&".join(sorted(asked.query.split(b"&"))),
        sha256(asked.body).digest(),
        asked.installation.encode(),
        str(signer.time_s).encode(),
        signer.nonce.encode(),
    )
    return b"".join(len(part).to_bytes(4, "little") + part for part in parts)


def _decoded(text: str, size: int, name: str) -> bytes:
    try:
        raw = b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise SealRefused(Reject.REQUEST_MALFORMED, name) from error
    if len(raw) != size:
        raise SealRefused(Reject.REQUEST_MALFORMED, f"{name} of {len(raw)} bytes")
    return raw
