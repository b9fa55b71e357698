"""Compressed request body -> bytes, bounded.

In: the bytes of a body and its Content-Encoding. Out: the decompressed bytes. Guarantee: never
more than `BODY_BYTES_MAX` in memory, whatever the body pretends to be; truncated bodies and bytes
after the end are corrupt, not half accepted.
"""

from __future__ import annotations

import zlib
from typing import Final

import zstandard

from heatpool_contract.refusals import Refusal
from heatpool_contract.telemetry import BODY_BYTES_MAX
from heatpool_ingest.admission import RequestRefusedError

ENCODINGS: Final = frozenset({"", "identity", "gzip", "x-gzip", "deflate", "zstd"})
_GZIP: Final = 31  # zlib's window bits: 16 adds the gzip wrapper
_ZLIB: Final = 15
_RAW: Final = -15
_ZLIB_HEADER: Final = 0x78  # "deflate" is zlib (RFC 9110); some senders mean raw deflate
_ZSTD_WINDOW_BYTES_MAX: Final = 16 * 1024 * 1024  # as large as a body may be
_ZSTD_SLICE_BYTES: Final = 512  # 128 blocks of 4 bytes that unfold to 128 KiB each: 16 MiB


def inflated(body: bytes, encoding: str) -> bytes:
    """Decompress.

    Raises:
        RequestRefusedError: encoding_unsupported, body_corrupt or body_too_large.
    """
    if encoding not in ENCODINGS:
        raise RequestRefusedError(Refusal.ENCODING_UNSUPPORTED)
    if encoding in ("", "identity"):
        return body
    try:
        if encoding == "zstd":
            return _zstd(body)
        if encoding == "deflate":
            return _zlib(body, _ZLIB if body[:1] == bytes([_ZLIB_HEADER]) else _RAW)
        return _zlib(body, _GZIP)
    except (zlib.error, zstandard.ZstdError) as error:
        raise RequestRefusedError(Refusal.BODY_CORRUPT) from error


def _zlib(body: bytes, window_bits: int) -> bytes:
    """One or, as gzip allows, several members one after the other."""
    parts: list[bytes] = []
    room = BODY_BYTES_MAX
    while True:
        member = zlib.decompressobj(window_bits)
        part = member.decompress(body, room + 1)
        room -= len(part)
        if room < 0:
            raise RequestRefusedError(Refusal.BODY_TOO_LARGE, limit=BODY_BYTES_MAX)
        if not member.eof:
            raise RequestRefusedError(Refusal.BODY_CORRUPT)
        parts.append(part)
        body = member.unused_data
        if not body:
            return b"".join(parts)
        if window_bits != _GZIP:
            raise RequestRefusedError(Refusal.BODY_CORRUPT)


def _zstd(body: bytes) -> bytes:
    """One frame, fed in slices so small that none can unfold past the limit unnoticed."""
    frame = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES_MAX).decompressobj()
    parts: list[bytes] = []
    room = BODY_BYTES_MAX
    for start in range(0, len(body), _ZSTD_SLICE_BYTES):
        if frame.eof:
            raise RequestRefusedError(Refusal.BODY_CORRUPT)
        parts.append(frame.decompress(body[start : start + _ZSTD_SLICE_BYTES]))
        room -= len(parts[-1])
        if room < 0:
            raise RequestRefusedError(Refusal.BODY_TOO_LARGE, limit=BODY_BYTES_MAX)
    if not frame.eof or frame.unused_data:
        raise RequestRefusedError(Refusal.BODY_CORRUPT)
    return b"".join(parts)
