"""A logger's submission: its wire form and its limits.

In: the decompressed body of `POST /api/v1/submit`, or a client's records. Out: a `Submission`, or
the reason why it is none. Guarantee: the shape is checked here, once; what the values may be is
admission's business (`heatpool_ingest.admission`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

Scalar = float | int | bool | str | None
Value = Scalar | list[object] | dict[str, object]
"""What JSON may hold in a field. Only numbers and booleans are kept; the rest is counted."""

Record = dict[str, Value]
"""`{"timestamp": seconds, "<field>": value, ...}`: loggers choose their fields, hence a dict."""

FIELDS_PER_RECORD_MAX: Final = 128
FIELDS_PER_REQUEST_MAX: Final = 512  # distinct names; a crafted request could invent 2.5 million
RECORDS_PER_REQUEST_MAX: Final = 20_000  # two weeks of minutes
BODY_BYTES_MAX: Final = 16 * 1024 * 1024  # decompressed
RECORD_BYTES_MAX: Final = 64 * 1024  # 128 fields at their longest are 12 KiB; the rest is text
SLICE_BYTES_MAX: Final = 512 * 1024
"""Records are decoded in slices: as Python objects, JSON takes up to 20 times its size."""
FUTURE_S_MAX: Final = 300.0
RETENTION_DAYS: Final = 334  # VictoriaMetrics keeps whole months: this is 12 months on disk
VALUE_ABS_MAX: Final = 1e300  # beyond it sums overflow to infinity
TIMESTAMP_FIELD: Final = "timestamp"
FIELD_CHARS_MAX: Final = 64
FIELD_NAME: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]{0,63}")


class Submission(msgspec.Struct, frozen=True):
    """One request of a logger, as sent. Unknown members are ignored (older and newer loggers)."""

    installation_id: str
    heatpump_model: str
    version: str
    data: list[Record]
    sent_at: float | None = None
    """The logger's clock when it sent, in seconds: lets the edge measure its skew."""


class Envelope(msgspec.Struct, frozen=True):
    """A `Submission` whose records are still bytes."""

    installation_id: str
    heatpump_model: str
    version: str
    data: list[msgspec.Raw]
    sent_at: float | None = None


class MalformedSubmissionError(Exception):
    """The body is no submission."""


class UnreadableSubmissionError(MalformedSubmissionError):
    """The body is not JSON, or nested beyond any sense."""


class MisshapenSubmissionError(MalformedSubmissionError):
    """The body is JSON, but a member is missing or of the wrong type. The text names it."""


_decoder = msgspec.json.Decoder(Submission)
_envelope_decoder = msgspec.json.Decoder(Envelope)
_record_decoder = msgspec.json.Decoder(Record)
_slice_decoder = msgspec.json.Decoder(list[Record | None])
_encoder = msgspec.json.Encoder()


def decode(body: bytes) -> Submission:
    """Bytes of a request to a `Submission`.

    Raises:
        UnreadableSubmissionError: not JSON (also NaN, Infinity, 1e999, deep nesting).
        MisshapenSubmissionError: a member is missing or has the wrong type.
    """
    try:
        return _decoder.decode(body)
    except msgspec.ValidationError as error:
        raise MisshapenSubmissionError(str(error)) from error
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise UnreadableSubmissionError("not valid JSON") from error


def open_envelope(body: bytes) -> Envelope:
    """Bytes of a request to its envelope; `slices` reads the records. Raises as `decode`."""
    try:
        return _envelope_decoder.decode(body)
    except msgspec.ValidationError as error:
        raise MisshapenSubmissionError(str(error)) from error
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise UnreadableSubmissionError("not valid JSON") from error


def slices(envelope: Envelope) -> Iterator[list[Record | None]]:
    """The records in order, some at a time; None stands for one of over `RECORD_BYTES_MAX`.

    Raises as `decode`.
    """
    taken: list[bytes] = []
    size = first = 0
    for index, raw in enumerate(envelope.data):
        record = bytes(raw)
        if record[:1] != b"{":
            raise MisshapenSubmissionError(f"Expected `object` - at `$.data[{index}]`")
        if len(record) > RECORD_BYTES_MAX:
            record = b"null"
        taken.append(record)
        size += len(record)
        if size > SLICE_BYTES_MAX:
            yield _slice(taken, first)
            taken, size, first = [], 0, index + 1
    if taken:
        yield _slice(taken, first)


def _slice(taken: list[bytes], first: int) -> list[Record | None]:
    try:
        return _slice_decoder.decode(b"[%s]" % b",".join(taken))
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        for index, record in enumerate(taken, first):
            _check(record, index)
        raise UnreadableSubmissionError("not valid JSON") from None


def _check(record: bytes, index: int) -> None:
    """Raise what is wrong with one record."""
    try:
        _record_decoder.decode(record)
    except msgspec.ValidationError as error:
        raise MisshapenSubmissionError(f"{error} of `$.data[{index}]`") from error
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise UnreadableSubmissionError("not valid JSON") from error


def encode(submission: Submission) -> bytes:
    """A `Submission` to the bytes of a request."""
    return _encoder.encode(submission)
