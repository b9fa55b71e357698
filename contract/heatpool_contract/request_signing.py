"""A request that its installation signed: proof of who asks, for one request and five minutes.

In: a request, the installation's Ed25519 key, time and nonce. Out: headers; and whether headers
match. Guarantee: a signature counts for this method, path, query, body, installation, time and
nonce alone; whether the nonce was seen before is the verifier's to remember.

Signed: DSSE's PAE of `TYPE_REQUEST` and seven lines joined by LF, none of which can hold an LF:
method, path, query (raw pairs, sorted), hex SHA-256 of the body, installation, time, nonce.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from hashlib import sha256
from typing import TYPE_CHECKING, Final

import msgspec

from heatpool_contract.dsse import KEY_BYTES, TYPE_REQUEST, is_signed, public_key_of, sign
from heatpool_contract.identity import InstallationId

if TYPE_CHECKING:
    from collections.abc import Mapping

HEADER_KEY: Final = "hp-key"
"""Base64 of the Ed25519 public key."""
HEADER_TIME: Final = "hp-time"
"""Seconds since 1970."""
HEADER_NONCE: Final = "hp-nonce"
"""16 random bytes in hex."""
HEADER_SIGNATURE: Final = "hp-signature"
"""Base64 of the signature."""
WINDOW_S: Final = 300
NONCE_BYTES: Final = 16


class Request(msgspec.Struct, frozen=True):
    """What is signed, but for time and nonce."""

    method: str
    path: str
    query: str
    """As in the URL, without the question mark."""
    body: bytes
    installation: InstallationId


def signed_headers(request: Request, seed: bytes, time_s: int, nonce: bytes) -> dict[str, str]:
    """The headers that prove the request.

    Args:
        request: as it is sent.
        seed: of the installation's Ed25519 key.
        time_s: now, seconds since 1970.
        nonce: 16 random bytes.
    """
    text = _text(request, str(time_s), nonce.hex())
    return {
        HEADER_KEY: b64encode(public_key_of(seed)).decode(),
        HEADER_TIME: str(time_s),
        HEADER_NONCE: nonce.hex(),
        HEADER_SIGNATURE: b64encode(sign(TYPE_REQUEST, text, seed).sig).decode(),
    }


def signer(request: Request, headers: Mapping[str, str], now_s: float) -> bytes | None:
    """The public key that signed the request within the window; None if none did.

    Args:
        request: as it arrived.
        headers: lower-case names.
        now_s: the verifier's clock.
    """
    stamp, nonce = headers.get(HEADER_TIME, ""), headers.get(HEADER_NONCE, "")
    try:
        key = b64decode(headers.get(HEADER_KEY, ""), validate=True)
        signature = b64decode(headers.get(HEADER_SIGNATURE, ""), validate=True)
        fresh = abs(int(stamp) - now_s) <= WINDOW_S
        whole = len(bytes.fromhex(nonce)) == NONCE_BYTES and nonce.isalnum()
    except (ValueError, binascii.Error):
        return None
    if not fresh or not whole or len(key) != KEY_BYTES or len(signature) != KEY_BYTES * 2:
        return None
    return key if is_signed(TYPE_REQUEST, _text(request, stamp, nonce), signature, key) else None


def _text(request: Request, stamp: str, nonce: str) -> bytes:
    lines = (
        request.method,
        request.path,
        "&".join(sorted(request.query.split("&"))),
        sha256(request.body).hexdigest(),
        request.installation,
        stamp,
        nonce,
    )
    return "\n".join(lines).encode()
