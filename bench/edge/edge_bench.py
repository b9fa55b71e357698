"""`make bench-edge`: the edge beside its yardstick, on the same cores, in one run.

In: nothing. Out: tables on standard output, figures as JSON beside. Medians of `--runs` rounds; the
servers are started anew for each size; the load comes from wrk, where it matters what it costs.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import itertools
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import psutil
import uvloop

ROOT = Path(__file__).parent.parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(Path(__file__).parent)]

import load  # noqa: E402 - after the path
from servers import NatsServer, Server, VictoriaServer  # noqa: E402 - after the path

from heatpool_chassis import bus  # noqa: E402 - after the path
from heatpool_chassis.lifecycle import Lifecycle  # noqa: E402 - after the path
from heatpool_chassis.topology import Sizes, topology  # noqa: E402 - after the path
from heatpool_deploy.free_ports import free_port  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

TOKEN = "b3nch-of-the-edge-0123456789"  # noqa: S105 - of this run alone
MIB = 1024 * 1024
SLICE_S = 3
SETTLE_S = 1.0  # what wrk leaves half done is not to burden the next one
SIZES = Sizes(
    telemetry_bytes_max=3 * 1024**3, deadletter_bytes_max=64 * MIB, models_bytes_max=64 * MIB
)


class Process:
    """One edge under load."""

    def __init__(self, port: int, pid: int, server_pid: int, url: str) -> None:
        self.port = port
        self._url = url
        self._process = psutil.Process(pid)
        self._server = psutil.Process(server_pid)

    def _family(self) -> list[psutil.Process]:
        return [self._process, *self._process.children(recursive=True)]

    def cpu_s(self) -> float:
        """CPU time so far, children included."""
        return sum(sum(each.cpu_times()[:2]) for each in self._family())

    def stack_cpu_s(self) -> float:
        """The same with the server that makes it durable (or, for the yardstick, stores it)."""
        return self.cpu_s() + sum(self._server.cpu_times()[:2])

    def loop_stall_ms_max(self) -> dict[str, float]:
        """The longest stall of the edge's event loop so far: in all, and by its own computing."""
        metrics = self._url.replace("/health/ready", "/metrics")
        with urllib.request.urlopen(metrics, timeout=5) as answer:  # noqa: S310 - loopback
            found = re.findall(
                r'^heatpool_ingest_loop_stall_longest_seconds\{part="(\w+)"\} (\S+)$',
                answer.read().decode(),
                re.MULTILINE,
            )
        return {f"stall_{part}_max_ms": float(value) * 1000 for part, value in found}

    def resident_bytes(self) -> int:
        """Resident memory now, children included."""
        return sum(each.memory_info().rss for each in self._family())


class Row(msgspec.Struct):
    """One scenario: medians."""

    name: str
    records_per_s: float
    requests_per_s: float
    p50_ms: float
    p99_ms: float
    mib_per_cpu_s: float
    """JSON taken by a second of the edge's processor time."""
    mib_per_stack_cpu_s: float
    """The same with nats-server's (the yardstick's: VictoriaMetrics') time in it."""
    spread: float
    """(Largest - smallest) / median of the runs: how noisy the machine was."""


@contextmanager
def baseline(*, threads: bool) -> Iterator[Process]:
    """The yardstick and its VictoriaMetrics."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        store = VictoriaServer(Path(folder))
        store.start()
        stack.callback(store.stop)
        port = free_port()
        yield stack.enter_context(
            _process(
                [str(Path(__file__).with_name("baseline.py"))],
                port,
                f"http://127.0.0.1:{port}/docs",
                URL=store.url,
                TOKEN=TOKEN,
                PORT=str(port),
                THREADS=str(int(threads)),
                server=store,
            )
        )


@contextmanager
def edge(*, sync_always: bool, workers: int = 1) -> Iterator[Process]:
    """The edge and its nats-server."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        server = NatsServer(Path(folder))
        if not sync_always:
            config = Path(folder) / "nats.conf"
            config.write_text(config.read_text().replace(", sync_interval: always", ""))
        server.start()
        stack.callback(server.stop)
        asyncio.run(_provision(server.url))
        port, private = free_port(), free_port()
        settings = {
            "TOKENS": TOKEN,
            "PSEUDONYM_KEY": "b" * 32,
            "RECEIPT_KEY": "c" * 32,
            "NATS_URL": server.url,
            "PORT": str(port),
            "PRIVATE_PORT": str(private),
            "WORKER_PROCESSES": str(workers),
            "QUOTA_RECORDS_BURST": "1000000000",
        }
        yield stack.enter_context(
            _process(
                ["-m", "heatpool_ingest"],
                port,
                f"http://127.0.0.1:{private}/health/ready",
                **{f"HEATPOOL_INGEST_{key}": value for key, value in settings.items()},
                server=server,
            )
        )


