"""PURE: the bytes of a request -> the messages that stand for it.

In: body, encoding, the edge's clock and the pseudonym key. Out: `Prepared`, ready to publish.
Guarantee: a function of its arguments: the same accepted content has the same message ids on every
edge, so that a repeat is recognised wherever it arrives. No payload exceeds `CHUNK_BYTES_MAX`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from heatpool_contract import frames, identity, subjects, telemetry
from heatpool_contract.answers import Tally
from heatpool_contract.frames import CHUNK_BYTES_MAX, Chunk, Frame
from heatpool_contract.refusals import Refusal
from heatpool_ingest.admission import RequestRefusedError, admit
from heatpool_ingest.inflate import inflated
from heatpool_ingest.opening import opened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from heatpool_contract.identity import ModelSlug, Pseudonym
    from heatpool_ingest.opening import Opened

_ENVELOPE_BYTES: Final = 512  # the chunk's members around its frames: names, ids, brackets
_FRAMES_BYTES_MAX: Final = CHUNK_BYTES_MAX - _ENVELOPE_BYTES


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """A submission, ready to be published."""

    installation: str
    model: str
    subject: str
    message_id: str
    payloads: list[bytes]
    """One a message; empty if no record was taken."""
    body_bytes: int
    """Decompressed."""
    records_sent: int
    records: int
    """Records taken."""
    samples: int
    rejections: list[Tally]
    values_dropped: list[Tally]
    sent_at: float | None


def prepare(body: bytes, encoding: str, now_s: float, pseudonym_key: bytes) -> Prepared:
    """Decompress, parse, admit, pseudonymise and frame a request.

    Raises:
        RequestRefusedError: the request as a whole is not taken.
    """
    text = inflated(body, encoding)
    try:
        sent = opened(text)
        installation, model = _sender(sent, pseudonym_key)
        admitted = admit(sent.slices, now_s)
    except telemetry.MisshapenSubmissionError as error:
        raise RequestRefusedError(Refusal.BODY_MISSHAPEN, detail=str(error)) from error
    except telemetry.MalformedSubmissionError as error:
        raise RequestRefusedError(Refusal.BODY_UNREADABLE) from error
    encoded = [piece for frame in admitted.frames for piece in _pieces(frame)]
    payloads = [
        frames.encode(
            Chunk(
                installation=installation,
                model=model,
                version=sent.head.version,
                received_ms=round(now_s * 1000),
                frames=[msgspec.Raw(piece) for piece in pieces],
            )
        )
        for pieces in _packed(encoded)
    ]
    return Prepared(
        installation=installation,
        model=model,
        subject=subjects.telemetry_subject(model, installation),
        message_id=subjects.message_id(installation, model, sent.head.version, encoded),
        payloads=payloads,
        body_bytes=len(text),
        records_sent=sent.records_sent,
        records=admitted.records,
        samples=admitted.samples,
        rejections=admitted.rejections,
        values_dropped=admitted.values_dropped,
        sent_at=sent.head.sent_at,
    )


def _sender(sent: Opened, pseudonym_key: bytes) -> tuple[Pseudonym, ModelSlug]:
    sender = identity.installation_id(sent.head.installation_id)
    if sender is None:
        raise RequestRefusedError(Refusal.INSTALLATION_ID_INVALID)
    model = identity.model_slug(sent.head.heatpump_model)
    if model is None:
        raise RequestRefusedError(Refusal.MODEL_INVALID)
    if not identity.is_version(sent.head.version):
        raise RequestRefusedError(Refusal.VERSION_INVALID)
    if not sent.records_sent:
        raise RequestRefusedError(Refusal.DATA_EMPTY)
    if sent.records_sent > telemetry.RECORDS_PER_REQUEST_MAX:
        raise RequestRefusedError(Refusal.RECORDS_TOO_MANY, limit=telemetry.RECORDS_PER_REQUEST_MAX)
    return identity.pseudonym(sender, pseudonym_key), model


def _pieces(frame: Frame) -> Iterator[bytes]:
    """The frame encoded, halved until each part fits into a message."""
    encoded = frames.encode_frame(frame)
    if len(encoded) <= _FRAMES_BYTES_MAX:
        yield encoded
        return
    # A record has at most 128 fields of 64 + 25 characters: one row always fits.
    parts = len(encoded) // _FRAMES_BYTES_MAX + 1
    rows = -(-len(frame.timestamps_ms) // parts)
    for start in range(0, len(frame.timestamps_ms), rows):
        yield from _pieces(
            Frame(
                frame.timestamps_ms[start : start + rows],
                {name: column[start : start + rows] for name, column in frame.columns.items()},
            )
        )


def _packed(pieces: list[bytes]) -> Iterator[list[bytes]]:
    """Pieces in groups that fit into one message each, in order."""
    group: list[bytes] = []
    size = 0
    for piece in pieces:
        if group and size + len(piece) > _FRAMES_BYTES_MAX:
            yield group
            group, size = [], 0
        group.append(piece)
        size += len(piece) + 1
    if group:
        yield group
