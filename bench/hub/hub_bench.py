"""The hub as a process beside a real nats-server: checks, downloads, averages at full registries.

In: nothing. Out: a table, and JSON with `--json`. Load and hub share the machine's cores: figures
are those of one hub process beside its load.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final

import psutil

ROOT: Final = Path(__file__).parent.parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "bench" / "edge"), str(ROOT / "bench" / "hub")]

import wrk  # noqa: E402 - on the path from here
from load import run  # noqa: E402
from servers import NatsServer  # noqa: E402
from simulators import publisher as pub  # noqa: E402
from simulators import running_hub as test_pool  # noqa: E402

from heatpool_chassis import bus  # noqa: E402
from heatpool_chassis.lifecycle import Lifecycle  # noqa: E402
from heatpool_chassis.topology import Sizes, topology  # noqa: E402
from heatpool_contract import community, registry, release  # noqa: E402
from heatpool_contract.registry import DAY_MS  # noqa: E402
from heatpool_contract.subjects import (  # noqa: E402
    KV_COMMUNITY,
    KV_INSTALLATIONS,
    KV_RELEASES,
    OBJECTS_MODELS,
)
from heatpool_deploy.free_ports import free_port  # noqa: E402
from heatpool_modelhub.statistics import Rules, next_snapshot  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

HOMES: Final = 100_000
ACTIVE: Final = 99_000  # the others have sent nothing for long
INACTIVE_DAYS: Final = 40
NAME: Final = "heatpool_modelhub_installations "
PAYLOAD_BYTES: Final = 825_000  # what `make demo` publishes
MIB: Final = 1024**2
TURNS: Final = 5  # of hub and nginx: the ratio of neighbours, since a machine changes its speed
SIZES: Final = Sizes(
    telemetry_bytes_max=64 * MIB, deadletter_bytes_max=64 * MIB, models_bytes_max=256 * MIB
)


def home(number: int) -> str:
    """Id of a home."""
    return f"00000000-0000-4000-8000-{number:012d}"


async def fill(url: str, payload_bytes: int) -> bytes:
    """All homes, a release (its file), and statistics over 10,000 homes."""
    client = await bus.connect(Lifecycle("bench"), url, bus.Identity(), buffered=True)
    await bus.provision(client, topology(SIZES))
    day = int(time.time()) * 1000 // DAY_MS
    entries = [
        registry.encode(
            test_pool.contributor(
                day_last=last, last_ms=last * DAY_MS, x25519=pub.box_public("home")
            )
        )
        for last in (day, day - INACTIVE_DAYS)
    ]
    for number in range(HOMES):
        entry = entries[number >= ACTIVE]
        name = test_pool.name_of(home(number))  # type: ignore[arg-type]  # a literal id
        await client.publish(f"$KV.{KV_INSTALLATIONS}.{name}", entry)
    await client.flush(60)
    js = client.jetstream(timeout=60)
    now_s = int(time.time())
    sealed = pub.release(
        random.Random(1).randbytes(payload_bytes), created_s=now_s, expires_s=now_s + 86_400
    )
    objects = await js.object_store(OBJECTS_MODELS)
    await objects.put(release.object_name(pub.MODEL, sealed.model_hash), sealed.blob)
    pointers = await js.key_value(KV_RELEASES)
    await pointers.put(pub.MODEL, release.encode(test_pool.pointer(test_pool.served(sealed))))
    statistics = await js.key_value(KV_COMMUNITY)
    chance = random.Random(2)
    for metric in community.METRICS:
        values = {f"{number:032x}": chance.uniform(2.5, 4.5) for number in range(10_000)}
        fresh = community.Snapshot(model=pub.MODEL, window="7d", metric=metric, day=day, stats=None)
        snapshot = next_snapshot(None, fresh, values, Rules())
        key = community.snapshot_key(pub.MODEL, "7d", metric)
        await statistics.put(key, community.encode(snapshot))
    await client.close()
    return sealed.blob


def environment(url: str, port: int, private: int) -> dict[str, str]:
    """Settings of the hub: those of the tests, without limits."""
    chosen = test_pool.settings()
    fields = {
        "TOKENS": test_pool.TOKEN,
        "PSEUDONYM_KEY": str(chosen.pseudonym_key),
        "HUB_PRIVATE_KEY": str(chosen.hub_private_key),
        "TIMESTAMP_KEY": str(chosen.timestamp_key),
        "NATS_URL": url,
        "PORT": str(port),
        "PRIVATE_PORT": str(private),
        "HOST_PER_S": "1e9",
        "INSTALLATION_PER_S": "1e9",
        "IDENTITY": "observe",
    }
    return {**os.environ, **{f"HEATPOOL_MODELHUB_{key}": text for key, text in fields.items()}}


def wait(port: int) -> None:
    """Until the hub is ready."""
    for _ in range(1200):
        try:
            url = f"http://127.0.0.1:{port}/health/ready"
            with urllib.request.urlopen(url, timeout=1):
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("the hub did not become ready")


def homes_known(port: int) -> int:
    """Entries of the registry that the hub holds."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        text = answer.read().decode()
    line = next(one for one in text.splitlines() if one.startswith(NAME))
    return int(float(line.rpartition(" ")[2]))