@contextmanager
def _process(
    arguments: list[str], port: int, url: str, *, server: Server, **environment: str
) -> Iterator[Process]:
    process = subprocess.Popen(
        [sys.executable, *arguments],
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
    )
    try:
        while not _answers(url):
            if process.poll() is not None:
                raise RuntimeError(f"{arguments} ended with {process.returncode}")
            time.sleep(0.05)
        assert server.process is not None  # noqa: S101 - started above
        yield Process(port, process.pid, server.process.pid, url)
    finally:
        process.terminate()
        process.wait()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - loopback
            return bool(answer.status == 200)  # noqa: PLR2004 - HTTP
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


async def _provision(url: str) -> None:
    client = await bus.connect(Lifecycle("bench"), url, bus.Identity(), buffered=True)
    await bus.provision(client, topology(SIZES))
    await client.close()


class Contender:
    """One service under load, slice by slice."""

    def __init__(self, name: str, process: Process, records: int, connections: int) -> None:
        self.name = name
        self.rates: list[float] = []
        """Requests a second, one figure a slice."""
        self._process = process
        self._records = records
        self._connections = connections
        self._sent = 1_000_000
        """Number of the next submission: each is another one."""
        self._size = len(next(load.bodies(records)))
        self._cpu: list[float] = []
        self._stack_cpu: list[float] = []
        self._figures: list[load.Figures] = []
        self._loaded(1)

    def slice(self) -> None:
        """Take a slice of load and keep its figures."""
        time.sleep(SETTLE_S)
        before_s, stack_before_s = self._process.cpu_s(), self._process.stack_cpu_s()
        figures = self._loaded(SLICE_S)
        assert not figures.not_200, figures  # noqa: S101 - else no figure counts
        mib = figures.requests * self._size / MIB
        self.rates.append(figures.requests / figures.seconds)
        self._cpu.append(mib / (self._process.cpu_s() - before_s))
        self._stack_cpu.append(mib / (self._process.stack_cpu_s() - stack_before_s))
        self._figures.append(figures)

    def row(self) -> Row:
        """The medians."""
        middle = statistics.median(self.rates)
        return Row(
            f"{self._records}: {self.name}",
            middle * self._records,
            middle,
            statistics.median(each.p50_ms for each in self._figures),
            statistics.median(each.p99_ms for each in self._figures),
            statistics.median(self._cpu),
            statistics.median(self._stack_cpu),
            (max(self.rates) - min(self.rates)) / middle,
        )

    def _loaded(self, seconds: int) -> load.Figures:
        figures = load.run_wrk(
            self._process.port,
            TOKEN,
            self._records,
            first=self._sent,
            connections=self._connections,
            seconds=seconds,
        )
        self._sent += figures.requests + self._connections  # those that were still on their way
        return figures


def throughput(records: int, connections: int, runs: int) -> tuple[list[Row], dict[str, float]]:
    """The table of the issue, and the ratios: each the median of those of the single rounds.

    All are started at once and take turns, so that a moment in which the machine was busy with
    something else meets all of them.
    """
    started = {
        "yardstick, async def": baseline(threads=False),
        "yardstick, def": baseline(threads=True),
        "edge, sync always": edge(sync_always=True),
        "edge, default sync": edge(sync_always=False),
    }
    with ExitStack() as stack:
        them = [
            Contender(name, stack.enter_context(each), records, connections)
            for name, each in started.items()
        ]
        for _run in range(runs):
            for each in them:
                each.slice()
    yardsticks, edges = them[:2], them[2:]
    ratios = {
        f"{records}: {ours.name} / {theirs.name}": statistics.median(
            our / their for our, their in zip(ours.rates, theirs.rates, strict=True)
        )
        for ours in edges
        for theirs in yardsticks
    }
    return [each.row() for each in them], ratios


