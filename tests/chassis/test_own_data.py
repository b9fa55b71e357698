"""The export of a home's own data, from a real store."""

from __future__ import annotations

import csv
import io
import secrets
import time
import tracemalloc
from typing import TYPE_CHECKING

import msgspec

from heatpool_chassis.own_data import csv_lines, json_lines

if TYPE_CHECKING:
    from heatpool_chassis.victoria import Victoria

START_S = int(time.time()) // 86_400 * 86_400 - 3 * 86_400
SPAN = (START_S, START_S + 2 * 86_400)


async def test_both_forms_hold_every_record_in_order(victoria: Victoria) -> None:
    """Fields that a record lacks are empty; the writer's own series are left out."""
    home = secrets.token_hex(16)
    await _import(victoria, home, "power", [(0, 1.5), (60, 2), (86_400, 3)])
    await _import(victoria, home, "temp", [(60, -4.25), (2 * 86_400 - 1, 5)])
    await _import(victoria, home, "batch_samples", [(0, 9)])
    await _import(victoria, secrets.token_hex(16), "power", [(0, 99)])

    lines = b"".join([piece async for piece in json_lines(victoria, home, *SPAN)])
    table = b"".join([piece async for piece in csv_lines(victoria, home, *SPAN)])

    records = [msgspec.json.decode(line) for line in lines.splitlines()]
    assert records == [
        {"timestamp": START_S, "model": "m", "power": 1.5},
        {"timestamp": START_S + 60, "model": "m", "power": 2, "temp": -4.25},
        {"timestamp": START_S + 86_400, "model": "m", "power": 3},
        {"timestamp": START_S + 2 * 86_400 - 1, "model": "m", "temp": 5},
    ]
    rows = list(csv.DictReader(io.StringIO(table.decode())))
    assert [row["power"] for row in rows] == ["1.5", "2.0", "3.0", ""]
    assert [row["temp"] for row in rows] == ["", "-4.25", "", "5.0"]
    assert float(rows[1]["timestamp"]) == START_S + 60


async def test_memory_is_bounded_by_a_window(victoria: Victoria) -> None:
    """Ten times the days take no more memory."""
    home = secrets.token_hex(16)
    for day in range(20):
        for field in range(10):
            samples = [(day * 86_400 + 60 * i, float(i)) for i in range(1440)]
            await _import(victoria, home, f"f{field}", samples, START_S - 20 * 86_400)
    first_s = START_S - 20 * 86_400

    two = await _peak_bytes(victoria, home, first_s, 2)
    twenty = await _peak_bytes(victoria, home, first_s, 20)

    assert twenty < two * 1.5


async def _peak_bytes(store: Victoria, home: str, first_s: int, days: int) -> int:
    records = 0
    tracemalloc.start()
    async for piece in json_lines(store, home, first_s, first_s + days * 86_400):
        records += piece.count(b"\n")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert records == days * 1440
    return peak


async def _import(
    store: Victoria,
    home: str,
    field: str,
    samples: list[tuple[int, float]],
    start_s: int = START_S,
) -> None:
    metric = {"__name__": f"heatpump_{field}", "installation": home, "model": "m"}
    line = {
        "metric": metric,
        "values": [value for _at, value in samples],
        "timestamps": [(start_s + at) * 1000 for at, _value in samples],
    }
    await store.import_lines([msgspec.json.encode(line)])
    await store.force_flush()
