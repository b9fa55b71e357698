"""Readings that wait for the pool: nothing is lost that fits, nothing is sent as two things.

In: records, answers of the pool. Out: batches, totals. Guarantee: what `append` returned for is on
disk; a batch keeps its records from before it is sent first until it is stored, so that a repeat is
the same content and the edge knows it; the spool stays within its bounds, and what had to go is
counted by reason. Several threads and processes may share it.
"""

from __future__ import annotations

import sqlite3
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import msgspec

from heatpool_client import spool_rows, spool_store
from heatpool_client.faults import ClientError, Fault
from heatpool_client.spool_store import ROW_BYTES, transaction
from heatpool_client.waiting import (
    DAMAGED,
    DROPPED_AGE,
    SALVAGED,
    WITHDRAWN,
    Batch,
    Bounds,
    Order,
    Reason,
    SetAside,
    Waiting,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from heatpool_client.clock import Clock
    from heatpool_client.submission import Sender


class Spool:
    """The spool in the file at `path`."""

    def __init__(self, path: Path, bounds: Bounds, clock: Clock) -> None:
        """Open it; a damaged file is set aside and its readable records are taken over.

        Raises:
            ClientError: `spool_unusable`.
        """
        self.path = path
        self._bounds = bounds
        self._clock = clock
        self._lock = threading.RLock()
        self._database: sqlite3.Connection | None = None
        self._seen: int | None = None
        with self._open():
            pass

    def append(
        self, records: Iterable[tuple[int, bytes]], counts: Mapping[str, int] | None = None
    ) -> None:
        """Keep records (time in ms, JSON) and add to the counts; on disk when it returns.

        Raises:
            ClientError: `spool_unusable`; none of them is kept.
        """
        rows = list(records)
        added = sum(len(record) + ROW_BYTES for _, record in rows)
        with self._open() as database, transaction(database):
            spool_rows.make_room(database, added, self._bounds.bytes_max)
            database.executemany("INSERT INTO readings (timestamp_ms, record) VALUES (?, ?)", rows)
            spool_rows.count(database, counts or {})

    def due(self, sender: Sender, records_max: int, order: Order = "oldest") -> Batch | None:
        """The next batch: one that was tried before, else a new one of records that wait.

        Raises:
            ClientError: `spool_unusable`.
        """
        with self._open() as database, transaction(database):
            batch = spool_rows.next_batch(database, sender, records_max, order)
            if batch is not None:
                database.execute(
                    "UPDATE batches SET attempts = attempts + 1 WHERE number = ?", [batch.number]
                )
        return batch

    def preview(self, sender: Sender, records_max: int, order: Order = "oldest") -> Batch | None:
        """What `due` would return now; nothing changes.

        Raises:
            ClientError: `spool_unusable`.
        """
        with self._open() as database:
            database.execute("BEGIN IMMEDIATE")
            try:
                return spool_rows.next_batch(database, sender, records_max, order)
            finally:
                database.execute("ROLLBACK")

    def done(self, batch: Batch, counts: Mapping[str, int]) -> None:
        """The pool has it: forget the batch, add to the counts.

        Raises:
            ClientError: `spool_unusable`; the batch will be sent again, the pool knows it then.
        """
        with self._open() as database, transaction(database):
            spool_rows.drop_batch(database, batch.number)
            spool_rows.count(database, counts)

    def split(self, batch: Batch) -> None:
        """The pool found it too large: two halves instead, each frozen anew.

        Raises:
            ClientError: `spool_unusable`.
        """
        with self._open() as database, transaction(database):
            cursor = database.execute(
                "INSERT INTO batches (head) SELECT head FROM batches WHERE number = ?",
                [batch.number],
            )
            database.execute(
                "UPDATE readings SET batch = ? WHERE number IN (SELECT number FROM readings"
                " WHERE batch = ? ORDER BY timestamp_ms, number LIMIT -1 OFFSET ?)",
                [cursor.lastrowid, batch.number, (len(batch.records) + 1) // 2],
            )
            database.execute("UPDATE batches SET attempts = 0 WHERE number = ?", [batch.number])

    def refuse(self, batch: Batch, reason: Reason) -> None:
        """The pool will never take it: keep it, but out of the way.

        Raises:
            ClientError: `spool_unusable`.
        """
        with self._open() as database, transaction(database):
            database.execute(
                "UPDATE batches SET refused = ? WHERE number = ?",
                [msgspec.json.encode(reason), batch.number],
            )
            spool_rows.count(database, {f"refused.{reason.code}": len(batch.records)})

    def retry(self) -> int:
        """Let the pool see again what it refused; how many batches.

        Raises:
            ClientError: `spool_unusable`.
        """
        with self._open() as database, transaction(database):
            return database.execute(
                "UPDATE batches SET refused = NULL, attempts = 0 WHERE refused IS NOT NULL"
            ).rowcount

    def drop_old(self) -> int:
        """Drop what is older than it may be; how many records. A batch goes as a whole.

        Raises:
            ClientError: `spool_unusable`.
        """
        before_ms = int((self._clock.now_s() - self._bounds.age_s_max) * 1000)
        with self._open() as database, transaction(database):
            gone = database.execute(
                "DELETE FROM readings WHERE batch IS NULL AND timestamp_ms < ?", [before_ms]
            ).rowcount
            old = database.execute(
                "SELECT batch FROM readings WHERE batch IS NOT NULL GROUP BY batch"
                " HAVING max(timestamp_ms) < ?",
                [before_ms],
            ).fetchall()
            gone += sum(spool_rows.drop_batch(database, number) for (number,) in old)
            spool_rows.count(database, {DROPPED_AGE: gone})
        return gone

    def empty(self, reason: str = WITHDRAWN) -> int:
        """Drop everything, overwrite it on disk; how many records.

        Raises:
            ClientError: `spool_unusable`.
        """
        with self._open() as database:
            with transaction(database):
                gone = database.execute("DELETE FROM readings").rowcount
                database.execute("DELETE FROM batches")
                spool_rows.count(database, {reason: gone})
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            database.execute("PRAGMA incremental_vacuum").fetchall()
        for old in self.path.parent.glob(f"{self.path.name}.damaged-*"):
            with suppress(OSError):
                old.unlink()
        return gone

    def waiting(self) -> Waiting:
        """What is in the spool.

        Raises:
            ClientError: `spool_unusable`.
        """
        with self._open() as database:
            found = dict(database.execute("SELECT name, value FROM totals").fetchall())
            totals = {str(name): int(value) for name, value in found.items() if name != "schema"}
            oldest, newest = database.execute(
                "SELECT min(timestamp_ms), max(timestamp_ms) FROM readings"
            ).fetchone()
            refused = database.execute(
                "SELECT b.number, count(r.number), b.refused FROM batches b"
                " LEFT JOIN readings r ON r.batch = b.number"
                " WHERE b.refused IS NOT NULL GROUP BY b.number"
            ).fetchall()
            return Waiting(
                records=totals.pop("rows"),
                bytes=totals.pop("bytes"),
                oldest_s=None if oldest is None else oldest / 1000,
                newest_s=None if newest is None else newest / 1000,
                set_aside=[
                    SetAside(number, records, msgspec.json.decode(reason, type=Reason))
                    for number, records, reason in refused
                ],
                counts=totals,
            )

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._database is not None:
                self._database.close()
                self._database = None

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                yield self._ready()
            except sqlite3.Error as error:
                self.close()
                with suppress(sqlite3.Error, OSError):  # the first error is the one to tell
                    if spool_store.is_damage(error):
                        self._restart()
                raise ClientError(Fault.SPOOL_UNUSABLE, self.path, error) from error
            except (ValueError, TypeError) as error:  # a value has decayed into another type
                self.close()
                with suppress(sqlite3.Error, OSError):
                    self._restart()
                raise ClientError(Fault.SPOOL_UNUSABLE, self.path, error) from error
            except OSError as error:
                self.close()
                raise ClientError(Fault.SPOOL_UNUSABLE, self.path, error.strerror) from error

    def _ready(self) -> sqlite3.Connection:
        if self._database is not None and _inode(self.path) != self._seen:
            self.close()  # another process set it aside
        if self._database is None:
            try:
                self._database = spool_store.connect(self.path)
            except (sqlite3.Error, ValueError, TypeError) as error:
                if isinstance(error, sqlite3.Error) and not spool_store.is_damage(error):
                    raise
                self._restart()
            self._seen = _inode(self.path)
        if self._database is None:  # `_restart` opened it or raised
            raise AssertionError(self.path)
        return self._database

    def _restart(self) -> None:
        """Begin anew, with what can still be read of the damaged file."""
        aside = spool_store.set_aside(self.path, self._clock.now_s())
        database = self._database = spool_store.connect(self.path)
        self._seen = _inode(self.path)
        saved = spool_store.salvage(aside, database)
        with transaction(database):
            spool_rows.count(database, {DAMAGED: 1, SALVAGED: saved})


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return None
