"""What goes wrong, each as a function of a running pool; afterwards everything runs again."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import nats.errors
from nats.js.api import StreamConfig

from heatpool_chassis import bus
from heatpool_chassis.topology import topology
from heatpool_contract import subjects
from heatpool_deploy.free_ports import free_port

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator

    from chaos.store_thread import StoreInFront
    from nats.aio.client import Client
    from pool import Pool
    from simulators.faulty_store import Mode

    Fault = Callable[["World"], str]

HAS_TRAINER = importlib.util.find_spec("heatpool_trainer.__main__") is not None
PROCESSES = ("ingest", "writer", "nats", "victoria", *(("trainer",) if HAS_TRAINER else ()))


class World:
    """What a fault may touch."""

    def __init__(
        self, pool: Pool, store: StoreInFront, rng: random.Random, *, kills: int, frozen_s: float
    ) -> None:
        self.pool = pool
        self.store = store
        self.rng = rng
        self.kills = kills
        self.frozen_s = frozen_s


def kill(name: str) -> Fault:
    """SIGKILL again and again, at any moment."""

    def fault(world: World) -> str:
        for _ in range(world.kills):
            time.sleep(world.rng.uniform(0.3, 2.5))
            world.pool.kill(name)
            time.sleep(world.rng.uniform(0.0, 0.5))
            world.pool.start([name])
        return f"{world.kills}x"

    return fault


def freeze(name: str) -> Fault:
    """SIGSTOP: the connection stays open and nobody answers."""

    def fault(world: World) -> str:
        world.pool.signal(name, signal.SIGSTOP)
        time.sleep(world.frozen_s)
        world.pool.signal(name, signal.SIGCONT)
        return f"{world.frozen_s:.0f} s"

    return fault


def failing_store(mode: Mode) -> Fault:
    """The store answers with an error, hangs, or hangs up after it took an import."""

    def fault(world: World) -> str:
        world.store.set_mode(mode)
        time.sleep(world.frozen_s / 2)
        world.store.set_mode("pass")
        return f"{world.frozen_s / 2:.0f} s"

    return fault


def start_time_of_the_store_jumps(world: World) -> str:
    """All that the writer takes from the store's clock is when it started."""
    for shift_s in (3600, -3600, 0):
        world.store.shift_start(shift_s)
        time.sleep(4)
    return "+1 h, -1 h"


def stream_full(world: World) -> str:
    """No writer, until the stream refuses; then a writer makes room."""
    pool = world.pool

    async def limit(client: Client) -> None:
        """Room for a few seconds of load."""
        js = client.jetstream()
        info = await js.stream_info(subjects.STREAM_TELEMETRY)
        config = {**vars(info.config), "max_bytes": info.state.bytes + 300_000}
        await js.update_stream(StreamConfig(**config))

    async def unlimit(client: Client) -> None:
        """As it was."""
        await bus.provision(client, topology(pool.sizes))

    before = _refused(pool)
    pool.kill("writer")
    pool.on_bus(limit)
    deadline = time.monotonic() + 60
    while _refused(pool) <= before + 20:
        if time.monotonic() > deadline:
            raise RuntimeError("the stream did not fill")
        time.sleep(0.2)
    refused = _refused(pool) - before
    pool.start(["writer"])
    time.sleep(8)  # the janitor's round
    pool.on_bus(unlimit)
    return f"{refused:.0f} refused"


def repeated_and_reordered(world: World) -> str:
    """The newest messages once more, backwards and without their ids: no dedup in the stream."""

    async def repeat(client: Client) -> int:
        """How many were published again."""
        js = client.jetstream()
        last = (await js.stream_info(subjects.STREAM_TELEMETRY)).state.last_seq
        count = 0
        for seq in range(last, max(0, last - 300), -1):
            with contextlib.suppress(nats.errors.Error, TimeoutError):  # deleted, or not confirmed
                message = await js.get_msg(subjects.STREAM_TELEMETRY, seq=seq)
                await js.publish(message.subject or "", message.data or b"")
                count += 1
        return count

    return f"{world.pool.on_bus(repeat)} messages"


def poison(world: World) -> str:
    """Messages that nobody can decode, between good ones."""

    async def publish(client: Client) -> None:
        """Bytes that are no JSON."""
        for number in range(5):
            home = f"{number:032x}"
            await client.jetstream().publish(f"telemetry.aero_slm.{home}", b"\xffpoison")
            await asyncio.sleep(0.3)

    world.pool.on_bus(publish)
    deadline = time.monotonic() + 60

    async def dead(client: Client) -> int:
        """Messages in DEADLETTER."""
        info = await client.jetstream().stream_info(subjects.STREAM_DEADLETTER)
        return info.state.messages

    while (found := world.pool.on_bus(dead)) < 5:
        if time.monotonic() > deadline:
            raise RuntimeError("poison was not buried")
        time.sleep(0.3)
    return f"{found} buried"


def two_writers(world: World) -> str:
    """A second one beside the first, which is killed meanwhile; the second ends as asked."""
    environment = {
        **world.pool.environment,
        "HEATPOOL_WRITER_PRIVATE_PORT": str(free_port()),
    }
    with world.pool.log("writer2").open("ab") as output:
        second = subprocess.Popen(
            ["heatpool-writer"], env=environment, stdout=output, stderr=output
        )
    time.sleep(5)
    kill("writer")(world)
    second.terminate()
    status = second.wait(timeout=40)
    return f"exit {status}"


def everything_in_any_order(world: World) -> str:
    """All processes end and start, each in an order that nobody chose."""
    order = list(PROCESSES)
    world.rng.shuffle(order)
    for name in order:
        world.pool.stop([name])
    world.rng.shuffle(order)
    world.pool.start(order)
    return " ".join(order)


def full_disk(name: str, folder: str) -> Fault:
    """The file system of a server fills up, and is emptied again; the server may need a restart."""

    def fault(world: World) -> str:
        path = world.pool.stack.state / folder / "filler"
        with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(256 * 1024))
        time.sleep(world.frozen_s)
        path.unlink()
        time.sleep(3)
        # nats-server switches JetStream off when a write fails, VictoriaMetrics ends itself.
        world.pool.stop([name])
        world.pool.start([name])
        return f"{world.frozen_s:.0f} s"

    return fault


@contextlib.contextmanager
def small_disk(pool: Pool, folder: str, megabytes: int) -> Iterator[None]:
    """A file system of its own for a server; only root can make one."""
    path = pool.stack.state / folder
    path.mkdir(exist_ok=True)
    size = f"size={megabytes}m"
    subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(path)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


def can_mount() -> bool:
    """Whether this process may mount a file system."""
    return os.geteuid() == 0


def _refused(pool: Pool) -> float:
    metrics = pool.metrics("ingest")
    counter = "heatpool_ingest_requests_total{"  # not `_created`, which is a time
    codes = ('code="bus_unavailable"', 'code="overloaded"')  # by the stream, or before it is asked
    return sum(
        value
        for key, value in metrics.items()
        if key.startswith(counter) and any(code in key for code in codes)
    )
