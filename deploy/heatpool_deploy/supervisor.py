"""`heatpoolctl up`: every process of `deploy/Procfile`, with interleaved logs, until Ctrl-C.

In: a prepared stack. Out: running processes, lines prefixed with their name. Guarantee: if one
process ends, all end; a second supervisor on the same state refuses to start.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Final

from honcho.environ import parse_procfile
from honcho.manager import Manager

from heatpool_chassis import bus
from heatpool_chassis.lifecycle import Lifecycle
from heatpool_chassis.permissions import Role
from heatpool_chassis.topology import Sizes, topology
from heatpool_deploy.stack import StackError, process_environment, procfile

if TYPE_CHECKING:
    from pathlib import Path

    from heatpool_deploy.stack import Stack

PID_FILE: Final = "supervisor.pid"
DOWN_S_MAX: Final = 30.0


def up(stack: Stack) -> int:
    """Run the stack in the foreground; the exit status.

    Raises:
        StackError: it is running already.
    """
    pid_file = stack.state / PID_FILE
    if running(stack.state) is not None:
        raise StackError(f"already running, see {pid_file}")
    pid_file.write_text(str(os.getpid()), encoding="utf-8")
    environment = process_environment(stack)
    manager = Manager()
    for name, command in parse_procfile(procfile()).processes.items():
        manager.add_process(name, command, env=environment)
    # The services wait until their streams exist; the streams wait for nats-server.
    threading.Thread(target=_provision, args=(stack,), daemon=True).start()
    try:
        manager.loop()
    finally:
        pid_file.unlink(missing_ok=True)
    status: int = manager.returncode or 0
    # Being asked to stop is not a failure.
    return 0 if status in (128 + signal.SIGINT, 128 + signal.SIGTERM) else status


def down(state: Path) -> bool:
    """Stop a running supervisor and wait for its end; whether there was one.

    Raises:
        StackError: it does not end.
    """
    pid = running(state)
    if pid is None:
        return False
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + DOWN_S_MAX
    while running(state) is not None:
        if time.monotonic() > deadline:
            raise StackError(f"process {pid} does not end")
        time.sleep(0.1)
    return True


def running(state: Path) -> int | None:
    """Process id of the supervisor that runs on `state`."""
    with contextlib.suppress(FileNotFoundError, ValueError, ProcessLookupError):
        pid = int((state / PID_FILE).read_text(encoding="utf-8"))
        os.kill(pid, 0)
        return pid
    return None


def _provision(stack: Stack) -> None:
    async def provision() -> None:
        life = Lifecycle(Role.OPERATOR)
        identity = stack.identity(Role.OPERATOR)
        client = await bus.connect(life, stack.nats_url, identity, buffered=True)
        for line in await bus.provision(client, topology(Sizes())):
            sys.stdout.write(f"provision: {line}\n")
        await client.close()

    asyncio.run(provision())
