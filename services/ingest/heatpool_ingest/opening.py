"""PURE: the text of a request -> who sends, and its records, by the cheapest way that fits.

In: decompressed bytes. Out: `Opened`, whose records come slice by slice. Guarantee: each way gives
the same samples and the same tallies; what a cheap way does not understand is left to the general
one, which also words what is wrong with it.

Small texts are decoded at once. Large ones mostly have the same numeric fields in every record:
these are decoded into a class of just those fields, in about half the time that dicts take. All
others are opened record by record (`telemetry.slices`), so that no record grows without bound.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from heatpool_contract import telemetry
from heatpool_contract.telemetry import (
    FIELD_NAME,
    FIELDS_PER_RECORD_MAX,
    RECORD_BYTES_MAX,
    Envelope,
)
from heatpool_ingest.grouping import Rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from heatpool_contract.telemetry import Record, Submission

SHAPES_CACHED_MAX: Final = 64  # classes of up to 40 KB; a pool has a shape a version of a logger
_FIRST_RECORD: Final = re.compile(rb'"data"\s*:\s*\[\s*(\{[^{}]*\})')
_first_decoder: Final = msgspec.json.Decoder(dict[str, int | float | bool])


class Opened(NamedTuple):
    """A request whose records are still to be judged."""

    head: Submission | Envelope
    """What stands beside the records."""
    records_sent: int
    slices: Iterable[Sequence[Record | None] | Rows]


def opened(text: bytes) -> Opened:
    """Open a request. Raises as `telemetry.decode`, some of it only while the slices are read."""
    found = _at_once(text) if len(text) <= RECORD_BYTES_MAX else _alike(text)
    if found is not None:
        return found
    envelope = telemetry.open_envelope(text)
    return Opened(envelope, len(envelope.data), telemetry.slices(envelope))


def _at_once(text: bytes) -> Opened | None:
    """A text in which no record can be too large."""
    try:
        submission = telemetry.decode(text)
    except telemetry.MalformedSubmissionError:
        return None
    return Opened(submission, len(submission.data), [submission.data])


def _alike(text: bytes) -> Opened | None:
    """A text whose records all have the fields of the first one, all of them numbers."""
    at = text.find(b'"data"')
    first = _FIRST_RECORD.match(text, at) if at >= 0 else None
    if first is None or not _records_are_short(text):
        return None
    try:
        names = tuple(_first_decoder.decode(first[1]))
        if len(names) > FIELDS_PER_RECORD_MAX + 1 or not all(map(FIELD_NAME.fullmatch, names)):
            return None
        sent = _decoder_of(names).decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None
    rows = list(map(msgspec.structs.astuple, sent.data))
    head = Envelope(sent.installation_id, sent.heatpump_model, sent.version, [], sent.sent_at)
    return Opened(head, len(rows), [Rows(names, rows)])


def _records_are_short(text: bytes) -> bool:
    """Whether no stretch without a brace, hence no record of numbers, is longer than it may be."""
    at = 0
    while len(text) - at > RECORD_BYTES_MAX:
        at = text.rfind(b"}", at, at + RECORD_BYTES_MAX) + 1
        if at == 0:
            return False
    return True


class _Alike(msgspec.Struct, frozen=True, kw_only=True):
    """A submission whose records are structures."""

    installation_id: str
    heatpump_model: str
    version: str
    data: list[msgspec.Struct]
    sent_at: float | None = None


@lru_cache(maxsize=SHAPES_CACHED_MAX)
def _decoder_of(names: tuple[str, ...]) -> msgspec.json.Decoder[_Alike]:
    """Decoder of submissions whose records have exactly these fields, in any order."""
    members = {f"f{number}": name for number, name in enumerate(names)}
    shape = msgspec.defstruct(
        "Shape",
        [(member, int | float | bool) for member in members],
        rename=members,
        forbid_unknown_fields=True,
        gc=False,
    )
    alike = msgspec.defstruct(
        "Alike",
        [("data", list[shape])],  # type: ignore[valid-type]  # made above
        bases=(_Alike,),
        frozen=True,
        kw_only=True,
    )
    return msgspec.json.Decoder(alike)
