"""The trainer at scale: counting against river, a fleet from nothing, and with one more day.

In: numbers of homes. Out: lines for people, and JSON. Guarantee: the trainer's own child process
trains what a real VictoriaMetrics exports; the homes' readings are copies of a few simulated ones,
moved by a little noise of their own, because it is the amount that is measured here and not the
quality; memory is that of the training and its helpers, sampled, what they share counted once.

    python bench/trainer/trainer_bench.py --homes 50 100 200 --days 30 --json .bench/trainer.json
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import shutil
import subprocess
import tempfile
import threading
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, Self

import httpx
import msgspec
import numpy as np
import psutil
from river.anomaly import HalfSpaceTrees

from heatpool_chassis.victoria import Victoria, VictoriaUrls
from heatpool_deploy.free_ports import free_port
from heatpool_deploy.stack import victoria_binary
from heatpool_fleet.homes import make_homes
from heatpool_fleet.simulation import simulate
from heatpool_trainer import child, forest
from heatpool_trainer.export import DAY_MS, Window
from heatpool_trainer.training import Job, Progress, Trained

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from heatpool_trainer.native import Floats, Integers

MODEL: Final = "bench"
PATTERNS: Final = 10  # simulated homes that the others are copies of
FIELDS: Final = (
    "temp_outdoor",
    "temp_flow",
    "temp_return",
    "power_electric",
    "power_thermal",
    "compressor_freq",
    "pressure_high",
    "pressure_low",
    "fan_speed",
    "flow_rate",
    "status",
)  # eleven
START_DAY: Final = 20_454  # 2026-01-01
LINE_SAMPLES: Final = 10_000
NOISE: Final = 1e-3
TURNS: Final = 9
RIVER_ROWS: Final = 400  # a turn
OUR_ROWS: Final = 20_000


class Took(NamedTuple):
    """One training."""

    seconds: float
    cpu_s: float
    """Of the training and its helpers; on a machine with other work a steadier measure."""
    mib_max: float
    stages: dict[str, float]
    trained: Trained


class Filled(NamedTuple):
    """Homes that are measured, and those already in the store."""

    wanted: int
    there: int


class Result(msgspec.Struct):
    """All figures."""

    figures: dict[str, dict[str, float]] = msgspec.field(default_factory=dict)

    def add(self, what: str, took: Took, homes: int) -> None:
        """Print and remember one training."""
        stages = {f"{name}_s": seconds for name, seconds in took.stages.items()}
        self.figures[what] = {
            "s": took.seconds,
            "cpu_s": took.cpu_s,
            "mib_max": took.mib_max,
            **stages,
        }
        print(
            f"{what}: {took.seconds:.1f} s ({took.seconds / homes:.2f} s a home), "
            f"processor {took.cpu_s:.1f} s, {took.mib_max:.0f} MiB, "
            f"{took.trained.outcome} {took.trained.reasons}, "
            f"{took.trained.days_exported} days exported, {took.trained.days_kept} kept"
        )
        parts = (f"{name} {seconds:.1f} s" for name, seconds in took.stages.items())
        print("  " + ", ".join(parts), flush=True)


def counting(trees: int, height: int, features: int) -> dict[str, float]:
    """Vectors a second, here and by river's own loop, turn by turn; and that both count the same.

    Medians over the turns, since others may be at work on the machine.
    """
    vectors = np.random.default_rng(1).normal(0.5, 0.1, (TURNS * OUR_ROWS, features))
    taught = vectors[: 1 + TURNS * RIVER_ROWS]
    structure = forest.structure(features, trees, height, 1)
    forest.count_masses(structure, vectors[:8])
    names = [f"{i:02d}" for i in range(features)]
    rows = [dict(zip(names, row, strict=True)) for row in taught.tolist()]
    model = HalfSpaceTrees(n_trees=trees, height=height, window_size=len(rows), seed=1)
    model.learn_one(rows[0])  # type: ignore[no-untyped-call]  # draws the trees, which is not counted
    ours, rivers = [], []
    for turn in range(TURNS):
        some = vectors[turn * OUR_ROWS : (turn + 1) * OUR_ROWS]
        few = rows[1 + turn * RIVER_ROWS : 1 + (turn + 1) * RIVER_ROWS]
        ours.append(OUR_ROWS / _timed(partial(forest.count_masses, structure, some)))
        rivers.append(RIVER_ROWS / _timed(partial(_learn, model, few)))
    _trees, learnt = forest.arrays_from_river(model, names)
    counted = forest.forest(0, forest.count_masses(structure, taught))
    return {
        "river_per_s": float(np.median(rivers)),
        "ours_per_s": float(np.median(ours)),
        "ratio": float(np.median(np.array(ours) / np.array(rivers))),
        "equal": float(counted.r_mass == learnt.r_mass),
    }


def _learn(model: HalfSpaceTrees, rows: Iterable[dict[str, float]]) -> None:
    for row in rows:
        model.learn_one(row)  # type: ignore[no-untyped-call]


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


async def fill(url: str, homes: int, days: int, first_home: int) -> None:
    """Import homes `first_home` to `homes`."""
    patterns = [
        {name: one.columns[name] for name in FIELDS}
        for one in simulate(make_homes(PATTERNS, 3), START_DAY * 86_400.0, float(days), 60.0, 3)
    ]
    stamps = START_DAY * DAY_MS + (np.arange(days * 1440) + 1) * 60_000
    async with Victoria(VictoriaUrls(url, url, url), timeout_s=120.0) as store:
        for home in range(first_home, homes):
            chance = np.random.default_rng(home)
            lines = []
            for name, column in patterns[home % PATTERNS].items():
                moved = column * (1.0 if name == "status" else 1.0 + chance.normal(0.0, NOISE))
                values = np.round(moved, 2)
                for start in range(0, values.size, LINE_SAMPLES):
                    part = slice(start, start + LINE_SAMPLES)
                    lines.append(_line(f"heatpump_{name}", home, values[part], stamps[part]))
            await store.import_lines(lines)
        await store.force_flush()


def _line(name: str, home: int, values: Floats, stamps: Integers) -> bytes:
    metric = {"__name__": name, "installation": f"{home:032x}", "model": MODEL}
    return msgspec.json.encode(
        {"metric": metric, "values": values.tolist(), "timestamps": stamps.tolist()}
    )


async def trained(url: str, homes: int, days: int, folder: Path, *, kept: bool) -> Took:
    """One training in the trainer's own child process."""
    job = Job(
        model=MODEL,
        victoria_read_url=url,
        window=Window(START_DAY, START_DAY + days),
        homes=tuple(f"{home:032x}" for home in range(homes)),
        installations_min=5,
        samples_min=1,
        folder=str(folder / "work"),
        days=str(folder / "days") if kept else None,
        days_bytes_max=64 * 1024**3,
        processes=os.cpu_count() or 1,
    )
    stages: dict[str, float] = {}
    stage, since = "begin", time.perf_counter()

    def told(progress: Progress) -> None:
        nonlocal stage, since
        now = time.perf_counter()
        stages[stage] = stages.get(stage, 0.0) + now - since
        stage, since = progress.stage.partition(" ")[0], now

    with _Memory() as memory:
        began, worked = time.perf_counter(), _children_s()
        outcome = await child.run(job, told)
        seconds, cpu_s = time.perf_counter() - began, _children_s() - worked
    told(Progress("end", 1.0))
    return Took(seconds, cpu_s, memory.mib_max, stages, outcome)


