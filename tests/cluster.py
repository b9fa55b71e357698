"""Three nats-servers with routes, two edges, two writers, one store: each may be killed.

In: a folder. Out: real processes on private ports, with the accounts and rights of production.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import nats.errors
from honcho.environ import parse_procfile

from heatpool_chassis import bus, provisioning
from heatpool_chassis.lifecycle import Lifecycle
from heatpool_chassis.permissions import Role
from heatpool_chassis.topology import Sizes, topology
from heatpool_contract import subjects
from heatpool_deploy import keys, stack
from heatpool_deploy.free_ports import free_port

if TYPE_CHECKING:
    from nats.aio.client import Client

NODES = ("n1", "n2", "n3")
SERVICES = ("ingest1", "ingest2", "writer1", "writer2")
SIZES = Sizes(
    replicas=3,
    telemetry_bytes_max=256 * 1024**2,
    deadletter_bytes_max=64 * 1024**2,
    models_bytes_max=64 * 1024**2,
)
START_S_MAX = 30.0

NODE = """\
include {authorization}
server_name: {name}
listen: 127.0.0.1:{port}
http: 127.0.0.1:{monitor}
max_payload: 1MB
jetstream {{ store_dir: "{folder}", sync_interval: always, max_file_store: 4GB }}
cluster {{ name: heatpool, listen: 127.0.0.1:{route}, routes: [{urls}] }}
"""


class Cluster:
    """A pool on a JetStream cluster."""

    def __init__(self, folder: Path) -> None:
        self.stack = stack.prepare(folder)
        self.ports = {name: free_port() for name in NODES}
        self.edges = {name: free_port() for name in ("ingest1", "ingest2")}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._monitors = {name: free_port() for name in NODES}
        self._private: dict[str, int] = {}
        self._write_configuration()

    @property
    def urls(self) -> str:
        """All nodes, as services are given them."""
        return ",".join(f"nats://127.0.0.1:{port}" for port in self.ports.values())

    @property
    def token(self) -> str:
        """The loggers' token."""
        return self.stack.secret(keys.TOKEN)

    def log(self, name: str) -> Path:
        """File with all output of a process."""
        return self.stack.state / f"{name}.log"

    def start(self) -> None:
        """Nodes, store, streams with three replicas, services."""
        for name in NODES:
            self._run(name, self._node_command(name), {})
        for name in NODES:
            self._wait(name, self._health(name))
        victoria = dict(parse_procfile(stack.procfile()).processes)["victoria"]
        self._run("victoria", ["/bin/sh", "-c", victoria], {})
        self._wait("victoria", f"{self.stack.victoria_url}/health")
        asyncio.run(self._provision())
        for name in SERVICES:
            self._start_service(name)
        for name in SERVICES:
            self._wait(name, f"http://127.0.0.1:{self._private[name]}/health/ready")

    def start_node(self, name: str) -> None:
        """One nats-server, on the data it had."""
        self._run(name, self._node_command(name), {})
        self._wait(name, self._health(name))

    def metrics(self, name: str) -> dict[str, float]:
        """A service's own metrics."""
        text = httpx.get(f"http://127.0.0.1:{self._private[name]}/metrics").text
        pairs = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
        return {key: float(value) for key, _, value in pairs}

    def kill(self, name: str) -> None:
        """SIGKILL, and wait until it is gone."""
        process = self.processes.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def stop(self) -> None:
        """Everything, services first."""
        for name in sorted(self.processes, key=lambda one: one in (*NODES, "victoria")):
            process = self.processes.pop(name)
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    async def connect(self) -> Client:
        """An operator's connection, to whichever node answers."""
        life = Lifecycle(Role.OPERATOR)
        identity = self.stack.identity(Role.OPERATOR)
        return await bus.connect(life, self.urls, identity, buffered=True)

    async def leader(self) -> str:
        """The node that leads TELEMETRY."""
        client = await self.connect()
        info = await client.jetstream(timeout=5).stream_info(subjects.STREAM_TELEMETRY)
        await client.close()
        assert info.cluster is not None
        assert info.cluster.leader is not None
        return info.cluster.leader

    def _node_command(self, name: str) -> list[str]:
        binary = Path(sys.executable).with_name("nats-server")
        return [str(binary), "-c", str(self.stack.state / f"{name}.conf")]

    def _health(self, name: str) -> str:
        return f"http://127.0.0.1:{self._monitors[name]}/healthz?js-server-only=true"

    def _write_configuration(self) -> None:
        routes = {name: free_port() for name in NODES}
        for name in NODES:
            text = NODE.format(
                authorization="./authorization.conf",
                name=name,
                port=self.ports[name],
                monitor=self._monitors[name],
                folder=self.stack.state / "jetstream" / name,
                route=routes[name],
                urls=", ".join(f"nats://127.0.0.1:{port}" for port in routes.values()),
            ).replace("{route}", str(routes[name]))
            (self.stack.state / f"{name}.conf").write_text(text)

    async def _provision(self) -> None:
        client = await self.connect()
        deadline = time.monotonic() + START_S_MAX
        while True:
            try:
                await provisioning.apply(client, topology(SIZES))
                break
            except (nats.errors.Error, TimeoutError):  # no leader yet
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.2)
        await client.close()

    def _start_service(self, name: str) -> None:
        service = name.rstrip("12")
        self._private[name] = free_port()
        prefix = f"HEATPOOL_{service.upper()}_"
        changed = {
            f"{prefix}NATS_URL": self.urls,
            f"{prefix}PRIVATE_PORT": str(self._private[name]),
        }
        if service == "ingest":
            changed[f"{prefix}PORT"] = str(self.edges[name])
        else:
            changed[f"{prefix}DURABLE_S"] = "1"
        self._run(name, [f"heatpool-{service}"], changed)

    def _run(self, name: str, command: list[str], changed: dict[str, str]) -> None:
        with self.log(name).open("ab") as output:
            self.processes[name] = subprocess.Popen(
                command,
                env={**stack.process_environment(self.stack), **changed},
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def _wait(self, name: str, url: str) -> None:
        deadline = time.monotonic() + START_S_MAX
        while True:
            try:
                if httpx.get(url, timeout=2).status_code == httpx.codes.OK:
                    return
            except httpx.TransportError:
                pass
            if self.processes[name].poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{name} did not start:\n{self.log(name).read_text()[-3000:]}")
            time.sleep(0.05)
