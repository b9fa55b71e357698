"""A logger's submission: its wire form and its limits.

In: the decompressed body of `POST /api/v1/submit`, or a client's records. Out: a `Submission`, or
the reason why it is none. Guarantee: the shape is checked here, once; what the values may be is
admission's business (`heatpool_ingest.admission`).
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

Scalar = float | int | bool | str | None
Value = Scalar | list[object] | dict[str, object]
"""What JSON may hold in a field. Only numbers and booleans are kept; the rest is counted."""

Record = dict[str, Value]
"""`{"timestamp": seconds, "<field>": value, ...}`: loggers choose their fields, hence a dict."""

FIELDS_PER_RECORD_MAX: Final = 128
FIELDS_PER_REQUEST_MAX: Final = 512  # distinct names; a crafted request could invent 2.5 million
RECORDS_PER_REQUEST_MAX: Final = 20_000  # two weeks of minutes
BODY_BYTES_MAX: Final = 16 * 1024 * 1024  # decompressed
FUTURE_S_MAX: Final = 300.0
RETENTION_DAYS: Final = 334  # VictoriaMetrics keeps whole months: this is 12 months on disk
VALUE_ABS_MAX: Final = 1e300  # beyond it sums overflow to infinity
TIMESTAMP_FIELD: Final = "timestamp"
FIELD_NAME: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]{0,63}")


class Submission(msgspec.Struct, frozen=True):
    """One request of a logger, as sent. Unknown members are ignored (older and newer loggers)."""

    installation_id: str
    heatpump_model: str
    version: str
    data: list[Record]
    sent_at: float | None = None
    """The logger's clock when it sent, in seconds: lets the edge measure its skew."""


class MalformedSubmissionError(Exception):
    """The body is no submission."""


class UnreadableSubmissionError(MalformedSubmissionError):
    """The body is not JSON, or nested beyond any sense."""


class MisshapenSubmissionError(MalformedSubmissionError):
    """The body is JSON, but a member is missing or of the wrong type. The text names it."""


_decoder = msgspec.json.Decoder(Submission)
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


def encode(submission: Submission) -> bytes:
    """A `Submission` to the bytes of a request."""
    return _encoder.encode(submission)
