"""What is on the bus: one `Chunk` a message, dense columns, readable as JSON.

In: columns of one installation. Out: the bytes of a NATS message, at most `CHUNK_BYTES_MAX`.
Guarantee: every column of a frame is complete and finite; `fold_lines` (the writer) never has to
parse a number, it copies the bytes of a column into an import line.
"""

from __future__ import annotations

from typing import Final

import msgspec

CHUNK_BYTES_MAX: Final = 480 * 1024
"""Payload of a message. With headers it stays below 512 KiB, and far below NATS' 1 MiB, past which
the server would cut the connection for all (nats-py counts the payload alone)."""

SCHEMA: Final = 1


class Frame(msgspec.Struct, frozen=True):
    """Records of one installation that have the same fields, column by column."""

    timestamps_ms: list[int]
    columns: dict[str, list[float]]
    """Field name -> values, one for each timestamp."""


class Chunk(msgspec.Struct, frozen=True, kw_only=True):
    """One message: some frames of one request."""

    schema: int = SCHEMA
    installation: str
    model: str
    version: str
    received_ms: int
    frames: list[msgspec.Raw]
    """Each an encoded `Frame`: encoded once, measured, hashed and copied."""


class RawFrame(msgspec.Struct, frozen=True):
    """A `Frame` whose columns stay bytes."""

    timestamps_ms: list[int]
    columns: dict[str, msgspec.Raw]

    @property
    def samples(self) -> int:
        """Values in the frame."""
        return len(self.timestamps_ms) * len(self.columns)


class RawChunk(msgspec.Struct, frozen=True, kw_only=True):
    """A `Chunk` as the writer reads it."""

    schema: int
    installation: str
    model: str
    version: str
    received_ms: int
    frames: list[RawFrame]

    @property
    def samples(self) -> int:
        """Values in the chunk."""
        return sum(frame.samples for frame in self.frames)


class MalformedChunkError(Exception):
    """A message on the telemetry stream that is no chunk of a schema we know."""


_encoder = msgspec.json.Encoder()
_raw_decoder = msgspec.json.Decoder(RawChunk)


def encode(chunk: Chunk) -> bytes:
    """A chunk to the payload of a message."""
    return _encoder.encode(chunk)


def encode_frame(frame: Frame) -> bytes:
    """A frame alone: it is measured, and the message id derives from it."""
    return _encoder.encode(frame)


def decode_raw(payload: bytes) -> RawChunk:
    """The payload of a message to a chunk whose columns stay bytes.

    Raises:
        MalformedChunkError: not JSON, not a chunk, or of an unknown schema.
    """
    try:
        chunk = _raw_decoder.decode(payload)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise MalformedChunkError("not a chunk") from error
    if chunk.schema != SCHEMA:
        raise MalformedChunkError("unknown schema")
    return chunk
