"""Rows of a logger to requests of the pool. Pure.

In: rows in any number. Out: `Submission`s, each within every limit of the contract. Guarantee: no
row is left out, none comes twice, their order stays; memory holds one request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from heatpool_client.faults import ClientError, Fault
from heatpool_contract.identity import InstallationId
from heatpool_contract.telemetry import (
    FIELDS_PER_REQUEST_MAX,
    RECORDS_PER_REQUEST_MAX,
    TIMESTAMP_FIELD,
    Record,
    Submission,
    encode,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

BODY_BYTES_MAX: Final = 9_500_000
"""Of an encoded request: below the 10 MB at which usual proxies cut, with room for the head."""
_HEAD_BYTES: Final = 512  # id, model, version and punctuation: at most 36 + 64 + 32 and keys

Number = float | int | bool


class Row(msgspec.Struct, frozen=True):
    """Readings of one moment."""

    timestamp_s: float
    """Seconds since 1970, UTC."""
    values: dict[str, Number]
    """Field -> finite number or state."""
    number: int = 0
    """Of the row in its file, from 1; is not sent."""


class Sender(msgspec.Struct, frozen=True):
    """Whose readings they are."""

    installation: InstallationId
    model: str
    version: str


def submissions(
    rows: Iterable[Row],
    sender: Sender,
    records_max: int = RECORDS_PER_REQUEST_MAX,
    bytes_max: int = BODY_BYTES_MAX,
) -> Iterator[Submission]:
    """Group rows into requests, lazily.

    Args:
        rows: any number.
        sender: goes into each request.
        records_max: of one request; no more than the contract's limit are taken.
        bytes_max: of one encoded request.

    Raises:
        ClientError: `record_too_large`, a single row exceeds `bytes_max`.
    """
    records_max = min(records_max, RECORDS_PER_REQUEST_MAX)
    data: list[Record] = []
    names: set[str] = set()
    size = _HEAD_BYTES
    for row in rows:
        record: Record = {TIMESTAMP_FIELD: row.timestamp_s, **row.values}
        added = len(msgspec.json.encode(record)) + 1
        if _HEAD_BYTES + added > bytes_max:
            raise ClientError(Fault.RECORD_TOO_LARGE, added, bytes_max)
        full = len(data) >= records_max or size + added > bytes_max
        if data and (full or len(names | row.values.keys()) > FIELDS_PER_REQUEST_MAX):
            yield _submission(sender, data)
            data, names, size = [], set(), _HEAD_BYTES
        data.append(record)
        names.update(row.values)
        size += added
    if data:
        yield _submission(sender, data)


def body(submission: Submission, sent_at_s: float) -> bytes:
    """The bytes of a request, as `preview` shows and `upload` sends them."""
    return encode(msgspec.structs.replace(submission, sent_at=sent_at_s))


def frozen_body(sender: Sender, records: Sequence[bytes], sent_at_s: float) -> bytes:
    """As `body`, of records that are JSON already: byte for byte the same."""
    raw = [msgspec.Raw(record) for record in records]
    return msgspec.json.encode(
        _Frozen(sender.installation, sender.model, sender.version, raw, sent_at_s)
    )


class _Frozen(msgspec.Struct, frozen=True):
    """`Submission` with encoded records."""

    installation_id: str
    heatpump_model: str
    version: str
    data: list[msgspec.Raw]
    sent_at: float


def _submission(sender: Sender, data: list[Record]) -> Submission:
    return Submission(sender.installation, sender.model, sender.version, data)
