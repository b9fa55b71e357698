"""systemd hears when a process is ready, that it is alive, and when it stops."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from typing import TYPE_CHECKING

import pytest

from heatpool_chassis import lifecycle
from heatpool_chassis.supervision import Supervisor

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from heatpool_chassis.lifecycle import Lifecycle


class Systemd:
    """The notify socket of a service manager."""

    def __init__(self, address: str) -> None:
        self._door = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._door.bind(address)
        self._door.settimeout(0)

    async def heard(self) -> str:
        """The next datagram."""
        return (await asyncio.get_running_loop().sock_recv(self._door, 100)).decode()

    def close(self) -> None:
        """Stop listening."""
        self._door.close()


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Systemd]:
    """A manager that wants a beat every 0.3 s."""
    address = str(tmp_path / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    monkeypatch.setenv("WATCHDOG_USEC", "300000")
    manager = Systemd(address)
    yield manager
    manager.close()


async def test_readiness_beats_and_the_end_are_told(systemd: Systemd, life: Lifecycle) -> None:
    """Nothing before readiness; beats after it; STOPPING as soon as the signal came."""

    async def work() -> None:
        """Like a service that has nothing to do."""
        await life.stopping.wait()

    process = asyncio.create_task(lifecycle.run(life, work))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(systemd.heard(), 0.4)
    life.set_check("started", ok=True)
    heard = [await systemd.heard() for _ in range(4)]
    os.kill(os.getpid(), signal.SIGTERM)
    while (last := await systemd.heard()) == "WATCHDOG=1":
        pass
    await process

    assert heard == ["READY=1", "WATCHDOG=1", "WATCHDOG=1", "WATCHDOG=1"]
    assert last == "STOPPING=1"


async def test_a_name_in_the_abstract_namespace_is_understood() -> None:
    """`@name` stands for a socket without a file (unix(7))."""
    manager = Systemd(f"\0heatpool-test-{os.getpid()}")
    Supervisor({"NOTIFY_SOCKET": f"@heatpool-test-{os.getpid()}"}).tell("READY=1")

    try:
        assert await asyncio.wait_for(manager.heard(), 5) == "READY=1"
    finally:
        manager.close()


async def test_without_a_supervisor_nothing_is_told(life: Lifecycle, tmp_path: Path) -> None:
    """No variable, or a socket that is gone: the process does not mind."""
    life.set_check("started", ok=True)

    await Supervisor({}).follow(life)
    Supervisor({"NOTIFY_SOCKET": str(tmp_path / "gone")}).tell("READY=1")