def wire(port: int, path: str) -> bytes:
    """A GET."""
    return (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        f"Authorization: Bearer {test_pool.TOKEN}\r\n\r\n"
    ).encode()


async def measure(port: int, process: psutil.Process, seconds: float) -> dict[str, float]:
    """All figures."""
    numbers = itertools.cycle(random.Random(3).sample(range(ACTIVE), 20_000))

    def check() -> bytes:
        return wire(port, f"/api/v1/model/check?installation_id={home(next(numbers))}")

    def inactive() -> bytes:
        name = home(ACTIVE + next(numbers) % (HOMES - ACTIVE))
        return wire(port, f"/api/v1/model/check?installation_id={name}")

    def unknown() -> bytes:
        return wire(port, f"/api/v1/model/check?installation_id={home(HOMES + next(numbers))}")

    def averages() -> bytes:
        return wire(port, f"/api/v1/community/averages?model={pub.MODEL}&window=7d")

    found: dict[str, float] = {"rss_mib_start": process.memory_info().rss / MIB}
    cases: list[tuple[str, Callable[[], bytes]]] = [
        ("check", check),
        ("averages", averages),
        ("check_inactive", inactive),
        ("check_unknown", unknown),
    ]
    for name, make in cases:
        before_s = sum(process.cpu_times()[:2])
        full = await run(port, make, connections=16, seconds=seconds)
        cpu_s = sum(process.cpu_times()[:2]) - before_s
        done = full.statuses[200]
        if done != sum(full.statuses.values()):
            raise RuntimeError(f"{name}: {full.statuses}")
        rate = done / full.seconds
        found[f"{name}_per_s"] = rate
        found[f"{name}_per_cpu_s"] = done / cpu_s
        pause_s = 16 / (rate / 2)
        half = await run(port, make, connections=16, seconds=seconds, pause_s=pause_s)
        found[f"{name}_half_load_p50_ms"] = half.quantile_ms(0.5)
        found[f"{name}_half_load_p99_ms"] = half.quantile_ms(0.99)
    return found


def downloads(
    folder: Path, file: bytes, port: int, hub: psutil.Process, seconds: float
) -> dict[str, float]:
    """The release from the hub and from nginx, in turn: medians, and medians of their ratios.

    `served`: one process each, with a core of its own while `wrk` has the other one. `per_core`: a
    second of processor time of either.
    """
    path = "/api/v1/model/download?installation_id=00000000-0000-4000-8000-%012d"
    rates: dict[str, list[wrk.Rates]] = {"hub": [], "nginx": []}
    with wrk.nginx(folder, file) as (nginx_port, worker):
        for _ in range(TURNS):
            ours = wrk.ask(folder, port, path, test_pool.TOKEN, hub, seconds)
            rates["hub"].append(ours)
            theirs = wrk.ask(folder, nginx_port, "/file", test_pool.TOKEN, worker, seconds)
            rates["nginx"].append(theirs)
    found: dict[str, float] = {"download_bytes": len(file)}
    for name, runs in rates.items():
        for field in wrk.Rates.__struct_fields__:
            found[f"download_{name}_{field}"] = median(getattr(one, field) for one in runs)
    for ratio, of in (("served", "per_s"), ("per_core", "per_cpu_s")):
        shares = [
            getattr(ours, of) / getattr(theirs, of)
            for ours, theirs in zip(rates["hub"], rates["nginx"], strict=True)
        ]
        found[f"download_hub_to_nginx_{ratio}"] = median(shares)
    return found


def main() -> None:
    """Start everything, measure, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", type=Path)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--payload-bytes", type=int, default=PAYLOAD_BYTES)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = NatsServer(Path(folder))
        server.start()
        port, private = free_port(), free_port()
        file = asyncio.run(fill(server.url, arguments.payload_bytes))
        hub = subprocess.Popen(
            [sys.executable, "-m", "heatpool_modelhub"],
            env=environment(server.url, port, private),
            stdout=subprocess.DEVNULL,
        )
        try:
            wait(private)
            if homes_known(private) != HOMES:
                raise RuntimeError(f"the hub knows {homes_known(private)} homes, not {HOMES}")
            process = psutil.Process(hub.pid)
            found = asyncio.run(measure(port, process, arguments.seconds))
            found |= downloads(Path(folder) / "nginx", file, port, process, arguments.seconds / 2)
            found["rss_mib_end"] = process.memory_info().rss / MIB
        finally:
            hub.terminate()
            hub.wait()
            server.stop()
    for name, value in found.items():
        print(f"{name:32} {value:10.2f}")
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
