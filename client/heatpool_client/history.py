"""What this home measured and what the detector said, for its owner's eyes: five weeks, on disk.

In: readings, scores. Out: `history.db`. Guarantee: nothing of it is sent; it holds no more than
`KEPT_S`; a history that cannot be written costs curves, never a reading or a score. Several
processes may share it: values of one moment are merged.

A memory card should not be written each minute: rows are kept for `FLUSH_S` before they go to disk.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from heatpool_client.besides import findings
from heatpool_client.durable import FILE_MODE
from heatpool_client.history_rows import Bin, FindingRow, ScoreRow, Why
from heatpool_contract.community import ELECTRICITY, HEAT, METRICS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from heatpool_client.clock import Clock
    from heatpool_contract.verdict import Beside, Score

KEPT_S: Final = 35 * 86_400.0  # the longest window that is shown is 30 days
FLUSH_S: Final = 300.0
FINDING_S: Final = 900.0  # a rule that is broken for days should not fill the disk
PENDING_MAX: Final = 5_000  # while the disk does not take them
WAIT_S_MAX: Final = 2.0  # for another process that writes
POOL: Final = "pool."
"""Before the names of `community.METRICS`; names without it are the detector's quantities."""
EXPECTED: Final = "expected."
"""Before a quantity: what the reference says at the operating point of that moment."""
MODE: Final = ".mode"
"""Index of the detector's mode, only while it ran steadily within the reference."""
_TABLES: Final = """
PRAGMA journal_mode=WAL;
PRAGMA synchronous=NORMAL;
CREATE TABLE IF NOT EXISTS readings (
  timestamp_s INTEGER PRIMARY KEY, measured TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS scores (
  timestamp_s INTEGER PRIMARY KEY, mode TEXT NOT NULL, channel TEXT NOT NULL,
  smoothed REAL NOT NULL, threshold REAL NOT NULL, is_over INTEGER NOT NULL,
  is_alarm INTEGER NOT NULL, why BLOB) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS findings (
  timestamp_s INTEGER NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL,
  is_alarm INTEGER NOT NULL, text TEXT NOT NULL, text_de TEXT NOT NULL,
  PRIMARY KEY (timestamp_s, kind, name)) WITHOUT ROWID;
"""
_EMPTY: Final = "DELETE FROM readings; DELETE FROM scores; DELETE FROM findings; VACUUM;"
_MERGE: Final = (
    "INSERT INTO readings VALUES (?, ?) ON CONFLICT (timestamp_s) DO UPDATE"
    " SET measured = json_patch(measured, excluded.measured)"
)
_log = logging.getLogger("heatpool")


T = TypeVar("T")


