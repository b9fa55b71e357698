"""`make bench-pipeline`: the pipeline beside vmagent and the bare store, and its growth with homes.

In: nothing. Out: two tables (and a plot with `--plot FILE`). Every way brings the same samples into
the same VictoriaMetrics, in turns; the clock runs from the first request until a reader sees the
last sample. JetStream syncs every write before the edge answers; vmagent, run as its documentation
says, answers before anything is durable or sent, and syncs nothing.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import matplotlib.pyplot as plt
from bodies import FIELDS, Texts, homes, texts_of
from measure import LOAD, PROCESSES, Run, Way, measure, rest
from pool import Pool
from servers import Server

from heatpool_chassis.topology import Sizes
from heatpool_deploy import keys
from heatpool_deploy.free_ports import free_port

RECORDS: Final = 1440
GROWTH_RECORDS: Final = 60
SIZES: Final = Sizes(telemetry_bytes_max=8 * 1024**3)
CPU_PER_MILLION_S_MIN: Final = 0.005  # less is not worth a column


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batches", type=int, default=800)
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
            if arguments.homes:
                _grow(pool, arguments.homes, arguments.plot)
        finally:
            agent.stop()
            pool.stop()


def _compare(pool: Pool, agent: Server, batches: int, repeat: int) -> None:
    ways = {
        "heatpool": _edge(pool),
        "vmagent": Way(agent.health_url.replace("/health", "/write"), _line_protocol, {}),
        "bare import": Way(f"{pool.stack.victoria_url}/api/v1/import", _import_lines, {}),
    }
    key = pool.stack.secret(keys.PSEUDONYM_KEY).encode()
    texts = texts_of(RECORDS, int(time.time()))
    runs: dict[str, list[Run]] = {name: [] for name in ways}
    for turn in range(repeat + 1):
        for name, way in ways.items():
            # The first turn warms caches up and is as long as it needs for that.
            some = homes(batches if turn else batches // 4, f"{name} {turn}", texts, key)
            run = measure(pool, agent.process.pid if agent.process else None, way, some)
            if turn:
                runs[name].append(run)
            rest(pool)
    _out(
        f"{batches} batches of {RECORDS} records x {len(FIELDS)} fields, median of {repeat};"
        " CPU: seconds for a million samples"
    )
    _out(f"{'way':<12}{'samples/s':>10}{'steady':>10}{'answered s':>11}{'visible s':>10}  CPU")
    for name, several in runs.items():
        _out(
            f"{name:<12}{_median(several, 'rate'):>10,.0f}{_median(several, 'steady'):>10,.0f}"
            f"{_median(several, 'answered_s'):>11.2f}{_median(several, 'seconds'):>10.2f}"
            f"  {_cpu(several)}"
        )
    for other, wanted in (("vmagent", "at least 1, aim 1.5"), ("bare import", "at least 0.5")):
        visible, steady = (
            _ratio(runs["heatpool"], runs[other], figure) for figure in ("rate", "steady")
        )
        _out(f"heatpool / {other:<12} {visible}, steady {steady}   ({wanted})")


def _ratio(ours: list[Run], theirs: list[Run], figure: str) -> str:
    """Median over turns; a turn of the other that was over too soon has no slope."""
    ratios = [
        getattr(one, figure) / getattr(other, figure)
        for one, other in zip(ours, theirs, strict=True)
        if getattr(other, figure) > 0
    ]
    return f"{statistics.median(ratios):.2f}" if ratios else "too short"


def _cpu(several: list[Run]) -> str:
    each = {
        process: statistics.median(run.per_million(process) for run in several)
        for process in several[0].cpu_s
    }
    total = sum(cpu_s for process, cpu_s in each.items() if process != LOAD)
    shown = " ".join(
        f"{process} {cpu_s:.2f}" for process, cpu_s in each.items() if cpu_s > CPU_PER_MILLION_S_MIN
    )
    return f"{total:.2f}: {shown}"


def _median(several: list[Run], figure: str) -> float:
    values: list[float] = [getattr(run, figure) for run in several]
    return statistics.median(values)


def _grow(pool: Pool, counts: list[int], plot: Path | None) -> None:
    """One hour of every home: does the cost of a sample depend on the number of homes?"""
    key = pool.stack.secret(keys.PSEUDONYM_KEY).encode()
    texts = texts_of(GROWTH_RECORDS, int(time.time()))
    _out(f"\none hour of every home, 60 records x {len(FIELDS)} fields, one request each")
    _out(f"{'homes':>7}{'s':>8}{'samples/s':>11}{'ms a home':>11}  CPU s per million samples")
    points = []
    for count in counts:
        run = measure(pool, None, _edge(pool), homes(count, f"grow {count}", texts, key))
        each_ms = run.seconds / count * 1000
        _out(f"{count:>7}{run.seconds:>8.2f}{run.rate:>11,.0f}{each_ms:>11.2f}  {_cpu([run])}")
        points.append((count, run))
        rest(pool)
    if plot:
        _plot(points, plot)


def _edge(pool: Pool) -> Way:
    token = {"Authorization": f"Bearer {pool.token}"}
    return Way(f"{pool.stack.ingest_url}/api/v1/submit", _request, token)


def _request(texts: Texts) -> str:
    return texts.request


def _line_protocol(texts: Texts) -> str:
    return texts.line_protocol


def _import_lines(texts: Texts) -> str:
    return texts.import_lines


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
