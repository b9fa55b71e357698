"""Load over keep-alive connections, as cheap as it can be: it shares the cores with what it loads.

In: an address, requests as bytes. Out: latencies and statuses.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import time
from collections import Counter
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FIELDS = 11
_MARK = 123456.5
_HOMES = 200


class Result(msgspec.Struct):
    """One run."""

    seconds: float
    latencies_s: list[float]
    statuses: Counter[int]

    def quantile_ms(self, part: float) -> float:
        """Latency that `part` of the requests did not pass."""
        ordered = sorted(self.latencies_s)
        return ordered[min(len(ordered) - 1, int(part * len(ordered)))] * 1000


def bodies(records: int, fields: int = FIELDS) -> Iterator[bytes]:
    """Endless submissions, all different, of a few hundred homes."""
    chance = random.Random(1)
    now_s = int(time.time())
    data = [
        {
            "timestamp": now_s - 60 * number,
            **{f"temp_sensor_{k}": round(chance.uniform(-20, 70), 2) for k in range(fields - 1)},
            "compressor_on": number % 3 == 0,
        }
        for number in range(records)
    ]
    data[0]["temp_sensor_0"] = _MARK
    text = json.dumps(
        {
            "installation_id": "00000000-0000-4000-8000-00000000HOME",
            "heatpump_model": "AERO SLM",
            "version": "1.0.0",
            "data": data,
        }
    ).encode()
    before, after = text.split(str(_MARK).encode())
    head, rest = before.split(b"HOME")
    for number in itertools.count():
        yield b"%s%04d%s%d.5%s" % (head, number % _HOMES, rest, 100_000 + number, after)


def request(port: int, token: str, body: bytes, encoding: str = "") -> bytes:
    """A submission on the wire."""
    extra = b"Content-Encoding: %s\r\n" % encoding.encode() if encoding else b""
    return (
        b"POST /api/v1/submit HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAuthorization: Bearer %s\r\n"
        b"Content-Type: application/json\r\n%sContent-Length: %d\r\n\r\n%s"
        % (port, token.encode(), extra, len(body), body)
    )


async def run(
    port: int,
    make: Callable[[], bytes],
    *,
    connections: int,
    seconds: float,
    pause_s: float = 0.0,
) -> Result:
    """Keep `connections` requests in flight for `seconds`."""
    result = Result(0, [], Counter())
    started = time.perf_counter()

    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while True:
            wire = make()
            sent = time.perf_counter()
            writer.write(wire)
            status = await _status(reader)
            result.latencies_s.append(time.perf_counter() - sent)
            result.statuses[status] += 1
            if pause_s:
                await asyncio.sleep(pause_s)
            if time.perf_counter() - started >= seconds:
                break
        writer.close()

    await asyncio.gather(*(one() for _connection in range(connections)))
    result.seconds = time.perf_counter() - started
    return result


async def _status(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    at = head.lower().index(b"content-length:") + 15
    await reader.readexactly(int(head[at : head.index(b"\r", at)]))
    return int(head[9:12])
