"""`make bench`: the pipeline beside vmagent and beside the bare store, and its growth with homes.

In: nothing. Out: two tables (and a plot with `--plot FILE`). Every way brings the same samples into
the same VictoriaMetrics, in turns; the clock runs from the first request until a reader sees the
last sample. JetStream syncs every write; vmagent syncs nothing and answers before it has sent.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import httpx
import matplotlib.pyplot as plt
import psutil
from bodies import FIELDS, Home, homes
from pool import Pool
from servers import Server

from heatpool_chassis.topology import Sizes
from heatpool_deploy import keys
from heatpool_deploy.free_ports import free_port

if TYPE_CHECKING:
    from collections.abc import Callable

RECORDS: Final = 1440
CONCURRENT: Final = 8
SIZES: Final = Sizes(telemetry_bytes_max=8 * 1024**3)
CPU_S_MIN: Final = 0.05  # less is not worth a column
VISIBLE_S_MAX: Final = 300.0
PROCESSES: Final = ("ingest", "nats", "writer", "victoria")


class Run(NamedTuple):
    """What one way took."""

    samples: int
    seconds: float
    cpu_s: dict[str, float]

    @property
    def rate(self) -> float:
        """Samples a second."""
        return self.samples / self.seconds


class Way(NamedTuple):
    """One way into the store."""

    url: str
    body: Callable[[Home], bytes]
    headers: dict[str, str]


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batches", type=int, default=200)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--homes", type=int, nargs="*", default=[100, 300, 1000, 3000, 10_000])
    parser.add_argument("--plot", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        pool = Pool(Path(folder), sizes=SIZES)
        pool.start(PROCESSES)
        agent = _vmagent(Path(folder), pool.stack.victoria_url)
        agent.start()
        try:
            _compare(pool, agent, arguments.batches, arguments.repeat)
            agent.stop()
            _grow(pool, arguments.homes, arguments.plot)
        finally:
            agent.stop()
            pool.stop()


def _compare(pool: Pool, agent: Server, batches: int, repeat: int) -> None:
    key = pool.stack.secret(keys.PSEUDONYM_KEY).encode()
    ways = {
        "heatpool": _edge(pool),
        "vmagent": Way(agent.health_url.replace("/health", "/write"), Home.line_protocol, {}),
        "bare import": Way(f"{pool.stack.victoria_url}/api/v1/import", Home.import_lines, {}),
    }
    runs: dict[str, list[Run]] = {name: [] for name in ways}
    for turn in range(repeat + 1):
        for name, way in ways.items():
            some = homes(batches, f"{name} {turn}", RECORDS, int(time.time()), key)
            run = _measure(pool, agent, way, some)
            if turn:  # the first one warms caches up
                runs[name].append(run)
            _rest(pool)
    _out(f"{batches} batches of {RECORDS} records x {len(FIELDS)} fields, median of {repeat}")
    _out(f"{'way':<12}{'samples/s':>11}{'s':>7}  CPU s per million samples")
    rates = {}
    for name, several in runs.items():
        rates[name] = statistics.median(run.rate for run in several)
        seconds = statistics.median(run.seconds for run in several)
        cpu = "  ".join(
            f"{process} {statistics.median(_per_million(run, process) for run in several):.2f}"
            for process in several[0].cpu_s
            if any(run.cpu_s[process] > CPU_S_MIN for run in several)
        )
        _out(f"{name:<12}{rates[name]:>11,.0f}{seconds:>7.2f}  {cpu}")
    _out(
        f"heatpool / vmagent     {rates['heatpool'] / rates['vmagent']:.2f}   (at least 1, aim 1.5)"
    )
    _out(f"heatpool / bare import {rates['heatpool'] / rates['bare import']:.2f}   (at least 0.5)")


def _grow(pool: Pool, counts: list[int], plot: Path | None) -> None:
    """One hour of every home: does the cost of a sample depend on the number of homes?"""
    key = pool.stack.secret(keys.PSEUDONYM_KEY).encode()
    _out(f"\none hour of every home, 60 records x {len(FIELDS)} fields, one request each")
    _out(f"{'homes':>7}{'s':>8}{'samples/s':>11}{'ms a home':>11}  CPU s per million samples")
    points = []
    for count in counts:
        some = homes(count, f"grow {count}", 60, int(time.time()), key)
        run = _measure(pool, None, _edge(pool), some)
        cpu = "  ".join(f"{name} {_per_million(run, name):.2f}" for name in PROCESSES)
        each_ms = run.seconds / count * 1000
        _out(f"{count:>7}{run.seconds:>8.2f}{run.rate:>11,.0f}{each_ms:>11.2f}  {cpu}")
        points.append((count, run))
        _rest(pool)
    if plot:
        _plot(points, plot)


def _measure(pool: Pool, agent: Server | None, way: Way, some: list[Home]) -> Run:
    bodies = [way.body(home) for home in some]
    found = {name: _process(pool.processes[name].pid) for name in PROCESSES}
    if agent is not None and agent.process is not None:
        found["vmagent"] = psutil.Process(agent.process.pid)
    before = {name: _cpu_s(process) for name, process in found.items()}
    started = time.perf_counter()
    asyncio.run(_post_all(way, bodies))
    _until_visible(pool, some)
    seconds = time.perf_counter() - started
    cpu = {name: _cpu_s(process) - before[name] for name, process in found.items()}
    samples = sum(len(home.rows) for home in some) * len(FIELDS)
    _check(pool, some)
    return Run(samples, seconds, cpu)


async def _post_all(way: Way, bodies: list[bytes]) -> None:
    waiting = iter(bodies)
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json", **way.headers}

    async def post(client: httpx.AsyncClient) -> None:
        for body in waiting:
            while True:  # a full queue is answered with 503
                answer = await client.post(way.url, content=body, headers=headers)
                if answer.status_code in (200, 204):
                    break
                await asyncio.sleep(0.05)

    async with httpx.AsyncClient(timeout=60) as client, asyncio.TaskGroup() as tasks:
        for _ in range(CONCURRENT):
            tasks.create_task(post(client))


def _until_visible(pool: Pool, some: list[Home]) -> None:
    """Until a reader sees every home's last record. Asks for the newest sample only: cheap.

    No question is asked twice: VictoriaMetrics remembers for up to 10 s which series matched a
    filter, so a reader who asked too early would have to wait for that.
    """
    deadline = time.monotonic() + VISIBLE_S_MAX
    newest = max(stamp for stamp, _values in some[0].rows)
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
        expected = len(home.rows) * len(FIELDS)
        names = "|".join(FIELDS)
        selector = f'{{installation="{home.pseudonym}",__name__=~"heatpump_({names})"}}'
        found = pool.wait_until_counted(selector, expected, 10)
        if found != expected:
            raise RuntimeError(f"{found} of {expected} samples of a home")


def _rest(pool: Pool) -> None:
    """Until the writer has acknowledged everything: acknowledgements cost the next run nothing."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        time.sleep(1)
        if pool.metrics("writer").get("heatpool_writer_in_hand_samples", 0) == 0:
            return


