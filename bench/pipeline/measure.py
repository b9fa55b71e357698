"""One run: post prepared bodies, watch the store's own counter, wait until a reader sees all.

In: a way into the store, homes. Out: times, rates and CPU of every process, the load's included.
"""

from __future__ import annotations

import asyncio
import itertools
import re
import statistics
import threading
import time
from typing import TYPE_CHECKING, Final, NamedTuple, Self

import httpx
import psutil
import uvloop
from bodies import FIELDS, Home, Texts

if TYPE_CHECKING:
    from collections.abc import Callable

    from pool import Pool

CONCURRENT: Final = 8
VISIBLE_S_MAX: Final = 300.0
LOOK_S: Final = 1.05
"""VictoriaMetrics renders its metrics once a second at most: asked less often, they are fresh."""
STEADY: Final = (0.1, 0.9)
"""Part of the samples between which the steady rate is taken."""
PROCESSES: Final = ("ingest", "nats", "writer", "victoria")
LOAD: Final = "load"
_LENGTH: Final = re.compile(rb"(?i)\r\ncontent-length: *([0-9]+)")


class Way(NamedTuple):
    """One way into the store."""

    url: str
    form: Callable[[Texts], str]
    headers: dict[str, str]


class Run(NamedTuple):
    """What one way took."""

    samples: int
    seconds: float
    """From the first request until a reader sees the last sample."""
    answered_s: float
    """From the first request to the last answer."""
    steady: float
    """Samples a second that the store counted in the middle of the run; 0 if that was too short."""
    cpu_s: dict[str, float]

    @property
    def rate(self) -> float:
        """Samples a second until visible."""
        return self.samples / self.seconds

    def per_million(self, process: str) -> float:
        """CPU seconds for a million samples."""
        return self.cpu_s[process] / self.samples * 1e6


def measure(pool: Pool, agent_pid: int | None, way: Way, some: list[Home]) -> Run:
    """Bodies are made before the clock starts."""
    bodies = [home.body(way.form) for home in some]
    samples = sum(home.texts.records for home in some) * len(FIELDS)
    found = {name: psutil.Process(pool.processes[name].pid) for name in PROCESSES}
    if agent_pid is not None:
        found["vmagent"] = psutil.Process(agent_pid)
    found[LOAD] = psutil.Process()
    before = {name: _cpu_s(process) for name, process in found.items()}
    with _Watch(pool.stack.victoria_url) as watch:
        started = time.perf_counter()
        uvloop.run(_post_all(way, bodies))
        answered_s = time.perf_counter() - started
        _until_visible(pool, some)
        seconds = time.perf_counter() - started
    cpu = {name: _cpu_s(process) - before[name] for name, process in found.items()}
    _check(pool, some)
    return Run(samples, seconds, answered_s, watch.steady(samples), cpu)


async def _post_all(way: Way, bodies: list[bytes]) -> None:
    waiting = iter(bodies)
    url = httpx.URL(way.url)
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json", **way.headers}
    lines = [f"POST {url.path} HTTP/1.1", f"Host: {url.host}:{url.port}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    head = "\r\n".join(lines).encode()

    async def post() -> None:
        reader, writer = await asyncio.open_connection(url.host, url.port)
        for body in waiting:
            # A full queue is answered with 503.
            while await _answered(reader, writer, head, body) not in (200, 204):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        writer.close()

    async with asyncio.TaskGroup() as tasks:
        for _ in range(CONCURRENT):
            tasks.create_task(post())


async def _answered(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes, body: bytes
) -> int:
    """Status of a request. By hand: an HTTP library takes longer to ask than the edge to answer."""
    writer.write(b"%s\r\nContent-Length: %d\r\n\r\n" % (head, len(body)))
    writer.write(body)
    answer = await reader.readuntil(b"\r\n\r\n")
    length = _LENGTH.search(answer)
    await reader.readexactly(int(length[1]) if length else 0)
    return int(answer.split(b" ", 2)[1])


class _Watch:
    """Reads what the store has counted, in a thread; use as context manager."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._points: list[tuple[float, float]] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(LOOK_S):
            text = httpx.get(f"{self._url}/metrics").text
            counted = sum(
                float(line.rpartition(" ")[2])
                for line in text.splitlines()
                if line.startswith("vm_rows_inserted_total")
            )
            self._points.append((time.perf_counter(), counted))

    def steady(self, samples: int) -> float:
        """Slope through the middle of the run."""
        if not self._points:
            return 0.0
        last = self._points[-1][1]
        middle = [
            point
            for point in self._points
            if STEADY[0] <= 1 - (last - point[1]) / samples <= STEADY[1]
        ]
        if len(middle) < 3:  # noqa: PLR2004 - two points are one interval
            return 0.0
        times, counts = zip(*middle, strict=True)
        return statistics.linear_regression(times, counts).slope


def _until_visible(pool: Pool, some: list[Home]) -> None:
    """Until a reader sees every home's last record. Asks for the newest sample only: cheap.

    No question is asked twice: VictoriaMetrics remembers for up to 10 s which series matched a
    filter, so a reader who asked too early would have to wait for that.
    """
    deadline = time.monotonic() + VISIBLE_S_MAX
    newest = max(home.texts.newest_s for home in some)
    for number in itertools.count():
        selector = f'{{model=~"{some[0].model}|{number}"}}'
        answer = httpx.get(
            f"{pool.stack.victoria_url}/api/v1/query",
            params={
                "query": f"count(heatpump_power{selector}[1s])",
                "time": str(newest),
                "nocache": "1",
            },
            timeout=60,
        ).json()["data"]["result"]
        if answer and int(answer[0]["value"][1]) >= len(some):
            return
        if time.monotonic() > deadline:
            raise RuntimeError("samples do not become visible")
        time.sleep(0.1)


def _check(pool: Pool, some: list[Home]) -> None:
    """Not a race to be won by losing: every record of some homes is there."""
    for home in some[:: max(1, len(some) // 20)]:
        expected = home.texts.records * len(FIELDS)
        names = "|".join(FIELDS)
        selector = f'{{installation="{home.pseudonym}",__name__=~"heatpump_({names})"}}'
        found = pool.wait_until_counted(selector, expected, 10)
        if found != expected:
            raise RuntimeError(f"{found} of {expected} samples of a home")


def rest(pool: Pool) -> None:
    """Until the writer has acknowledged everything: acknowledgements cost the next run nothing."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        time.sleep(1)
        if pool.metrics("writer").get("heatpool_writer_in_hand_samples", 0) == 0:
            return


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system
