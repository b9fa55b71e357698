"""How large and how fast the registry is with 100,000 homes, on a real nats-server.

In: nothing. Out: bytes an entry, bytes on disk, time to write all of them and to read all of them.
"""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
import time
from pathlib import Path

from servers import NatsServer

from heatpool_chassis import bus
from heatpool_chassis.lifecycle import Lifecycle
from heatpool_chassis.metrics import WriterMetrics
from heatpool_chassis.topology import Sizes, topology
from heatpool_contract import registry, subjects
from heatpool_contract.registry import DAY_MS, Contribution
from heatpool_writer.contributions import Contributions
from heatpool_writer.ledger import Held

HOMES = 100_000
GROUP = 5_000
TODAY = 20_800


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
        async for message in bus.messages_of(client, "KV_INSTALLATIONS", "$KV.INSTALLATIONS.>"):
            registry.decode(message.data)
            size += len(message.data)
            entries += 1
        read_s = time.perf_counter() - started
        info = await client.jetstream().stream_info("KV_INSTALLATIONS")
        print(f"entries {entries}, {size / entries:.0f} bytes an entry")
        print(f"stream {info.state.bytes / 2**20:.1f} MiB, keys and headers included")
        print(f"written in {written_s:.1f} s, read and decoded in {read_s:.1f} s")
        await client.close()
        server.stop()


def _held(rng: random.Random, number: int) -> Held:
    days = frozenset(range(TODAY - 30, TODAY))
    stamp = TODAY * DAY_MS
    model = rng.choice(["aero_slm_6_17", "vitocal_250_a_10", "daikin_altherma_3_h_ht"])
    added = Contribution(number + 10**6, model, "1.4.2", stamp, stamp + 60_000, days, 475_200)
    return Held("", f"{rng.getrandbits(128):032x}", added)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
