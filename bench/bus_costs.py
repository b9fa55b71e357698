"""What accounts and reading without consumers cost: python bench/bus_costs.py (PYTHONPATH=tests).

In: nothing. Out: three figures of a pool's nats-server: a confirmed message from a user of the
streams' own account, the same from a service's account, and a request that finds nothing new.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
from conftest import TEST_SIZES
from pool import Pool

from heatpool_chassis import reading
from heatpool_chassis.permissions import Role

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from nats.aio.client import Client

MESSAGES = 10_000
AT_ONCE = 32
ROUNDS = 5
BODY = b"x" * 1_000
SUBJECT = "telemetry.bench.home"


class Cost:
    """Processor time of two processes."""

    def __init__(self, server: psutil.Process) -> None:
        self._processes = {"server": server, "client": psutil.Process()}
        self.found: dict[tuple[str, str], list[float]] = {}

    async def of(self, what: str, work: Callable[[], Awaitable[object]]) -> None:
        """Milliseconds for each of many, some of them under way at once."""
        slots = asyncio.Semaphore(AT_ONCE)

        async def one() -> None:
            async with slots:
                await work()

        before = {name: sum(one.cpu_times()[:2]) for name, one in self._processes.items()}
        started_s = time.perf_counter()
        await asyncio.gather(*(one() for _ in range(MESSAGES)))
        rate = MESSAGES / (time.perf_counter() - started_s)
        self.found.setdefault((what, "a second"), []).append(rate)
        for name, process in self._processes.items():
            spent_s = sum(process.cpu_times()[:2]) - before[name]
            self.found.setdefault((what, f"ms {name}"), []).append(spent_s / MESSAGES * 1000)


async def _measure(pool: Pool) -> Cost:
    inside, service = await pool.connect(Role.OPERATOR), await pool.connect(Role.INGEST)
    shell = psutil.Process(pool.processes["nats"].pid)
    family = (shell, *shell.children(recursive=True))
    (server,) = (one for one in family if "nats-server" in one.name())
    cost = Cost(server)

    def publishing(client: Client) -> Callable[[], Awaitable[object]]:
        js = client.jetstream()
        return lambda: js.publish(SUBJECT, BODY)

    async def poll() -> None:
        found = reading.messages(service, "KV_INSTALLATIONS", "$KV.INSTALLATIONS.>")
        async for _one in found:
            raise RuntimeError("there is something new")

    for _ in range(ROUNDS):
        await cost.of("confirmed, in the streams' account", publishing(inside))
        await cost.of("confirmed, from a service's", publishing(service))
        await cost.of("nothing new", poll)
    await inside.close()
    await service.close()
    return cost


def main() -> None:
    """Medians of some rounds."""
    with tempfile.TemporaryDirectory() as folder:
        pool = Pool(Path(folder), sizes=TEST_SIZES)
        pool.start(["nats"])
        cost = asyncio.run(_measure(pool))
        pool.stop()
    for (what, unit), values in cost.found.items():
        median = statistics.median(values)
        print(f"{what:40}{unit:12}{median:10.3f}")


if __name__ == "__main__":
    main()
