"""PURE: a receipt is a signed name of stream sequences, nothing is remembered for it.

In: where a submission was stored, a key. Out: a token of 44 characters; and back. Guarantee: only
the pool's edges can make one; it holds no time, home or address, and the same submission has the
same receipt however often it is sent. MAC: keyed BLAKE2b-128 (RFC 7693).
"""

from __future__ import annotations

import base64
import binascii
import hmac
import struct
from hashlib import blake2b
from typing import Final

import msgspec

_BODY: Final = struct.Struct(">BQII")  # version, first sequence, messages, records
_VERSION: Final = 1
_MAC_BYTES: Final = 16
_PERSON: Final = b"heatpool-receipt"  # the same key may sign other things some day
CHARS: Final = 44
"""33 bytes in base64."""


class ReceiptInvalidError(Exception):
    """Not made by this pool, or cut off."""


class Receipt(msgspec.Struct, frozen=True):
    """What a receipt names."""

    seq_first: int
    messages: int
    records: int

    @property
    def seq_last(self) -> int:
        """Of its messages."""
        return self.seq_first + self.messages - 1


def sign(receipt: Receipt, key: bytes) -> str:
    """The token of a receipt."""
    body = _BODY.pack(_VERSION, receipt.seq_first, receipt.messages, receipt.records)
    return base64.urlsafe_b64encode(body + _mac(body, key)).decode()


def read(token: str, key: bytes) -> Receipt:
    """The receipt of a token.

    Raises:
        ReceiptInvalidError: it is none of ours.
    """
    if len(token) != CHARS or not token.isascii():
        raise ReceiptInvalidError
    try:
        raw = base64.b64decode(token, altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ReceiptInvalidError from error
    body, mac = raw[: _BODY.size], raw[_BODY.size :]
    if not hmac.compare_digest(mac, _mac(body, key)):
        raise ReceiptInvalidError
    version, first, messages, records = _BODY.unpack(body)
    if version != _VERSION:
        raise ReceiptInvalidError
    return Receipt(first, messages, records)


def _mac(body: bytes, key: bytes) -> bytes:
    return blake2b(body, digest_size=_MAC_BYTES, key=key, person=_PERSON).digest()
