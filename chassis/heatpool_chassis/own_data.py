"""Everything that the pool has stored of one home, as CSV or JSON lines.

In: the store. Out: pieces of text, records in order of time. Guarantee: memory holds one window of
`WINDOW_S` of one home; JSON lines have the form of a submission's `data`, so that an export can be
sent again.
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from heatpool_chassis.victoria import Victoria

WINDOW_S: Final = 86_400
"""A day: 1,440 records of a logger that sends each minute."""
MEDIA_CSV: Final = "text/csv; charset=utf-8"
MEDIA_JSON_LINES: Final = "application/x-ndjson"
_PREFIX: Final = "heatpump_"
_ABOUT: Final = "heatpump_(batch_samples|info)"  # the writer's own series, not what was sent
_MS: Final = 1000

Row = dict[str, float | str]
"""One record: `timestamp` in seconds, `model`, and its fields."""


def selector(installation: str) -> str:
    """Series with a home's own data. The pseudonym is hex digits: nothing to escape."""
    return f'{{installation="{installation}",__name__=~"{_PREFIX}.*",__name__!~"{_ABOUT}"}}'


async def json_lines(
    store: Victoria, installation: str, from_s: int, to_s: int
) -> AsyncIterator[bytes]:
    """`{"timestamp":...,"model":...,"<field>":...}` a line, `from_s <= timestamp < to_s`."""
    async for rows in _windows(store, installation, from_s, to_s):
        yield b"".join(msgspec.json.encode(row) + b"\n" for row in rows)


async def csv_lines(
    store: Victoria, installation: str, from_s: int, to_s: int
) -> AsyncIterator[bytes]:
    """A table with one column a field; empty where a record lacks it (RFC 4180)."""
    names = await store.names(selector(installation), from_s, to_s)
    fields = sorted(name.removeprefix(_PREFIX) for name in names)
    columns = ["timestamp", "model", *fields]
    yield _table([columns])
    async for rows in _windows(store, installation, from_s, to_s):
        yield _table([[row.get(column, "") for column in columns] for row in rows])


async def _windows(
    store: Victoria, installation: str, from_s: int, to_s: int
) -> AsyncIterator[list[Row]]:
    """Records window by window; those without any are left out."""
    for start_s in range(from_s, to_s, WINDOW_S):
        end_s = min(start_s + WINDOW_S, to_s)
        rows: dict[tuple[int, str], Row] = {}
        matching = selector(installation)
        async for series in store.export(matching, start_s * _MS, end_s * _MS - 1):
            field = series.metric["__name__"].removeprefix(_PREFIX)
            model = series.metric.get("model", "")
            for stamp, value in zip(series.timestamps, series.values, strict=True):
                if value is not None:
                    empty: Row = {"timestamp": stamp / _MS, "model": model}
                    rows.setdefault((stamp, model), empty)[field] = value
        if rows:
            yield [rows[key] for key in sorted(rows)]


def _table(rows: list[list[float | str]] | list[list[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()
