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
RATIO_MAX: Final = 500
"""A year of standby, every value the same, compresses 100 to 1 (gzip) or 300 to 1 (zstd)."""
RATIO_BYTES_MIN: Final = 1024 * 1024  # below, even the worst ratio costs nobody anything
MEMBERS_MAX: Final = 16  # a body of empty gzip members would be copied once for each of them
_GZIP: Final = 31  # zlib's window bits: 16 adds the gzip wrapper
_ZLIB: Final = 15
_RAW: Final = -15
_ZLIB_METHOD: Final = 8  # low half of the first byte of zlib's header (RFC 1950)
_ZLIB_CHECK: Final = 31  # the first two bytes are a multiple of it
_ZSTD_WINDOW_BYTES_MAX: Final = 16 * 1024 * 1024  # as large as a body may be
_ZSTD_SLICE_BYTES: Final = 512  # 128 blocks of 4 bytes that unfold to 128 KiB each: 16 MiB


def inflated(body: bytes, encoding: str, bytes_max: int = BODY_BYTES_MAX) -> bytes:
    """Decompress, to at most `bytes_max` bytes.

    Raises:
        RequestRefusedError: encoding_unsupported, body_corrupt, body_too_large or
            body_ratio_too_high.
    """
    if encoding not in ENCODINGS:
        raise RequestRefusedError(Refusal.ENCODING_UNSUPPORTED)
    if encoding in ("", "identity"):
        return body
    room = _Room(len(body), bytes_max)
    try:
        if encoding == "zstd":
            return _zstd(body, room)
        if encoding == "deflate":
            return _zlib(body, _ZLIB if _has_zlib_header(body) else _RAW, room)
        return _zlib(body, _GZIP, room)
    except (zlib.error, zstandard.ZstdError) as error:
        raise RequestRefusedError(Refusal.BODY_CORRUPT) from error


class _Room:
    """What a body may still unfold to."""

    def __init__(self, body_bytes: int, bytes_max: int) -> None:
        by_ratio = max(RATIO_BYTES_MIN, body_bytes * RATIO_MAX)
        self._refusal = (
            Refusal.BODY_TOO_LARGE if bytes_max <= by_ratio else Refusal.BODY_RATIO_TOO_HIGH
        )
        self._limit = bytes_max if bytes_max <= by_ratio else RATIO_MAX
        self.left = min(bytes_max, by_ratio)

    def take(self, size: int) -> None:
        self.left -= size
        if self.left < 0:
            raise RequestRefusedError(self._refusal, limit=self._limit)


def _has_zlib_header(body: bytes) -> bool:
    """Whether "deflate" is zlib's format (RFC 9110): some senders mean the raw stream."""
    head = int.from_bytes(body[:2], "big")
    return (head >> 8) & 15 == _ZLIB_METHOD and head % _ZLIB_CHECK == 0


def _zlib(body: bytes, window_bits: int, room: _Room) -> bytes:
    """One or, as gzip allows, several members one after the other."""
    parts: list[bytes] = []
    for _member in range(MEMBERS_MAX if window_bits == _GZIP else 1):
        member = zlib.decompressobj(window_bits)
        parts.append(member.decompress(body, room.left + 1))
        room.take(len(parts[-1]))
        if not member.eof:
            raise RequestRefusedError(Refusal.BODY_CORRUPT)
        body = member.unused_data
        if not body:
            return b"".join(parts)
    raise RequestRefusedError(Refusal.BODY_CORRUPT)


def _zstd(body: bytes, room: _Room) -> bytes:
    """One frame, fed in slices so small that none can unfold past the limit unnoticed."""
    frame = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES_MAX).decompressobj()
    parts: list[bytes] = []
    for start in range(0, len(body), _ZSTD_SLICE_BYTES):
        if frame.eof:
            raise RequestRefusedError(Refusal.BODY_CORRUPT)
        parts.append(frame.decompress(body[start : start + _ZSTD_SLICE_BYTES]))
        room.take(len(parts[-1]))
    if not frame.eof or frame.unused_data:
        raise RequestRefusedError(Refusal.BODY_CORRUPT)
    return b"".join(parts)
