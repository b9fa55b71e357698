"""The spool's file: one SQLite database that survives kills, power cuts and full disks.

In: a path. Out: a connection whose committed transactions last. Guarantee: a file that is no
database any more is set aside, its readable rows are taken over, and a new one begins.

WAL with `synchronous=FULL` syncs the log at each commit (https://sqlite.org/pragma.html); a torn
log ends at its last good frame (https://sqlite.org/walformat.html). `secure_delete`: what the owner
withdraws is overwritten. Totals are kept by triggers, so that several processes agree on them.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Final

import msgspec

from heatpool_client.durable import FILE_MODE
from heatpool_client.faults import ClientError, Fault

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SCHEMA: Final = 1
ROW_BYTES: Final = (
    40  # as in the triggers: what SQLite keeps beside a record: header, number, time, batch, index
)
WAIT_S_MAX: Final = 2.0  # for another process that writes
_PRAGMAS: Final = (
    "PRAGMA auto_vacuum=INCREMENTAL",
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA secure_delete=ON",
    "PRAGMA journal_size_limit=1048576",
    "PRAGMA cache_size=-512",
)
_TABLES: Final = """
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS batches (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  head BLOB NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  refused BLOB);
CREATE TABLE IF NOT EXISTS readings (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  timestamp_ms INTEGER NOT NULL,
  record BLOB NOT NULL,
  batch INTEGER REFERENCES batches (number));
CREATE INDEX IF NOT EXISTS readings_batch ON readings (batch, number);
CREATE TABLE IF NOT EXISTS totals (name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
INSERT OR IGNORE INTO totals VALUES ('rows', 0), ('bytes', 0), ('schema', 1);
CREATE TRIGGER IF NOT EXISTS readings_in AFTER INSERT ON readings BEGIN
  UPDATE totals SET value = value + 1 WHERE name = 'rows';
  UPDATE totals SET value = value + length(new.record) + 40 WHERE name = 'bytes';
END;
CREATE TRIGGER IF NOT EXISTS readings_out AFTER DELETE ON readings BEGIN
  UPDATE totals SET value = value - 1 WHERE name = 'rows';
  UPDATE totals SET value = value - length(old.record) - 40 WHERE name = 'bytes';
END;
PRAGMA user_version=1;
COMMIT;
"""
_CORRUPT: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)
"""`SQLITE_ERROR` is a wrong statement: ours are right, so a table or column has decayed."""
_SALVAGED: Final = (
    ("batches", "number, head, attempts, refused"),
    ("readings", "number, timestamp_ms, record, batch"),
)


def connect(path: Path) -> sqlite3.Connection:
    """The open database, made if it is not there.

    Raises:
        sqlite3.Error: it is damaged, or the disk does not do what it should.
        ClientError: `spool_unusable`, a newer program wrote it.
    """
    with suppress(FileNotFoundError):
        path.chmod(FILE_MODE)
    before = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
    os.close(before)
    database = sqlite3.connect(
        path, timeout=WAIT_S_MAX, isolation_level=None, check_same_thread=False
    )
    try:
        _prepare(database, path)
    except BaseException:
        database.close()
        raise
    return database


def is_damage(error: sqlite3.Error) -> bool:
    """Whether the file itself is broken, not the disk, its space or its rights."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in _CORRUPT


def set_aside(path: Path, now_s: float) -> Path:
    """Move a damaged database out of the way; the newest one is kept.

    Raises:
        OSError: the folder cannot be changed.
    """
    for old in path.parent.glob(f"{path.name}.damaged-*"):
        old.unlink()
    aside = path.with_name(f"{path.name}.damaged-{int(now_s)}")
    for suffix in ("-wal", "-shm", ""):
        with suppress(FileNotFoundError):
            path.with_name(path.name + suffix).rename(aside.with_name(aside.name + suffix))
    return aside


def salvage(aside: Path, into: sqlite3.Connection) -> int:
    """Copy what can still be read; how many readings that was.

    Raises:
        sqlite3.Error: `into` cannot be written.
    """
    rows = 0
    with transaction(into):
        for table, columns in _SALVAGED:
            places = ", ".join("?" * len(columns.split(",")))
            insert = f"INSERT OR IGNORE INTO {table} ({columns}) VALUES ({places})"  # noqa: S608 - our own words
            for row in _readable(aside, f"SELECT {columns} FROM {table} ORDER BY number"):  # noqa: S608 - our own words
                if table == "readings" and not is_record(row[2]):
                    continue
                with suppress(sqlite3.IntegrityError):  # a column that decayed to NULL
                    into.execute(insert, row)
                    rows += table == "readings"
    return rows


@contextmanager
def transaction(database: sqlite3.Connection) -> Iterator[None]:
    """All of it, or nothing; durable when left."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
        database.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):  # SQLite has rolled back by itself on a full disk
            database.execute("ROLLBACK")
        raise


def _prepare(database: sqlite3.Connection, path: Path) -> None:
    for pragma in _PRAGMAS:
        database.execute(pragma).fetchall()
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if version > SCHEMA and _says_so_twice(database, version):
        raise ClientError(Fault.SPOOL_UNUSABLE, path, f"schema {version}")
    if version > SCHEMA:
        raise _damage(f"schema {version}")
    if version == 0:
        database.executescript(_TABLES)
    (verdict,) = database.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise _damage(verdict)


def _damage(why: str) -> sqlite3.DatabaseError:
    error = sqlite3.DatabaseError(why)
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT  # as SQLite itself says it
    return error


def _says_so_twice(database: sqlite3.Connection, version: int) -> bool:
    """Whether a newer program wrote this version, or a flipped bit."""
    try:
        found = database.execute("SELECT value FROM totals WHERE name = 'schema'").fetchone()
    except sqlite3.DatabaseError:
        return False
    return found is not None and found[0] == version


def is_record(value: object) -> bool:
    """Whether it is a record's JSON, as far as one can tell."""
    try:
        return isinstance(value, bytes) and bool(
            msgspec.json.decode(value, type=dict[str, float | bool])
        )
    except ValueError:
        return False


def _readable(aside: Path, query: str) -> Iterator[tuple[object, ...]]:
    unreadable = (sqlite3.Error, ValueError)  # ValueError: text that is none any more
    with suppress(*unreadable), closing(sqlite3.connect(aside)) as database:
        yield from database.execute(query)