def _edge(pool: Pool) -> Way:
    return Way(
        f"{pool.stack.ingest_url}/api/v1/submit",
        Home.request,
        {"Authorization": f"Bearer {pool.token}"},
    )


def _vmagent(folder: Path, store_url: str) -> Server:
    port = free_port()
    return Server(
        [
            "vmagent",
            f"-httpListenAddr=127.0.0.1:{port}",
            f"-remoteWrite.url={store_url}/api/v1/write",
            f"-remoteWrite.tmpDataPath={folder / 'vmagent'}",
            "-loggerLevel=WARN",
        ],
        folder / "vmagent.log",
        f"http://127.0.0.1:{port}/health",
    )


def _process(pid: int) -> psutil.Process:
    return psutil.Process(pid)


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def _per_million(run: Run, process: str) -> float:
    return run.cpu_s[process] / run.samples * 1e6


def _plot(points: list[tuple[int, Run]], path: Path) -> None:
    figure, axes = plt.subplots(figsize=(6, 4))
    counts = [count for count, _run in points]
    axes.loglog(counts, [run.seconds for _count, run in points], "o-", label="measured")
    slope = points[-1][1].seconds / counts[-1]
    axes.loglog(counts, [slope * count for count in counts], "--", label="linear")
    axes.set_xlabel("homes, one hour each")
    axes.set_ylabel("seconds until visible")
    axes.legend()
    figure.savefig(path)


def _out(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
