"""What a sample costs, measured, and what that makes of 100 to 1,000,000 homes.

In: a pool of this machine; simulated homes deliver ten days of minutes, an hour a request. Out: a
table (docs/operations/capacity.md); `--json FILE` with what was measured; `--plot FILE`. Measured
are processor time, bytes on the wire and on disk; the rest is arithmetic.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import httpx
import matplotlib.pyplot as plt
import msgspec
import psutil
from pool import Pool

from heatpool_chassis.topology import Sizes
from heatpool_fleet import posting
from heatpool_fleet.homes import make_homes
from heatpool_fleet.simulation import simulate

HOMES: Final = 20
DAYS: Final = 10.0
RECORDS: Final = 60
DAY_S: Final = 86_400.0
SIZES: Final = Sizes(telemetry_bytes_max=4 * 1024**3)
PROCESSES: Final = ("ingest", "nats", "writer", "victoria")
DECADES: Final = (100, 1_000, 10_000, 100_000, 1_000_000)
FIELDS: Final = 11
STREAM_S: Final = 72 * 3600.0
STORE_S: Final = 12 * 30.4 * DAY_S
HEADROOM: Final = 2.0
"""Cores for twice the mean: uploads come in waves, after an outage all at once."""
SERIES_BYTES: Final = 1_000.0
"""Memory of the store for an active series, by VictoriaMetrics' capacity planning."""
HUB_ENTRY_BYTES: Final = 500.0  # `make bench-hub`: 115 MiB at 100,000 homes, 60 MiB of it Python


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """Per sample, or per million of them."""

    samples: int
    cpu_s_per_million: dict[str, float]
    wire_bytes_per_sample: float
    stream_bytes_per_sample: float
    store_bytes_per_sample: float


def measure() -> Measured:
    """Run the pool and count."""
    with tempfile.TemporaryDirectory() as folder:
        pool = Pool(Path(folder), sizes=SIZES, HEATPOOL_WRITER_DURABLE_S="1")
        try:
            pool.start(("nats", "victoria", "ingest", "writer"))
            return _measure(pool, Path(folder))
        finally:
            pool.stop()


def _measure(pool: Pool, folder: Path) -> Measured:
    start_s = time.time() // 3600 * 3600 - DAYS * DAY_S
    recordings = simulate(make_homes(HOMES, 11, "AERO SLM"), start_s, DAYS, 60.0, 11)
    before = _cpu_s(pool)
    target = posting.Target(pool.stack.ingest_url, pool.token, batch_records=RECORDS)
    counts = asyncio.run(posting.post(recordings, target, lambda _counts: None))
    pool.wait_until_counted('{__name__=~"heatpump_.+"}', -1, seconds=8)
    after = _cpu_s(pool)
    stream = _bytes(folder / "jetstream", "**/TELEMETRY/msgs/*.blk")
    httpx.get(f"{pool.stack.victoria_url}/internal/force_merge", timeout=60)
    pool.stop(("victoria",))
    return Measured(
        samples=counts.samples,
        cpu_s_per_million={
            name: round((after[name] - before[name]) / counts.samples * 1e6, 3)
            for name in PROCESSES
        },
        wire_bytes_per_sample=round(counts.bytes_sent / counts.samples, 3),
        stream_bytes_per_sample=round(stream / counts.samples, 3),
        store_bytes_per_sample=round(
            _bytes(folder / "victoria", "data/**/*.bin") / counts.samples, 3
        ),
    )


def _cpu_s(pool: Pool) -> dict[str, float]:
    found = {}
    for name in PROCESSES:
        root = psutil.Process(pool.processes[name].pid)
        times = [one.cpu_times() for one in (root, *root.children(recursive=True))]
        found[name] = sum(one.user + one.system for one in times)
    return found


def _bytes(folder: Path, pattern: str) -> int:
    return sum(path.stat().st_size for path in folder.glob(pattern))


class Need(msgspec.Struct, frozen=True, kw_only=True):
    """Of a pool of so many homes."""

    homes: int
    samples_per_s: float
    cores: dict[str, float]
    store_gb: float
    stream_gb: float
    store_memory_gb: float
    hub_memory_gb: float
    wire_mbit_s: float


def need(measured: Measured, homes: int, interval_s: float = 60.0) -> Need:
    """PURE: arithmetic over the measured figures."""
    rate = homes * FIELDS / interval_s
    return Need(
        homes=homes,
        samples_per_s=rate,
        cores={
            name: rate * cpu_s / 1e6 * HEADROOM
            for name, cpu_s in measured.cpu_s_per_million.items()
        },
        store_gb=rate * STORE_S * measured.store_bytes_per_sample / 1e9,
        stream_gb=rate * STREAM_S * measured.stream_bytes_per_sample / 1e9,
        store_memory_gb=homes * (FIELDS + 2) * SERIES_BYTES / 1e9,
        hub_memory_gb=(60e6 + homes * HUB_ENTRY_BYTES) / 1e9,
        wire_mbit_s=rate * measured.wire_bytes_per_sample * 8 / 1e6,
    )


def table(measured: Measured) -> str:
    """One line a decade."""
    lines = [
        (
            "| homes | samples/s | cores: edge, NATS, writer, store | store disk | stream disk "
            "| store memory | hub memory | network |"
        ),
        "|---|---|---|---|---|---|---|---|",
    ]
    for homes in DECADES:
        one = need(measured, homes)
        cores = ", ".join(f"{one.cores[name]:.2f}" for name in PROCESSES)
        lines.append(
            f"| {homes:,} | {one.samples_per_s:,.0f} | {cores} | {one.store_gb:,.1f} GB "
            f"| {one.stream_gb:,.2f} GB | {one.store_memory_gb:,.2f} GB "
            f"| {one.hub_memory_gb:,.2f} GB | {one.wire_mbit_s:,.1f} Mbit/s |"
        )
    return "\n".join(lines)


def plot(measured: Measured, file: Path) -> None:
    """Cores and disk over homes, both logarithmic."""
    homes = [10 ** (2 + step / 10) for step in range(41)]
    needs = [need(measured, round(count)) for count in homes]
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for name in PROCESSES:
        left.loglog(homes, [one.cores[name] for one in needs], label=name)
    left.axhline(2, color="grey", linestyle=":", label="the two cores here")
    left.set(xlabel="homes (11 fields a minute)", ylabel="cores, with headroom 2")
    right.loglog(homes, [one.store_gb for one in needs], label="store, 12 months")
    right.loglog(homes, [one.stream_gb for one in needs], label="stream, 72 h")
    right.loglog(homes, [one.store_memory_gb for one in needs], "--", label="memory of the store")
    right.set(xlabel="homes (11 fields a minute)", ylabel="GB")
    for axes in (left, right):
        axes.grid(visible=True, which="major", alpha=0.3)
        axes.legend(fontsize=8)
    figure.savefig(file, dpi=90)


def main() -> None:
    """Measure, or read what was measured; print, and write the page's table and plot."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="keep what was measured here; used if it exists")
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    if options.json and options.json.exists():
        measured = msgspec.json.decode(options.json.read_bytes(), type=Measured)
    else:
        measured = measure()
        if options.json:
            options.json.write_bytes(msgspec.json.encode(measured))
    sys.stdout.write(f"{msgspec.json.format(msgspec.json.encode(measured)).decode()}\n")
    sys.stdout.write(f"{table(measured)}\n")
    if options.plot:
        plot(measured, options.plot)


if __name__ == "__main__":
    main()
