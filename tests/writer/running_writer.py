"""A writer inside the test, on real servers, and what a reader sees of its work."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Self

from writer.strategies import MODEL, payload

from heatpool_chassis.lifecycle import Lifecycle
from heatpool_chassis.logs import configure
from heatpool_chassis.metrics import WriterMetrics
from heatpool_chassis.victoria import StoreError, Victoria, VictoriaUrls
from heatpool_contract import registry, subjects
from heatpool_contract.frames import Frame
from heatpool_writer.consumer import Writer
from heatpool_writer.contributions import Contributions
from heatpool_writer.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from nats.aio.client import Client
    from nats.js.kv import KeyValue

STAMP_MS = int(time.time()) * 1000 - 3_600_000


class RunningWriter:
    """Use as async context manager."""

    def __init__(self, client: Client, store_url: str, *, durable_s: float = 0.5) -> None:
        self.life = Lifecycle("writer")
        self.metrics = WriterMetrics(self.life.registry)
        self.client = client
        self._urls = VictoriaUrls(store_url, store_url, store_url)
        self._durable_s = durable_s
        self._stack = contextlib.AsyncExitStack()
        self.task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        store = await self._stack.enter_async_context(
            Victoria(self._urls, timeout_s=1.0, gzip_imports=False)
        )
        bucket = await self.client.jetstream().key_value(subjects.KV_INSTALLATIONS)
        self.contributions = Contributions(bucket, self.metrics)
        settings = Settings(
            nats_url="",
            victoria_write_url=self._urls.write,
            victoria_read_url=self._urls.read,
            victoria_admin_url=self._urls.admin,
            batch_age_s_max=0.05,
            durable_s=self._durable_s,
        )
        writer = Writer(
            settings,
            self.life,
            self.metrics,
            self.client,
            store,
            self.contributions,
            configure("test"),
        )
        self.task = asyncio.create_task(writer.run())
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.stop()
        await self._stack.aclose()

    async def stop(self) -> None:
        """As SIGTERM does."""
        assert self.task is not None
        self.life.stopping.set()
        await self.task

    async def abandon(self) -> None:
        """As SIGKILL does: nothing is acknowledged any more."""
        assert self.task is not None
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    def value(self, name: str, **labels: str) -> float:
        """One of its metrics."""
        return self.life.registry.get_sample_value(name, labels) or 0.0


async def publish(client: Client, home: str, number: int, samples: int = 2) -> None:
    """A message of `samples` values; another `number` has other times."""
    first = STAMP_MS + number * 1000
    frame = Frame([first + i for i in range(samples)], {"power": [float(number)] * samples})
    await client.jetstream().publish(
        f"telemetry.{MODEL}.{home}",
        payload(home, [frame]),
        headers={"Nats-Msg-Id": f"{home}-{number}"},
    )


async def stored(store: Victoria, home: str) -> int:
    """Samples of `power` that a reader sees."""
    with contextlib.suppress(StoreError):
        await store.force_flush()
        points = await store.query(
            f'count_over_time(heatpump_power{{installation="{home}"}}[2h])', time.time() + 60
        )
        return int(points[0].value[1]) if points else 0
    return -1


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 20) -> None:
    """Wait for a condition, as long as a slow machine may take."""
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110 - the state is another process's
            await asyncio.sleep(0.05)


def when(condition: Callable[[], bool]) -> Callable[[], Awaitable[bool]]:
    """A condition for `until` that asks nobody."""

    async def check() -> bool:
        """As `until` wants it."""
        return condition()

    return check


async def acknowledged(client: Client) -> int:
    """Highest sequence below which everything is acknowledged."""
    info = await client.jetstream().consumer_info(
        subjects.STREAM_TELEMETRY, subjects.DURABLE_WRITER
    )
    assert info.ack_floor is not None
    return int(info.ack_floor.stream_seq)


async def entry_of(bucket: KeyValue, home: str) -> registry.Installation:
    """A home in the registry."""
    return registry.decode((await bucket.get(home)).value or b"")
