"""Anybody's table (CSV, JSON lines, JSON) to rows, in bounded memory.

In: a file or standard input, and a `Plan` of how to read it. Out: `Row`s in the order of the file
and a `Ledger` of everything that was left out. Guarantee: rows_read = yielded + filtered + skipped
+ broken, and each value left out is counted; the file is never held whole (JSON is, up to a limit).
"""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, Literal

import msgspec

from heatpool_client import cells, columns, records
from heatpool_client.faults import ClientError, Fault, Words
from heatpool_client.submission import Number, Row
from heatpool_client.times import TimeFormat, TimeReader

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from heatpool_client.records import Raw

Kind = Literal["auto", "csv", "jsonl", "json"]

STDIN: Final = Path("-")
_SUFFIXES: Final[dict[str, Kind]] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
}
_SHAPES_MAX: Final = 1000  # different sets of members in one JSON file whose names are remembered


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How a table is to be read."""

    kind: Kind = "auto"
    delimiter: str | None = None
    """None: the one of `, ; tab |` that is most frequent in the header."""
    encoding: str = "utf-8-sig"
    decimal: Literal[".", ","] = "."
    wish: columns.Wish = columns.Wish()
    time: TimeFormat = TimeFormat()
    where: tuple[tuple[str, str], ...] = ()
    """Column and value; only rows in which all are equal are taken."""
    skip: int = 0
    """Rows of the file to pass over, counted before `where`."""
    limit: int | None = None
    """Rows to yield at most."""
    strict: bool = False
    """Stop at the first thing that cannot be read, instead of counting it."""


class Problem(msgspec.Struct, frozen=True):
    """Something that could not be read."""

    line: int
    what: Words
    cell: str


class Ledger(msgspec.Struct):
    """Where the rows and values of a table went."""

    rows_read: int = 0
    rows_skipped: int = 0
    rows_filtered: int = 0
    rows_misshapen: int = 0
    """Not as many cells as the header, or not JSON."""
    rows_without_time: int = 0
    rows_without_values: int = 0
    rows_taken: int = 0
    values_taken: int = 0
    values_empty: int = 0
    values_broken: int = 0
    """Neither a finite number nor a state."""
    columns_unnamed: int = 0
    first_problem: Problem | None = None


class Table:
    """One file. Each call of `rows` reads it anew."""

    def __init__(self, path: Path, plan: Plan) -> None:
        """Open nothing yet.

        Raises:
            ClientError: `format_unknown`.
        """
        self.name = "stdin" if path == STDIN else path.name
        self.path = path
        self.plan = plan
        self.kind = _kind(path, plan)
        self.ledger = Ledger()
        self._file: IO[bytes] | None = None
        self._fields: dict[tuple[str, ...], tuple[str, dict[str, str]]] = {}

    @property
    def size_bytes(self) -> int | None:
        """Of the file; None if it is a pipe."""
        return self.path.stat().st_size if self.path.is_file() else None

    @property
    def position_bytes(self) -> int:
        """How far the file has been read, about."""
        return self._file.tell() if self._file and self._file.seekable() else 0

    def rows(self) -> Iterator[Row]:
        """Read the file.

        Raises:
            ClientError: of exit status 5, naming file and line.
        """
        self.ledger = Ledger()
        self._fields.clear()
        times = TimeReader(self.plan.time)
        try:
            with self._opened() as file:
                self._file = file
                for raw in self._raws(file):
                    row = self._row(raw, times)
                    if row is not None:
                        yield row
                    if self.plan.limit is not None and self.ledger.rows_taken >= self.plan.limit:
                        break
        except OSError as error:
            raise ClientError(Fault.FILE_UNREADABLE, self.path, error.strerror) from error
        finally:
            self._file = None
        self._check_use()

    def last_s(self) -> float:
        """Newest time of the rows; reads the file once.

        Raises:
            ClientError: as `rows`; `shift_needs_file`.
        """
        if self.path == STDIN:
            raise ClientError(Fault.SHIFT_NEEDS_FILE)
        return max(row.timestamp_s for row in self.rows())

    def _opened(self) -> AbstractContextManager[IO[bytes]]:
        return nullcontext(sys.stdin.buffer) if self.path == STDIN else self.path.open("rb")

    def _raws(self, file: IO[bytes]) -> Iterator[Raw]:
        plan = self.plan
        if self.kind == "csv":
            return records.csv(file, self.name, plan.encoding, plan.delimiter)
        if self.kind == "jsonl":
            return records.jsonl(file, self.name)
        return records.json(file, self.name)

    def _row(self, raw: Raw, times: TimeReader) -> Row | None:
        ledger, plan = self.ledger, self.plan
        ledger.rows_read += 1
        if ledger.rows_read <= plan.skip:
            ledger.rows_skipped += 1
            return None
        if raw.problem is not None:
            ledger.rows_misshapen += 1
            self._problem(raw.line, raw.problem, "")
            return None
        ledger.columns_unnamed = raw.unnamed
        time_column, fields = self._naming(tuple(raw.cells))
        if not all(cells.is_equal(raw.cells.get(name), value) for name, value in plan.where):
            ledger.rows_filtered += 1
            return None
        cell = raw.cells.get(time_column)
        try:
            timestamp_s = times.read(cell if isinstance(cell, str | float | int) else "")
        except (ValueError, OverflowError):
            ledger.rows_without_time += 1
            self._problem(raw.line, _NO_TIME, str(cell))
            return None
        values = self._values(raw, fields)
        if not values:
            ledger.rows_without_values += 1
            return None
        ledger.rows_taken += 1
        ledger.values_taken += len(values)
        return Row(timestamp_s, values, ledger.rows_read)

    def _values(self, raw: Raw, fields: Mapping[str, str]) -> dict[str, Number]:
        values: dict[str, Number] = {}
        for name, field in fields.items():
            cell = raw.cells[name]
            try:
                value = cells.number(cell, self.plan.decimal)
            except (ValueError, OverflowError):
                self.ledger.values_broken += 1
                self._problem(raw.line, _NO_NUMBER, f"{name}={cell}")
                continue
            if value is None:
                self.ledger.values_empty += 1
            else:
                values[field] = value
        return values

    def _naming(self, names: tuple[str, ...]) -> tuple[str, dict[str, str]]:
        """Time column and fields for this set of columns."""
        known = self._fields.get(names)
        if known is not None:
            return known
        wish = self.plan.wish
        if self.kind == "csv":
            for name, _ in self.plan.where:
                columns.require(names, name)
        else:
            wish = wish.for_records()
        time_column = columns.time_column(names, wish)
        if len(self._fields) >= _SHAPES_MAX:
            self._fields.clear()
        self._fields[names] = (time_column, columns.fields(names, time_column, wish))
        return self._fields[names]

    def _problem(self, line: int, what: Words, cell: str) -> None:
        cell = cell[:80]
        if self.plan.strict:
            raise ClientError(Fault.ROW_BROKEN, self.name, line, what, cell)
        if self.ledger.first_problem is None:
            self.ledger.first_problem = Problem(line, what, cell)

    def _check_use(self) -> None:
        ledger = self.ledger
        if ledger.rows_read == 0:
            raise ClientError(Fault.FILE_EMPTY, self.path)
        if ledger.rows_taken == 0:
            raise ClientError(Fault.NO_ROW_USABLE, self.path, _why_none(ledger))


_NO_TIME: Final = Words(
    "the time is not readable; say --time-format", "die Zeit ist nicht lesbar; bitte --time-format"
)
_NO_NUMBER: Final = Words("not a number", "keine Zahl")


def _kind(path: Path, plan: Plan) -> Kind:
    if plan.kind != "auto":
        return plan.kind
    kind = _SUFFIXES.get(path.suffix.lower())
    if kind is None:
        raise ClientError(Fault.FORMAT_UNKNOWN, path)
    return kind


def _why_none(ledger: Ledger) -> Words:
    problem = ledger.first_problem
    if problem is not None:
        return Words(
            f"line {problem.line}, {problem.what.en} ({problem.cell!r})",
            f"Zeile {problem.line}, {problem.what.de} ({problem.cell!r})",
        )
    if ledger.rows_filtered:
        return Words("--where leaves none", "--where lässt keine übrig")
    if ledger.rows_skipped:
        return Words("--skip leaves none", "--skip lässt keine übrig")
    return Words("all values are empty", "alle Werte sind leer")