def beside_large(workers: int, seconds: float) -> dict[str, float]:
    """Small requests and health probes while two homes upload 16 MiB at a time, one gzipped."""
    small, bodies = load.bodies(10), load.bodies(20_000, 33)
    ready = [next(bodies) for _request in range(40)]  # made before: it takes the load's own loop
    packed = [gzip.compress(body, 1) for body in ready[:5]]
    with edge(sync_always=True, workers=workers) as process:
        port = process.port

        def make(endless: Iterator[bytes], encoding: str = "") -> Callable[[], bytes]:
            return lambda: load.request(port, TOKEN, next(endless), encoding)

        def probe() -> bytes:
            return b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"

        def large(source: list[bytes], encoding: str = "") -> Awaitable[load.Result]:
            endless = itertools.cycle(source)
            return load.run(port, make(endless, encoding), connections=1, seconds=seconds)

        async def together() -> tuple[load.Result, load.Result, load.Result, load.Result]:
            return await asyncio.gather(
                load.run(port, make(small), connections=8, seconds=seconds, pause_s=0.02),
                load.run(port, probe, connections=1, seconds=seconds, pause_s=0.002),
                large(ready[5:]),
                large(packed, "gzip"),
            )

        found, health, plain, zipped = uvloop.run(together())
        stalls = process.loop_stall_ms_max()
    statuses = plain.statuses + zipped.statuses
    assert set(statuses) == {200}, statuses  # noqa: S101 - else no figure counts
    return {
        "small_p50_ms": found.quantile_ms(0.5),
        "small_p99_ms": found.quantile_ms(0.99),
        "health_p50_ms": health.quantile_ms(0.5),
        "health_p99_ms": health.quantile_ms(0.99),
        "health_max_ms": health.quantile_ms(1.0),
        **stalls,
        "large_requests": statuses[200],
        "large_mib_per_s": statuses[200] * len(ready[0]) / MIB / plain.seconds,
    }


def memory() -> dict[str, float]:
    """32 requests of 10 MB at the same time, twice."""
    endless = load.bodies(20_000, 20)
    with edge(sync_always=True) as process:
        idle = process.resident_bytes()
        wires = [load.request(process.port, TOKEN, next(endless)) for _request in range(32)]
        peak, done = [idle], threading.Event()

        def watch() -> None:
            while not done.wait(0.02):
                peak.append(process.resident_bytes())

        watcher = threading.Thread(target=watch)
        watcher.start()
        result = uvloop.run(load.run(process.port, wires.pop, connections=32, seconds=0.0001))
        done.set()
        watcher.join()
    return {
        "request_mb": len(next(endless)) / 1e6,
        "answered_200": result.statuses[200],
        "idle_mib": idle / MIB,
        "peak_mib": max(peak) / MIB,
        "seconds": result.seconds,
    }


_WIDTHS = 12, 10, 9, 9, 8, 8, 8


def _line(row: Row) -> str:
    return (
        f"{row.name:32}{row.records_per_s:12,.0f}{row.requests_per_s:10,.0f}{row.p50_ms:9.1f}"
        f"{row.p99_ms:9.1f}{row.mib_per_cpu_s:8.1f}"
        f"{row.mib_per_stack_cpu_s:8.1f}{row.spread:8.0%}"
    )


def main() -> None:
    """Run, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--only", choices=("10", "1440", "large", "memory"))
    arguments = parser.parse_args()
    wanted = (arguments.only,) if arguments.only else ("10", "1440", "large", "memory")
    report: dict[str, object] = {}
    for records, connections in ((10, 128), (1440, 16)):
        if str(records) in wanted:
            rows, ratios = throughput(records, connections, arguments.runs)
            _print_table(rows, ratios)
            report[str(records)] = {"rows": rows, "ratios": ratios}
    found: dict[str, dict[str, float]] = {}
    if "large" in wanted:
        found |= {"1 child": beside_large(1, 8), "no child": beside_large(0, 8)}
    if "memory" in wanted:
        found["memory"] = memory()
    for name, figures in found.items():
        print(f"{name}: " + ", ".join(f"{key} {value:.1f}" for key, value in figures.items()))
    if arguments.json:
        arguments.json.write_bytes(msgspec.json.format(msgspec.json.encode(report | found)))


def _print_table(rows: list[Row], ratios: dict[str, float]) -> None:
    head = "records/s", "req/s", "p50 ms", "p99 ms", "MiB/cpu", "/stack", "spread"
    print(f"{'records a request: who':32}", end="")
    print("".join(f"{name:>{width}}" for name, width in zip(head, _WIDTHS, strict=True)))
    for row in rows:
        print(_line(row))
    for name, ratio in ratios.items():
        print(f"{name:56}{ratio:6.1f}x", flush=True)


if __name__ == "__main__":
    main()