def _children_s() -> float:
    """Processor time of children that have ended, and of theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class _Memory:
    """Sum of the proportional sets of the training and its helpers, as high as it gets.

    Helpers are forked: their resident sets count what they share with the training again.
    """

    mib_max = 0.0

    def __enter__(self) -> Self:
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        own = psutil.Process()
        while not self._done.wait(0.25):
            total = 0
            for process in own.children(recursive=True):
                try:
                    if "victoria" not in process.name():
                        total += process.memory_full_info().pss
                except psutil.Error:
                    continue  # ended meanwhile
            self.mib_max = max(self.mib_max, total / 2**20)


def started(folder: Path) -> tuple[subprocess.Popen[bytes], str]:
    """A VictoriaMetrics."""
    port = free_port()
    process = subprocess.Popen(
        [
            victoria_binary(),
            f"-storageDataPath={folder}",
            f"-httpListenAddr=127.0.0.1:{port}",
            "-dedup.minScrapeInterval=1ms",
            "-retentionPeriod=10y",
            "-search.latencyOffset=0s",
            "-loggerLevel=ERROR",
        ],
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    for _ in range(200):
        try:
            httpx.get(f"{url}/health").raise_for_status()
            break
        except httpx.HTTPError:
            time.sleep(0.05)
    return process, url


def main() -> None:
    """Print lines, write JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--homes", type=int, nargs="+", default=[25, 50, 100])
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--store", type=Path, help="keep the store here between runs")
    options = parser.parse_args()
    result = Result()
    for trees, height, features in ((50, 6, 11), (100, 8, 10)):
        found = counting(trees, height, features)
        result.figures[f"counting_{trees}x{height}"] = found
        print(
            f"counting {trees} trees of height {height}: {found['ours_per_s']:,.0f} vectors/s, "
            f"river {found['river_per_s']:,.0f}/s, {found['ratio']:.0f} times; "
            f"masses {'equal' if found['equal'] else 'DIFFER'}",
            flush=True,
        )
    folder = Path(tempfile.mkdtemp(prefix="heatpool-bench-"))
    store = options.store or folder / "victoria"
    process, url = started(store)
    try:
        mark = store / "filled"
        for homes in options.homes:
            sizes = Filled(homes, int(mark.read_text()) if mark.exists() else 0)
            asyncio.run(measured(url, sizes, options.days, folder, result))
            mark.write_text(str(max(sizes)))
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(folder)
    if options.json:
        options.json.write_bytes(msgspec.json.encode(result))


async def measured(url: str, sizes: Filled, days: int, folder: Path, result: Result) -> None:
    """From nothing, then all but the last day, then that."""
    homes = sizes.wanted
    if homes > sizes.there:
        await fill(url, homes, days, sizes.there)
    bare = await trained(url, homes, days, folder, kept=False)
    result.add(f"{homes} homes x {days} days from nothing", bare, homes)
    await trained(url, homes, days - 1, folder, kept=True)
    more = await trained(url, homes, days, folder, kept=True)
    result.add(f"{homes} homes, one more day", more, homes)
    same = more.trained.payload == bare.trained.payload
    print(
        f"  {bare.seconds / more.seconds:.1f} times faster than from nothing, "
        f"bytes {'equal' if same else 'DIFFER'}",
        flush=True,
    )
    shutil.rmtree(folder / "days")


if __name__ == "__main__":
    main()
