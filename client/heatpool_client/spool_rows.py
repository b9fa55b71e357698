"""What happens to rows of the spool, inside of a transaction that the caller holds.

In: an open database. Out: batches, counts. Guarantee: a batch is taken or dropped as a whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from heatpool_client import spool_store
from heatpool_client.submission import BODY_BYTES_MAX, Sender
from heatpool_client.waiting import DROPPED_SIZE, Batch, Order
from heatpool_contract.telemetry import FIELDS_PER_REQUEST_MAX

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

_ROOM_ROWS: Final = 64  # dropped at a time: making room should not be part of every append
_HEAD_BYTES: Final = 512  # of a request, around its records
_TRIED: Final = "SELECT number, head, attempts FROM batches WHERE refused IS NULL ORDER BY number "
_UNFROZEN: Final = "SELECT number, record FROM readings WHERE batch IS NULL ORDER BY number "
_FIRST: Final[dict[Order, str]] = {"oldest": "ASC LIMIT ?", "newest": "DESC LIMIT ?"}


def next_batch(
    database: sqlite3.Connection, sender: Sender, records_max: int, order: Order
) -> Batch | None:
    """The batch that was tried before, else a new one of records that wait."""
    found = database.execute(_TRIED + _FIRST[order], [1]).fetchone()
    if found is None:
        number = _freeze(database, sender, records_max, order)
        if number is None:
            return None
        found = (number, msgspec.json.encode(sender), 0)
    number, head, attempts = found
    rows = database.execute(
        "SELECT record FROM readings WHERE batch = ? ORDER BY timestamp_ms, number", [number]
    ).fetchall()
    if not all(spool_store.is_record(record) for (record,) in rows):
        raise ValueError(f"batch {number} has decayed")
    frozen = msgspec.json.decode(head, type=Sender)
    return Batch(number, frozen, tuple(record for (record,) in rows), attempts)


def _freeze(
    database: sqlite3.Connection, sender: Sender, records_max: int, order: Order
) -> int | None:
    """Make a batch of records that wait: as many as a request may have."""
    chosen: list[int] = []
    names: set[str] = set()
    size = _HEAD_BYTES
    for number, record in database.execute(_UNFROZEN + _FIRST[order], [records_max]):
        size += len(record) + 1
        names |= msgspec.json.decode(record, type=dict[str, msgspec.Raw]).keys()
        if chosen and (size > BODY_BYTES_MAX or len(names) > FIELDS_PER_REQUEST_MAX):
            break
        chosen.append(number)
    if not chosen:
        return None
    cursor = database.execute(
        "INSERT INTO batches (head) VALUES (?)", [msgspec.json.encode(sender)]
    )
    database.executemany(
        "UPDATE readings SET batch = ? WHERE number = ?",
        ((cursor.lastrowid, number) for number in chosen),
    )
    return cursor.lastrowid


def make_room(database: sqlite3.Connection, added: int, bytes_max: int) -> None:
    """Drop the oldest until `added` bytes fit; a batch goes as a whole, or it were another one."""
    dropped = 0
    while _total(database, "bytes") + added > bytes_max:
        oldest = database.execute("SELECT batch FROM readings ORDER BY number LIMIT 1").fetchone()
        if oldest is None:
            break
        if oldest[0] is not None:
            dropped += drop_batch(database, oldest[0])
            continue
        dropped += database.execute(
            "DELETE FROM readings WHERE number IN (SELECT number FROM readings"
            " WHERE batch IS NULL ORDER BY number LIMIT ?)",
            [_ROOM_ROWS],
        ).rowcount
    count(database, {DROPPED_SIZE: dropped})


def drop_batch(database: sqlite3.Connection, number: int) -> int:
    """Forget a batch and its records; how many."""
    gone = database.execute("DELETE FROM readings WHERE batch = ?", [number]).rowcount
    database.execute("DELETE FROM batches WHERE number = ?", [number])
    return gone


def count(database: sqlite3.Connection, counts: Mapping[str, int]) -> None:
    """Add to the totals."""
    database.executemany(
        "INSERT INTO totals VALUES (?, ?)"
        " ON CONFLICT (name) DO UPDATE SET value = value + excluded.value",
        [pair for pair in counts.items() if pair[1]],
    )


def _total(database: sqlite3.Connection, name: str) -> int:
    (value,) = database.execute("SELECT value FROM totals WHERE name = ?", [name]).fetchone()
    return int(value)