class History:
    """The history in the file at `path`. Making one touches nothing."""

    def __init__(self, path: Path, clock: Clock) -> None:
        """`path` may not exist yet."""
        self._path = path
        self._clock = clock
        self._lock = threading.Lock()
        self._readings: dict[int, dict[str, float]] = {}
        self._scores: list[ScoreRow] = []
        self._findings: dict[tuple[int, str, str], FindingRow] = {}
        self._flushed_s = clock.monotonic_s()
        self._said = False

    def measured(self, timestamp_s: float, values: Mapping[str, float]) -> None:
        """Keep values of one moment."""
        if not values:
            return
        with self._lock:
            self._readings.setdefault(round(timestamp_s), {}).update(values)
            self._flush_if_due()

    def judged(self, score: Score) -> None:
        """Keep a score, and why if it is over its threshold."""
        leading = score.leading
        is_over = any(one.over for one in score.channels)
        why = Why(score.contributions, score.circumstances) if is_over else None
        row = ScoreRow(
            timestamp_s=score.timestamp_ms // 1000,
            mode=score.mode,
            channel=leading.channel,
            smoothed=leading.smoothed,
            threshold=leading.threshold,
            is_over=is_over,
            is_alarm=score.alarm,
            why=None if why is None else msgspec.json.encode(why),
        )
        with self._lock:
            self._scores.append(row)
            self._flush_if_due()

    def found(self, timestamp_s: float, beside: Beside) -> None:
        """Keep what the channels beside the residuals say after a reading."""
        english, german = (findings(beside, timestamp_s, one) for one in ("en", "de"))
        at_s = int(timestamp_s // FINDING_S * FINDING_S)
        with self._lock:
            for one, other in zip(english, german, strict=True):
                row = FindingRow(at_s, one.kind, one.name, one.alarm, one.text, other.text)
                self._findings.setdefault((at_s, one.kind, one.name), row)

    def flush(self) -> None:
        """Write down what is kept in memory."""
        with self._lock:
            self._flush()

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._readings.clear()
            self._scores.clear()
            self._findings.clear()
            if self._path.exists():
                with _opened(self._path) as database:
                    database.executescript(
                        "DELETE FROM readings; DELETE FROM scores; DELETE FROM findings; VACUUM;"
                    )

    def scores(self, since_s: float) -> list[ScoreRow]:
        """What is on disk, oldest first."""
        query = "SELECT * FROM scores WHERE timestamp_s >= ? ORDER BY timestamp_s"
        return self._ask(list[ScoreRow], query, since_s)

    def findings(self, since_s: float) -> list[FindingRow]:
        """What is on disk, oldest first."""
        query = "SELECT * FROM findings WHERE timestamp_s >= ? ORDER BY timestamp_s, kind, name"
        return self._ask(list[FindingRow], query, since_s)

    def curve(
        self, name: str, since_s: float, step_s: int, mode: int | None = None
    ) -> list[tuple[int, float, float | None]]:
        """Means of a quantity and of what was expected, oldest step first.

        Args:
            name: of the quantity.
            since_s: from then on.
            step_s: over which means are taken.
            mode: only while it ran steadily in it; None: always.
        """
        query = (
            "SELECT timestamp_s / ?2 * ?2, avg(json_extract(measured, ?1)) AS mean,"
            " avg(json_extract(measured, ?4)) FROM readings WHERE timestamp_s >= ?3"
            " AND (?5 IS NULL OR json_extract(measured, '$.\".mode\"') = ?5)"
            " GROUP BY 1 HAVING mean IS NOT NULL ORDER BY 1"
        )
        given = (_path(name), step_s, since_s, _path(EXPECTED + name), mode)
        return self._ask(list[tuple[int, float, float | None]], query, *given)

    def steady_readings(self, mode: int, since_s: float) -> int:
        """How many readings were steady in a mode."""
        query = (
            "SELECT count(*) FROM readings WHERE timestamp_s >= ?1"
            " AND json_extract(measured, '$.\".mode\"') = ?2"
        )
        rows = self._ask(list[tuple[int]], query, since_s, mode)
        return rows[0][0] if rows else 0

    def mean(self, name: str, since_s: float) -> tuple[int, float, float] | None:
        """Number, mean and peak of a quantity; None if there is none."""
        query = (
            "SELECT count(value), avg(value), max(value) FROM"
            " (SELECT json_extract(measured, ?1) AS value FROM readings WHERE timestamp_s >= ?2)"
            " WHERE value IS NOT NULL GROUP BY 'all'"
        )
        rows = self._ask(list[tuple[int, float, float]], query, _path(name), since_s)
        return rows[0] if rows else None

    def by_bin(
        self, name: str, over: str, width: float, since_s: float, mode: int | None = None
    ) -> list[Bin]:
        """A quantity by bins of another; `mode` as in `curve`."""
        query = (
            "SELECT round(place / ?4) * ?4, count(*), avg(value), avg(expected) FROM"
            " (SELECT json_extract(measured, ?1) AS value, json_extract(measured, ?2) AS place,"
            " json_extract(measured, ?3) AS expected FROM readings WHERE timestamp_s >= ?5"
            " AND (?6 IS NULL OR json_extract(measured, '$.\".mode\"') = ?6))"
            " WHERE value IS NOT NULL AND place IS NOT NULL GROUP BY 1 ORDER BY 1"
        )
        names = (_path(one) for one in (name, over, EXPECTED + name))
        return self._ask(list[Bin], query, *names, width, since_s, mode)

    def _flush_if_due(self) -> None:
        waiting = len(self._readings) + len(self._scores)
        if waiting >= PENDING_MAX or self._clock.monotonic_s() - self._flushed_s >= FLUSH_S:
            self._flush()

    def _flush(self) -> None:
        self._flushed_s = self._clock.monotonic_s()
        if not self._readings and not self._scores and not self._findings:
            return
        try:
            with _opened(self._path) as database, database:
                database.executemany(
                    _MERGE, [(at, msgspec.json.encode(v).decode()) for at, v in
                             self._readings.items()],
                )  # fmt: skip  # one write
                database.executemany(
                    "INSERT OR REPLACE INTO scores VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    [msgspec.structs.astuple(row) for row in self._scores],
                )
                database.executemany(
                    "INSERT OR IGNORE INTO findings VALUES (?, ?, ?, ?, ?, ?)",
                    [msgspec.structs.astuple(row) for row in self._findings.values()],
                )
                before_s = self._clock.now_s() - KEPT_S
                for table in ("readings", "scores", "findings"):
                    database.execute(f"DELETE FROM {table} WHERE timestamp_s < ?", [before_s])  # noqa: S608 - three names
        except (sqlite3.Error, OSError) as error:
            if not self._said:
                _log.warning("the history cannot be written: %s", error)
            self._said = True
            if len(self._readings) + len(self._scores) < PENDING_MAX:
                return  # tried again at the next flush
        self._readings.clear()
        self._scores.clear()
        self._findings.clear()

    def _ask(self, kind: type[T], query: str, *given: object) -> T:
        """Rows of the file as `kind`; none if there is no file, or none that can be read."""
        rows: list[object] = []
        if self._path.exists():
            try:
                with _opened(self._path) as database:
                    rows = database.execute(query, given).fetchall()
            except (sqlite3.Error, OSError) as error:
                _log.warning("the history cannot be read: %s", error)
        return msgspec.convert(rows, kind, strict=False)


def community_values(reading: Mapping[str, float]) -> dict[str, float]:
    """The quantities that the pool compares homes by, under `POOL`, as far as they are sent."""
    values = {}
    for name, metric in METRICS.items():
        for field in metric.fields:
            value = reading.get(field)
            if value is None:
                continue
            if name in (HEAT, ELECTRICITY) or metric.low <= value <= metric.high:
                values[POOL + name] = float(value)
            break
    return values


def _path(name: str) -> str:
    return f'$."{name}"'


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE))
    with closing(sqlite3.connect(path, timeout=WAIT_S_MAX)) as database:
        database.executescript(_TABLES)
        yield database
