"""How large and how fast the registry is with 100,000 homes, on a real nats-server.

In: nothing. Out: bytes an entry, bytes on disk, time to write all of them, to read all of them, and
of two rounds of the expiry: one that finds nobody silent, one in which a hundredth leaves.
"""

from __future__ import annotations

import asyncio
import random
import resource
import sys
import tempfile
import time
from pathlib import Path

from servers import NatsServer

from heatpool_chassis import bus, logs, reading
from heatpool_chassis.lifecycle import Lifecycle
from heatpool_chassis.metrics import WriterMetrics
from heatpool_chassis.topology import Sizes, topology
from heatpool_contract import registry, subjects
from heatpool_contract.registry import DAY_MS, Contribution
from heatpool_writer.contributions import Contributions
from heatpool_writer.expiry import Expiry
from heatpool_writer.ledger import Held

HOMES = 100_000
GROUP = 5_000
TODAY = 20_800
SILENT_EACH = 100
SILENT_DAYS = 350  # later, those who fell silent 30 days ago have been so for a year


async def main() -> None:
    """Fill, read, print."""
    with tempfile.TemporaryDirectory() as folder:
        server = NatsServer(Path(folder))
        server.start()
        life = Lifecycle("bench")
        client = await bus.connect(life, server.url, bus.Identity(), buffered=True)
        await bus.provision(
            client, topology(Sizes(telemetry_bytes_max=1024**3, models_bytes_max=1024**2))
        )
        bucket = await client.jetstream().key_value(subjects.KV_INSTALLATIONS)
        contributions = Contributions(bucket, WriterMetrics(life.registry))
        rng = random.Random(1)
        started = time.perf_counter()
        for first in range(0, HOMES, GROUP):
            await contributions.record([_held(rng, first + i) for i in range(GROUP)])
        written_s = time.perf_counter() - started
        started = time.perf_counter()
        size = entries = 0
        async for message in reading.messages(client, "KV_INSTALLATIONS", "$KV.INSTALLATIONS.>"):
            registry.decode(message.data)
            size += len(message.data)
            entries += 1
        read_s = time.perf_counter() - started
        info = await client.jetstream().stream_info("KV_INSTALLATIONS")
        print(f"entries {entries}, {size / entries:.0f} bytes an entry")
        print(f"stream {info.state.bytes / 2**20:.1f} MiB, keys and headers included")
        print(f"written in {written_s:.1f} s, read and decoded in {read_s:.1f} s")
        expiry = Expiry(
            life, WriterMetrics(Lifecycle("bench").registry), client, logs.configure("x")
        )
        for now_day in (TODAY, TODAY + SILENT_DAYS):
            started = time.perf_counter()
            gone = await expiry.look(now_day * DAY_MS)
            print(f"expiry: {gone} of {entries} left, {time.perf_counter() - started:.1f} s")
        used_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"memory of this process at most {used_mib:.0f} MiB")
        await client.close()
        server.stop()


def _held(rng: random.Random, number: int) -> Held:
    last_day = TODAY if number % SILENT_EACH else TODAY - 30
    days = frozenset(range(last_day - 30, last_day))
    stamp = last_day * DAY_MS
    model = rng.choice(["aero_slm_6_17", "vitocal_250_a_10", "daikin_altherma_3_h_ht"])
    added = Contribution(number + 10**6, model, "1.4.2", stamp, stamp + 60_000, days, 475_200)
    return Held("", f"{rng.getrandbits(128):032x}", added)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
