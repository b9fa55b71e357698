"""Load over keep-alive connections, as cheap as it can be: it shares the cores with what it loads.

In: an address, requests. Out: latencies and statuses. wrk takes half of the processor time that
this language takes for the same requests; what it cannot do (pauses, few large requests that are
made before) is done here.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FIELDS = 11
WRK = shutil.which("wrk") or "/usr/bin/wrk"
_MARK = 1_234_567  # and a half
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


class Figures(msgspec.Struct, frozen=True):
    """One run of wrk."""

    seconds: float
    requests: int
    not_200: int
    """Answered with an error or not at all."""
    p50_ms: float
    p99_ms: float


def bodies(records: int, fields: int = FIELDS) -> Iterator[bytes]:
    """Endless submissions, all different, of a few hundred homes."""
    head, rest, after = _parts(records, fields)
    for number in itertools.count():
        yield b"%s%04d%s%07d%s" % (head, number % _HOMES, rest, 1_000_000 + number, after)


def _parts(records: int, fields: int = FIELDS) -> tuple[bytes, bytes, bytes]:
    """A submission before its home's number, before one of its values, and after it."""
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
    data[0]["temp_sensor_0"] = _MARK + 0.5
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
    return head, rest, after


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


def run_wrk(
    port: int, token: str, records: int, *, first: int, connections: int, seconds: int
) -> Figures:
    """Keep `connections` submissions in flight for `seconds`; each differs, from number `first`."""
    head, rest, after = _parts(records)
    wire = request(port, token, b"%sHOME%sVALUE!!%s" % (head, rest, after))
    with tempfile.NamedTemporaryFile() as file:
        file.write(wire)
        file.flush()
        script = str(Path(__file__).with_name("submit.lua"))
        amount = ["-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "60s"]
        url = f"http://127.0.0.1:{port}/"
        text = subprocess.run(
            [WRK, *amount, "-s", script, url, "--", file.name, str(first)],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
    duration, requests, refused, lost, p50, p99 = map(int, text.partition("FIGURES ")[2].split())
    return Figures(duration / 1e6, requests, refused + lost, p50 / 1e3, p99 / 1e3)
