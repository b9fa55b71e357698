"""Decompression: what is taken, and that nothing makes it unfold past its limits."""

from __future__ import annotations

import gzip
import zlib
from typing import TYPE_CHECKING

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from heatpool_contract.refusals import Refusal
from heatpool_contract.telemetry import BODY_BYTES_MAX
from heatpool_ingest.admission import RequestRefusedError
from heatpool_ingest.inflate import ENCODINGS, MEMBERS_MAX, RATIO_MAX, inflated

if TYPE_CHECKING:
    from collections.abc import Callable

TEXT = b'{"temp_flow": 35.5}' * 100


def _raw_deflate(text: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(text) + packer.flush()


def _zstd_stream(text: bytes) -> bytes:
    """A frame without its content's size, as a streaming sender writes it."""
    packer = zstandard.ZstdCompressor().compressobj()
    return packer.compress(text) + packer.flush()


PACKERS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "x-gzip": ("x-gzip", gzip.compress),
    "zlib": ("deflate", zlib.compress),
    "zlib level 1": ("deflate", lambda text: zlib.compress(text, 1)),
    "raw deflate": ("deflate", _raw_deflate),
    "zstd": ("zstd", zstandard.ZstdCompressor().compress),
    "zstd stream": ("zstd", _zstd_stream),
}
packers = pytest.mark.parametrize("name", PACKERS)


@packers
@given(text=st.binary(max_size=4000))
def test_what_was_packed_comes_back(name: str, text: bytes) -> None:
    """Round trip of every encoding we announce."""
    encoding, pack = PACKERS[name]

    assert inflated(pack(text), encoding) == text


@packers
def test_a_truncated_body_is_corrupt(name: str) -> None:
    """A cut connection is no half accepted request."""
    encoding, pack = PACKERS[name]
    packed = pack(TEXT)

    for end in (1, len(packed) // 2, len(packed) - 1):
        assert _refusal(packed[:end], encoding) is Refusal.BODY_CORRUPT


@packers
def test_bytes_after_the_end_are_corrupt(name: str) -> None:
    """Nothing rides behind a body."""
    encoding, pack = PACKERS[name]

    assert _refusal(pack(TEXT) + b"\0more", encoding) is Refusal.BODY_CORRUPT


@packers
def test_a_body_of_17_mib_is_too_large(name: str) -> None:
    """The limit counts decompressed bytes; random text keeps the ratio out of it."""
    encoding, pack = PACKERS[name]
    piece = bytes(range(256)) * 16
    text = b"".join(
        zlib.crc32(number.to_bytes(4, "big")).to_bytes(4, "big") + piece[:100]
        for number in range(17 * 1024 * 1024 // 104)
    )

    assert _refusal(pack(text), encoding) is Refusal.BODY_TOO_LARGE
    assert len(inflated(pack(text[:BODY_BYTES_MAX]), encoding)) == BODY_BYTES_MAX


@packers
def test_a_bomb_is_refused_by_its_ratio(name: str) -> None:
    """A few kilobytes that unfold to a hundred MiB stop at 500 times their size."""
    encoding, pack = PACKERS[name]
    bomb = pack(bytes(100 * 1024 * 1024))
    refusal = _refusal(bomb, encoding)

    expected = {Refusal.BODY_RATIO_TOO_HIGH}
    if len(bomb) * RATIO_MAX > BODY_BYTES_MAX:
        expected = {Refusal.BODY_TOO_LARGE}
    assert {refusal} == expected


def test_members_of_gzip_are_joined_up_to_a_limit() -> None:
    """Concatenated gzip files are one body (RFC 1952); thousands of empty ones are an attack."""
    assert inflated(gzip.compress(b"ab") + gzip.compress(b"cd"), "gzip") == b"abcd"
    assert inflated(gzip.compress(b"a") * MEMBERS_MAX, "gzip") == b"a" * MEMBERS_MAX
    assert _refusal(gzip.compress(b"") * (MEMBERS_MAX + 1), "gzip") is Refusal.BODY_CORRUPT


@pytest.mark.parametrize("encoding", ["br", "gzip, gzip", "compress", "GZIP "])
def test_other_encodings_are_unsupported(encoding: str) -> None:
    """Also stacked ones."""
    assert _refusal(TEXT, encoding) is Refusal.ENCODING_UNSUPPORTED


@given(
    encoding=st.sampled_from(sorted(ENCODINGS)),
    body=st.one_of(
        st.binary(max_size=600),
        st.binary(max_size=60).map(lambda tail: gzip.compress(TEXT)[:12] + tail),
        st.binary(max_size=60).map(lambda tail: zstandard.compress(TEXT)[:9] + tail),
    ),
)
def test_no_bytes_raise_anything_but_a_refusal(encoding: str, body: bytes) -> None:
    """Fuzz of the decoders."""
    try:
        inflated(body, encoding)
    except RequestRefusedError as refused:
        assert refused.refusal in {Refusal.BODY_CORRUPT, Refusal.BODY_RATIO_TOO_HIGH}  # noqa: PT017 - success is fine too


def _refusal(body: bytes, encoding: str) -> Refusal:
    with pytest.raises(RequestRefusedError) as refused:
        inflated(body, encoding)
    return refused.value.refusal
