"""After a fault: every record answered with 200 is in the store once, and the books balance."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import httpx
import msgspec
from chaos.load import FIELDS
from pool import SERVERS

from heatpool_contract import subjects

if TYPE_CHECKING:
    from chaos.load import Load
    from nats.aio.client import Client
    from pool import Pool

SETTLED_S_MAX = 200.0  # ack_wait is 60 s, then 15 s until durable; twice, and a slow machine
BALANCED = {
    'heatpool_writer_ledger_difference{unit="messages"}': 0.0,
    'heatpool_writer_ledger_difference{unit="samples"}': 0.0,
    'heatpool_writer_store_difference_rows{reason="missing"}': 0.0,
    'heatpool_writer_store_difference_rows{reason="invalid"}': 0.0,
    'heatpool_writer_store_difference_rows{reason="ignored"}': 0.0,
    'heatpool_writer_stream_messages{place="waiting"}': 0.0,
    'heatpool_writer_stream_messages{place="in_hand"}': 0.0,
    'heatpool_writer_stream_messages{place="vanished"}': 0.0,
}


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the table."""

    answered: int
    """Records."""
    stored: int
    """Records that a reader finds complete."""
    duplicate: int
    """Samples that a reader would count twice."""
    lost: int
    """Samples answered and not found."""
    unasked: int
    """Samples found and never answered."""
    unbalanced: list[str]
    """What the writer's metrics say that they should not."""
    stuck: list[str]
    """Processes that are not ready."""

    @property
    def holds(self) -> bool:
        """Whether nothing is wrong."""
        wrong = self.duplicate or self.lost or self.unasked or self.unbalanced or self.stuck
        return not wrong and self.answered == self.stored


def prove(pool: Pool, load: Load) -> Proof:
    """Wait until the stream is settled, then count."""
    wait_until_settled(pool)
    base = pool.stack.victoria_url
    httpx.get(f"{base}/internal/force_flush", timeout=30).raise_for_status()
    stored = duplicate = lost = unasked = 0
    for home in load.homes:
        expected = home.stamps_ms()
        found = _exported(base, home.pseudonym)
        complete = expected.copy()
        for field in FIELDS:
            stamps = found.get(f"heatpump_{field}", [])
            duplicate += len(stamps) - len(set(stamps))
            lost += len(expected - set(stamps))
            unasked += len(set(stamps) - expected)
            complete &= set(stamps)
        stored += len(complete)
    series = "|".join(FIELDS)
    counted = pool.count(f'{{__name__=~"heatpump_({series})"}}')
    duplicate += int(counted) - stored * len(FIELDS) if not lost else 0
    names = [name for name in pool.processes if name != "writer"]
    return Proof(
        answered=load.answered,
        stored=stored,
        duplicate=duplicate,
        lost=lost,
        unasked=unasked,
        unbalanced=_unbalanced(pool),
        stuck=[_why(pool, name) for name in [*names, "writer"] if not pool.is_ready(name)],
    )


def wait_until_settled(pool: Pool) -> None:
    """Until a writer has acknowledged everything in the stream."""

    async def left(client: Client) -> int:
        """Messages that no writer has acknowledged."""
        js = client.jetstream()
        info = await js.consumer_info(subjects.STREAM_TELEMETRY, subjects.DURABLE_WRITER)
        return (info.num_pending or 0) + (info.num_ack_pending or 0)

    deadline = time.monotonic() + SETTLED_S_MAX
    while remaining := pool.on_bus(left):
        if time.monotonic() > deadline:
            raise RuntimeError(f"{remaining} messages are not settled: stuck")
        time.sleep(0.5)


def _why(pool: Pool, name: str) -> str:
    """What a service says of itself, or how it ended."""
    status = pool.processes[name].poll()
    if status is not None or name in SERVERS:
        return f"{name} {status}"
    port = getattr(pool.stack.ports, f"private_{name}")
    return f"{name} {httpx.get(f'http://127.0.0.1:{port}/health/ready').text}"


def _unbalanced(pool: Pool) -> list[str]:
    """The janitor looks every 5 s: give it two rounds."""
    deadline = time.monotonic() + 12
    while True:
        metrics = pool.metrics("writer")
        wrong = [
            f"{name}={metrics.get(name)}"
            for name, expected in BALANCED.items()
            if metrics.get(name, 0.0) != expected
        ]
        if not wrong or time.monotonic() > deadline:
            return wrong
        time.sleep(0.5)


def _exported(base: str, home: str) -> dict[str, list[int]]:
    """Series of a home with all their times, duplicates included if a reader sees them."""
    answer = httpx.get(
        f"{base}/api/v1/export",
        params={"match[]": f'{{installation="{home}"}}', "start": "0"},
        timeout=60,
    )
    found: dict[str, list[int]] = {}
    for line in answer.text.splitlines():
        series = json.loads(line)
        found.setdefault(series["metric"]["__name__"], []).extend(series["timestamps"])
    return found
