"""The whole pool as real processes, each of which a test may kill, freeze and start again.

In: a folder. Out: the processes of `deploy/Procfile` on private ports, their logs in files.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, TypeVar

import httpx
from honcho.environ import parse_procfile

from heatpool_chassis import bus
from heatpool_chassis.lifecycle import Lifecycle
from heatpool_chassis.permissions import Role
from heatpool_chassis.topology import Sizes, topology
from heatpool_deploy import keys, stack

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence
    from pathlib import Path

    from nats.aio.client import Client

R = TypeVar("R")
SERVERS = ("nats", "victoria")
START_S_MAX = 40.0


class Pool:
    """One pool under `folder`."""

    def __init__(self, folder: Path, *, sizes: Sizes, **overrides: str) -> None:
        self.stack = stack.prepare(folder)
        self.sizes = sizes
        self.environment = {**stack.process_environment(self.stack), **overrides}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._commands = dict(parse_procfile(stack.procfile()).processes)

    @property
    def token(self) -> str:
        """The loggers' token."""
        return self.stack.secret(keys.TOKEN)

    def start(self, names: Iterable[str]) -> None:
        """Start processes and wait until they are ready; provisions after the servers."""
        names = list(names)
        for name in names:
            with self.log(name).open("ab") as output:
                self.processes[name] = subprocess.Popen(
                    ["/bin/sh", "-c", self._commands[name]],
                    env=self.environment,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                )
            if name == "nats":
                self.wait_for(name)
                self.on_bus(lambda client: bus.provision(client, topology(self.sizes)))
        for name in names:
            self.wait_for(name)

    def log(self, name: str) -> Path:
        """File with all output of a process."""
        return self.stack.state / f"{name}.log"

    def wait_for(self, name: str) -> None:
        """Until a process answers as ready."""
        deadline = time.monotonic() + START_S_MAX
        while not self.is_ready(name):
            if self.processes[name].poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{name} did not start:\n{self.log(name).read_text()[-4000:]}")
            time.sleep(0.05)

    def is_ready(self, name: str) -> bool:
        """Whether a process answers its readiness request."""
        ports = self.stack.ports
        if name == "nats":
            url = f"http://127.0.0.1:{ports.nats_monitor}/healthz"
        elif name == "victoria":
            url = f"http://127.0.0.1:{ports.victoria}/health"
        else:
            url = f"http://127.0.0.1:{getattr(ports, f'private_{name}')}/health/ready"
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - loopback
                return bool(answer.status == 200)
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    def metrics(self, name: str) -> dict[str, float]:
        """A service's own metrics."""
        port = getattr(self.stack.ports, f"private_{name}")
        text = httpx.get(f"http://127.0.0.1:{port}/metrics").text
        pairs = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
        return {key: float(value) for key, _, value in pairs}

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a process and its children."""
        os.killpg(self.processes[name].pid, number)

    def kill(self, name: str) -> None:
        """SIGKILL, and wait until it is gone."""
        process = self.processes.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def stop(self, names: Iterable[str] | None = None) -> dict[str, int]:
        """SIGTERM, services before servers; the exit statuses."""
        order = [name for name in self.processes if name not in SERVERS]
        order += [name for name in SERVERS if name in self.processes]
        statuses = {}
        for name in [name for name in order if names is None or name in names]:
            process = self.processes.pop(name)
            with contextlib.suppress(ProcessLookupError):  # it ended by itself; its status tells
                os.killpg(process.pid, signal.SIGCONT)
                os.killpg(process.pid, signal.SIGTERM)
            try:
                statuses[name] = process.wait(timeout=40)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                statuses[name] = process.wait()
        if "nats" in statuses:
            self._expect_no_violation()
        return statuses

    def _expect_no_violation(self) -> None:
        """Every test of a pool proves that the services' permissions suffice."""
        found = [line for line in self.log("nats").read_text().splitlines() if "Violation" in line]
        if found:
            raise AssertionError("\n".join(found[:10]))

    def post(self, body: object, **headers: str) -> httpx.Response:
        """Post a submission, gzipped, with the pool's token."""
        return httpx.post(
            f"{self.stack.ingest_url}/api/v1/submit",
            content=gzip.compress(json.dumps(body).encode(), 1),
            headers={
                "Authorization": f"Bearer {self.token}",
                "Content-Encoding": "gzip",
                "Content-Type": "application/json",
                **headers,
            },
            timeout=30,
        )

    def count(self, selector: str, window: str = "400d") -> float:
        """Samples in the store that a reader sees."""
        base = self.stack.victoria_url
        httpx.get(f"{base}/internal/force_flush").raise_for_status()
        answer = httpx.get(
            f"{base}/api/v1/query",
            params={
                "query": f"sum(count_over_time({selector}[{window}]))",
                "time": str(time.time() + 600),
                "nocache": "1",
            },
        ).json()
        result = answer["data"]["result"]
        return float(result[0]["value"][1]) if result else 0.0

    def wait_until_counted(self, selector: str, expected: float, seconds: float = 30) -> float:
        """Poll until the store shows the expected number of samples; what it shows."""
        deadline = time.monotonic() + seconds
        while (found := self.count(selector)) != expected and time.monotonic() < deadline:
            time.sleep(0.2)
        return found

    async def connect(self, role: Role = Role.OPERATOR) -> Client:
        """A connection to NATS with the rights of a role."""
        life = Lifecycle(role)
        return await bus.connect(
            life, self.stack.nats_url, self.stack.identity(role), buffered=True
        )

    def on_bus(self, work: Callable[[Client], Awaitable[R]]) -> R:
        """Run `work` with a connection to NATS."""

        async def connected() -> R:
            """Over a connection of its own."""
            client = await self.connect()
            try:
                return await work(client)
            finally:
                await client.close()

        return asyncio.run(connected())


def submission(
    installation: str, records: Sequence[dict[str, object]], model: str = "AERO SLM"
) -> dict[str, object]:
    """Body of a submission."""
    return {
        "installation_id": installation,
        "heatpump_model": model,
        "version": "1.0.0",
        "data": list(records),
    }
