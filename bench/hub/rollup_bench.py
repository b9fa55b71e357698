"""The nightly rollup over 10,000 homes of one model: how long, how much memory, who waits for it.

In: nothing. Out: a table, and JSON with `--json`. VictoriaMetrics is filled with a day of one
reading a minute in 8 fields of every home (115 million samples; the values of 100 homes, each under
100 names, imported in its own format) and with 30 days of daily values. Then the job runs once
beside a hub that answers, and averages and rankings are asked for over HTTP.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import random
import resource
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final

import httpx
import msgspec
import psutil

ROOT: Final = Path(__file__).parent.parent.parent
sys.path[:0] = [str(ROOT / "tests")]

from servers import NatsServer, VictoriaServer  # noqa: E402 - on the path from here
from simulators.running_hub import (  # noqa: E402
    BEARER,
    RunningHub,
    contributor,
    name_of,
    settings,
)

from heatpool_chassis import bus  # noqa: E402
from heatpool_chassis.lifecycle import Lifecycle  # noqa: E402
from heatpool_chassis.topology import Sizes, topology  # noqa: E402
from heatpool_chassis.victoria import Victoria, VictoriaUrls  # noqa: E402
from heatpool_contract import registry  # noqa: E402
from heatpool_contract.community import METRICS  # noqa: E402
from heatpool_contract.registry import DAY_MS  # noqa: E402
from heatpool_contract.subjects import KV_INSTALLATIONS  # noqa: E402
from heatpool_modelhub.rollup import DAILY, SETTLE_MS, RollupJob  # noqa: E402
from heatpool_modelhub.statistics import Rules  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from nats.aio.client import Client

HOMES: Final = 10_000
TEMPLATES: Final = 100
MODEL: Final = "aero_bench"
MIB: Final = 1024**2
MINUTES: Final = 1440
STANDBY_WATTS: Final = 12.0
DAYS: Final = 30
ASKED: Final = 500
SIZES: Final = Sizes(
    telemetry_bytes_max=64 * MIB, deadletter_bytes_max=64 * MIB, models_bytes_max=64 * MIB
)


def home(number: int) -> str:
    """Id of a home."""
    return f"00000000-0000-4000-8000-{number:012d}"


NAMES: Final = [name_of(home(number)) for number in range(HOMES)]  # type: ignore[arg-type]  # ids


def readings(number: int) -> dict[str, list[float]]:
    """One day of a home: the compressor runs 20 of every 60 minutes, more at some homes."""
    chance = random.Random(number)
    cop, run_min = chance.uniform(2.5, 4.5), chance.randrange(15, 50)
    on = [minute % 60 < run_min for minute in range(MINUTES)]
    power = [round(chance.uniform(1500, 2500), 0) if runs else STANDBY_WATTS for runs in on]
    outdoor = [round(5 + 4 * math.sin(minute / 229), 1) for minute in range(MINUTES)]
    flow = [round(35 + chance.gauss(0, 0.5) + 3 * runs, 1) for runs in on]
    return {
        "temp_outdoor": outdoor,
        "temp_flow": flow,
        "temp_return": [round(value - 5, 1) for value in flow],
        "temp_dhw": [round(48 + chance.gauss(0, 0.3), 1) for _ in on],
        "compressor_freq": [round(45 + chance.gauss(0, 4)) * runs for runs in on],
        "flow_rate": [1200.0 * runs for runs in on],
        "power_electric": power,
        "power_thermal": [
            round(value * cop, 0) if value > STANDBY_WATTS else 0.0 for value in power
        ],
    }


def line(name: str, who: str, values: list[float], stamps: list[int]) -> bytes:
    """A series for the import."""
    labels = {"__name__": name, "installation": who, "model": MODEL}
    return msgspec.json.encode({"metric": labels, "values": values, "timestamps": stamps})


async def fill(store: Victoria, day: int) -> None:
    """A day of readings of every home, and daily values of the month before."""
    stamps = [day * DAY_MS + minute * 60_000 for minute in range(MINUTES)]
    for number in range(TEMPLATES):
        lines = [
            line(f"heatpump_{field}", NAMES[number], values, stamps)
            for field, values in readings(number).items()
        ]
        await store.import_lines(lines)
    await store.force_flush()
    selector = '{__name__=~"heatpump_.+"}'
    native = b"".join([part async for part in store.export_native(selector)])
    for copy in range(1, HOMES // TEMPLATES):
        await store.import_native(_renamed(native, copy))
    chance = random.Random(0)
    ends = [(day - back) * DAY_MS - 1 for back in range(DAYS)]
    for metric in METRICS:
        for first in range(0, HOMES, 1000):
            await store.import_lines(
                [
                    line(f"{DAILY}{metric}", who, [chance.uniform(2.5, 4.5) for _ in ends], ends)
                    for who in NAMES[first : first + 1000]
                ]
            )
    await store.force_flush()


async def _renamed(native: bytes, copy: int) -> AsyncIterator[bytes]:
    """The blocks of the templates under the names of other homes; names have one length."""
    for number in range(TEMPLATES):
        old, new = NAMES[number], NAMES[copy * TEMPLATES + number]
        native = native.replace(old.encode(), new.encode())
    yield native


class Watch:
    """What the job costs others: the loop's longest pause, the store's greatest memory."""

    def __init__(self, store: psutil.Process) -> None:
        self.pause_ms_max = 0.0
        self.store_mib_max = 0.0
        self._store = store

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            started = time.perf_counter()
            await asyncio.sleep(0.005)
            self.pause_ms_max = max(
                self.pause_ms_max, (time.perf_counter() - started - 0.005) * 1e3
            )
            self.store_mib_max = max(self.store_mib_max, self._store.memory_info().rss / MIB)


async def measure(folder: Path) -> dict[str, float]:
    """All figures."""
    nats, victoria = NatsServer(folder / "nats"), VictoriaServer(folder / "victoria")
    nats.start()
    victoria.start()
    life = Lifecycle("bench")
    client = await bus.connect(life, nats.url, bus.Identity(), buffered=True)
    await bus.provision(client, topology(SIZES))
    urls = VictoriaUrls(victoria.url, victoria.url, victoria.url)
    try:
        async with Victoria(urls, timeout_s=120) as store:
            return await _measured(client, life, store, victoria)
    finally:
        await client.close()
        victoria.stop()
        nats.stop()


async def _measured(
    client: Client, life: Lifecycle, store: Victoria, victoria: VictoriaServer
) -> dict[str, float]:
    hub = RunningHub(client, life, settings(), store)
    hub.now_s = time.time()
    now_ms = int(hub.now_s * 1000)
    day = (now_ms - SETTLE_MS) // DAY_MS - 1
    entry = contributor(model=MODEL, day_last=day, last_ms=day * DAY_MS)
    for name in NAMES:
        await client.publish(f"$KV.{KV_INSTALLATIONS}.{name}", registry.encode(entry))
    await client.flush(60)
    await hub.start()
    started = time.perf_counter()
    await fill(store, day)
    if victoria.process is None:
        raise RuntimeError("the store has gone")
    process = psutil.Process(victoria.process.pid)
    found = {
        "fill_s": time.perf_counter() - started,
        "store_mib_before": process.memory_info().rss / MIB,
    }
    watch = Watch(process)
    watching = asyncio.create_task(watch.run())
    before_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    cpu_s, store_cpu_s = time.process_time(), sum(process.cpu_times()[:2])
    started = time.perf_counter()
    job = RollupJob(client, store, hub.parts.registry, Rules(), "bench", hub.log)
    if await job.look(now_ms) != day:
        raise RuntimeError("the job did nothing")
    found |= {
        "rollup_s": time.perf_counter() - started,
        "rollup_hub_cpu_s": time.process_time() - cpu_s,
        "rollup_store_cpu_s": sum(process.cpu_times()[:2]) - store_cpu_s,
        "rollup_loop_pause_ms_max": watch.pause_ms_max,
        "rollup_hub_mib_grown": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        - before_mib,
        "rollup_store_mib_max": watch.store_mib_max,
    }
    watching.cancel()
    await hub.until(lambda: f"{MODEL}.30d.cop" in hub.parts.community._snapshots)  # noqa: SLF001
    for window in ("1d", "30d"):
        found |= await _asked(hub, "averages", model=MODEL, window=window)
        found |= await _asked(hub, "ranking", window=window)
    await hub.stop()
    return found


async def _asked(hub: RunningHub, what: str, **params: str) -> dict[str, float]:
    """Latencies of one request after the other."""
    took_ms = []
    for number in range(ASKED):
        query = params if what == "averages" else params | {"installation_id": home(number)}
        started = time.perf_counter()
        answer = await hub.http.get(f"/api/v1/community/{what}", params=query, headers=BEARER)
        took_ms.append((time.perf_counter() - started) * 1000)
        if answer.status_code != httpx.codes.OK:
            raise RuntimeError(answer.text)
    took_ms.sort()
    name = f"{what}_{params['window']}"
    return {f"{name}_p50_ms": median(took_ms), f"{name}_p99_ms": took_ms[int(0.99 * ASKED)]}


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(measure(Path(folder)))
    for name, value in found.items():
        print(f"{name:28} {value:10.1f}")
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
