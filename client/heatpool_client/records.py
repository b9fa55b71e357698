"""Files of records to cells: CSV, JSON lines, JSON. Meaning is `tables`' business.

In: an open binary file. Out: `Raw`s, cells by column. Guarantee: no line, cell or document above
its limit is held; what is not in the format is an error with the line, or a `Raw` that says so.
"""

from __future__ import annotations

import csv as csv_module
import re
from io import TextIOWrapper
from typing import IO, TYPE_CHECKING, AnyStr, Final

import msgspec

from heatpool_client.faults import ClientError, Fault, Words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Cell = str | float | int | bool | list[object] | dict[str, object] | None

LINE_CHARS_MAX: Final = 1024 * 1024  # a header of 128 columns has some 5 KB
JSON_BYTES_MAX: Final = 64 * 1024 * 1024  # decoded it takes about ten times that
DELIMITERS: Final = ",;\t|"


class Raw(msgspec.Struct, frozen=True):
    """One record as it stands in the file."""

    line: int
    cells: dict[str, Cell]
    problem: Words | None = None
    unnamed: int = 0
    """Cells below columns without a name, which are not in `cells`."""


_record_decoder = msgspec.json.Decoder(dict[str, Cell])
_ONE_COLUMN: Final = Words(
    "only one column; say --delimiter", "nur eine Spalte; bitte --delimiter angeben"
)
_LONG_LINE: Final = Words(
    f"more than {LINE_CHARS_MAX} characters", f"mehr als {LINE_CHARS_MAX} Zeichen"
)
_QUOTED: Final = re.compile('"[^"]*"')
_NOT_JSON: Final = Words("not a JSON object", "kein JSON-Objekt")


class _Whole(msgspec.Struct):
    """A submission as the deployed loggers write it, of which the records are read."""

    data: list[dict[str, Cell]]


def csv(file: IO[bytes], name: str, encoding: str, delimiter: str | None) -> Iterator[Raw]:
    """Rows below a header.

    Raises:
        ClientError: `file_empty`, `file_not_text`, `file_malformed`.
    """
    try:
        texts = TextIOWrapper(file, encoding, newline="")
    except LookupError as error:
        raise ClientError(Fault.FILE_NOT_TEXT, name, encoding) from error
    try:
        yield from _csv(texts, name, delimiter)
    except UnicodeDecodeError as error:
        raise ClientError(Fault.FILE_NOT_TEXT, name, encoding) from error
    finally:
        texts.detach()  # the file is the caller's to close


def jsonl(file: IO[bytes], name: str) -> Iterator[Raw]:
    """One JSON object a line.

    Raises:
        ClientError: `file_malformed`, a line above the limit.
    """
    for number, line in enumerate(_lines(file, name), start=1):
        if not line.strip():
            continue
        try:
            yield Raw(number, _record_decoder.decode(line))
        except (ValueError, RecursionError):
            yield Raw(number, {}, _NOT_JSON)


def json(file: IO[bytes], name: str) -> Iterator[Raw]:
    """A list of objects, or an object that holds it as `data`.

    Raises:
        ClientError: `file_too_large`, `file_empty`, `file_malformed`.
    """
    content = file.read(JSON_BYTES_MAX + 1)
    if len(content) > JSON_BYTES_MAX:
        raise ClientError(Fault.FILE_TOO_LARGE, name, JSON_BYTES_MAX)
    if not content.strip():
        raise ClientError(Fault.FILE_EMPTY, name)
    try:
        if content.lstrip().startswith(b"["):
            listed = msgspec.json.decode(content, type=list[dict[str, Cell]])
        else:
            listed = msgspec.json.decode(content, type=_Whole).data
    except (ValueError, RecursionError) as error:
        raise ClientError(Fault.FILE_MALFORMED, name, 1, error) from error
    for number, record in enumerate(listed, start=1):
        yield Raw(number, record)


def sniff(header: str) -> str:
    """The delimiter that is most frequent in the header, outside of quotes."""
    return max(DELIMITERS, key=_QUOTED.sub("", header).count)


def _csv(texts: IO[str], name: str, delimiter: str | None) -> Iterator[Raw]:
    lines = _lines(texts, name)
    above, first = next(((n, line) for n, line in enumerate(lines, 1) if line.strip()), (0, ""))
    if not first:
        raise ClientError(Fault.FILE_EMPTY, name)
    delimiter = delimiter or sniff(first)
    reader = csv_module.reader(lines, delimiter=delimiter)
    try:
        header = [cell.strip() for cell in next(csv_module.reader([first], delimiter=delimiter))]
        if len(header) == 1:
            raise ClientError(Fault.FILE_MALFORMED, name, above, _ONE_COLUMN)
        named = [name for name in header if name]
        if twice := next((name for name in named if named.count(name) > 1), None):
            raise ClientError(Fault.COLUMN_TWICE, twice)
        for cells in reader:
            if cells:  # a blank line is no row
                yield _raw(reader.line_num + above, header, cells)
    except csv_module.Error as error:
        raise ClientError(Fault.FILE_MALFORMED, name, reader.line_num + above, error) from error


def _raw(line: int, header: Sequence[str], cells: list[str]) -> Raw:
    while len(cells) > len(header) and not cells[-1].strip():
        cells.pop()
    if len(cells) != len(header):
        return Raw(
            line,
            {},
            Words(
                f"{len(cells)} cells below {len(header)} columns",
                f"{len(cells)} Zellen unter {len(header)} Spalten",
            ),
        )
    values: dict[str, Cell] = dict(zip(header, cells, strict=True))
    values.pop("", None)
    return Raw(line, values, unnamed=header.count(""))


def _lines(file: IO[AnyStr], name: str) -> Iterator[AnyStr]:
    number = 0
    while line := file.readline(LINE_CHARS_MAX + 1):
        number += 1
        if len(line) > LINE_CHARS_MAX:
            raise ClientError(Fault.FILE_MALFORMED, name, number, _LONG_LINE)
        yield line
