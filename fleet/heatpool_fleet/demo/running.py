"""The pool's processes, as an operator would start them.

In: a state folder. Out: a pool that answers. Guarantee: stopped when the demo ends, however it
ends; the log of all processes is in the state folder.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import httpx

from heatpool_deploy import keys, supervisor
from heatpool_deploy import stack as stacks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from heatpool_deploy.stack import Stack

START_S_MAX: Final = 60.0
TRAIN_S_MAX: Final = 240.0
LOG: Final = "pool.log"
SETTINGS: Final = {
    "HEATPOOL_TRAINER_QUIET_S": "5",  # 300 in production: a demo has no patience
    "HEATPOOL_TRAINER_INTERVAL_S_MIN": "10",
}
SERVICES: Final = ("ingest", "writer", "trainer", "modelhub")


class DemoError(Exception):
    """The demo cannot go on; the text says where to look."""


def forget(state: Path) -> None:
    """Delete what an earlier demo left, so that this one begins with an empty pool.

    Raises:
        DemoError: it is running.
    """
    if supervisor.running(state) is not None:
        raise DemoError(f"a demo is running; `heatpoolctl down --state {state}`")
    if (state / stacks.PORTS_FILE).exists():  # only a folder that is one of ours
        shutil.rmtree(state)


@contextmanager
def running(state: Path) -> Iterator[Stack]:
    """A pool from `heatpoolctl up`, ready to take requests."""
    stack = stacks.prepare(state, SETTINGS)
    command = [sys.executable, "-m", "heatpool_deploy", "up", "--state", str(state)]
    with (state / LOG).open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)  # noqa: S603 - our own program
    try:
        _wait(stack, process)
        yield stack
    finally:
        supervisor.down(state)
        process.wait()


def _wait(stack: Stack, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_S_MAX
    waiting = list(SERVICES)
    while waiting:
        if process.poll() is not None or time.monotonic() > deadline:
            raise DemoError(f"{waiting[0]} did not start, see {stack.state / LOG}")
        if is_ready(stack, waiting[0]):
            del waiting[0]
        else:
            time.sleep(0.1)


def is_ready(stack: Stack, service: str) -> bool:
    """Whether a service says that it is ready."""
    try:
        return httpx.get(private_url(stack, service, "/health/ready")).is_success
    except httpx.HTTPError:
        return False


def metric(stack: Stack, service: str, name: str) -> float:
    """One value of a service's metrics; 0 before it exists."""
    for line in httpx.get(private_url(stack, service, "/metrics")).text.splitlines():
        if line.startswith(f"{name} "):
            return float(line.split()[-1])
    return 0.0


def wait_for_release(stack: Stack, model: str, seq: int = 1) -> dict[str, object]:
    """Poll the hub as an operator would, until it lists a release of the model.

    Raises:
        DemoError: there is none after `TRAIN_S_MAX`.
    """
    headers = {"Authorization": f"Bearer {stack.secret(keys.OPERATOR_TOKEN)}"}
    deadline = time.monotonic() + TRAIN_S_MAX
    while time.monotonic() < deadline:
        answer = httpx.get(f"{stack.modelhub_url}/api/v1/models", headers=headers).json()
        for found in answer["models"]:
            if found["model"] == model and found["seq"] >= seq:
                return dict(found)
        time.sleep(0.5)
    raise DemoError(f"no release of {model} after {TRAIN_S_MAX:.0f} s, see {stack.state}")


def private_url(stack: Stack, service: str, path: str) -> str:
    """Address on a service's private port."""
    return f"http://127.0.0.1:{getattr(stack.ports, f'private_{service}')}{path}"
