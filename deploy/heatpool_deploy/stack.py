"""The whole pool on one machine: its files, its ports, its processes, its environment.

In: a state folder. Out: everything that `deploy/Procfile` needs to run. Guarantee: all state is
under that folder; ports are kept in it, so that a restart finds the same ones; servers listen on
loopback only.
"""

from __future__ import annotations

import os
import secrets
import shutil
import sys
import time
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from heatpool_chassis.bus import Identity
from heatpool_chassis.permissions import SERVICES, Role
from heatpool_deploy import bus_users, keys, regions
from heatpool_deploy.free_ports import free_port

if TYPE_CHECKING:
    from collections.abc import Mapping

ENV_FILE: Final = "env"
PORTS_FILE: Final = "ports.json"
OVERRIDES_FILE: Final = "overrides.json"
_NATS_CONF: Final = """\
# Written by heatpoolctl; production's is in deploy/nats/.
include ./authorization.conf
include ./regions.conf
listen: 127.0.0.1:{nats}
http: 127.0.0.1:{nats_monitor}
server_name: heatpool
max_payload: 1MB
jetstream {{
  store_dir: "{folder}"
  max_file_store: 16GB
  sync_interval: always  # an acknowledgement means: on disk
}}
{tls}"""
_TLS: Final = """\
tls {{
  cert_file: "{folder}/cert.pem"
  key_file: "{folder}/key.pem"
}}
"""


class StackError(Exception):
    """The stack cannot be set up here; the text says what to do."""


class Ports(msgspec.Struct, frozen=True, kw_only=True):
    """Where everything listens, on loopback."""

    nats: int
    nats_monitor: int
    victoria: int
    ingest: int
    modelhub: int
    private_ingest: int
    private_writer: int
    private_trainer: int
    private_modelhub: int


class Stack(msgspec.Struct, frozen=True):
    """One pool on this machine."""

    state: Path
    ports: Ports

    @property
    def keys(self) -> Path:
        """Folder of the pool's secrets."""
        return self.state / "keys"

    @property
    def tls(self) -> Path:
        """Folder for `cert.pem`, `key.pem` and `ca.pem`; with it, the bus speaks TLS only."""
        return self.state / "tls"

    @property
    def nats_url(self) -> str:
        """Of nats-server."""
        scheme = "tls" if self.tls.is_dir() else "nats"
        return f"{scheme}://127.0.0.1:{self.ports.nats}"

    def identity(self, role: Role) -> Identity:
        """How a process of this machine shows itself to the bus."""
        ca_file = self.tls / "ca.pem" if self.tls.is_dir() else None
        return Identity(self.secret(bus_users.seed_file(role)), ca_file)

    @property
    def victoria_url(self) -> str:
        """Of VictoriaMetrics."""
        return f"http://127.0.0.1:{self.ports.victoria}"

    @property
    def ingest_url(self) -> str:
        """Of the edge."""
        return f"http://127.0.0.1:{self.ports.ingest}"

    @property
    def modelhub_url(self) -> str:
        """Of the hub."""
        return f"http://127.0.0.1:{self.ports.modelhub}"

    def secret(self, name: str) -> str:
        """Content of one of the files of `keys`."""
        return (self.keys / name).read_text(encoding="utf-8")


def prepare(state: Path, overrides: Mapping[str, str] | None = None) -> Stack:
    """Create what is missing under `state`: keys, ports, configuration, environment.

    `overrides` are settings on top, kept for the next start; None keeps those of the last one.
    """
    state = state.resolve()
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    stack = Stack(state, _ports(state / PORTS_FILE))
    keys.make_keys(stack.keys, secrets.token_bytes, int(time.time()))
    write_users(stack)
    if overrides is not None:
        (state / OVERRIDES_FILE).write_bytes(msgspec.json.encode(dict(overrides)))
    (state / "nats.conf").write_text(
        _NATS_CONF.format(
            nats=stack.ports.nats,
            nats_monitor=stack.ports.nats_monitor,
            folder=state / "jetstream",
            tls=_TLS.format(folder=stack.tls) if stack.tls.is_dir() else "",
        ),
        encoding="utf-8",
    )
    text = "".join(f"{key}={value}\n" for key, value in environment(stack).items())
    (state / ENV_FILE).write_text(text, encoding="utf-8")
    return stack


def write_users(stack: Stack) -> None:
    """The bus's users, their rights, and where regions arrive."""
    public_keys = bus_users.make_users(stack.keys, secrets.token_bytes)
    known = regions.read(stack.keys)
    text = bus_users.authorization(public_keys, known.links)
    (stack.state / bus_users.AUTHORIZATION_FILE).write_text(text, encoding="utf-8")
    (stack.state / regions.LISTENER_FILE).write_text(regions.listener(known), encoding="utf-8")


def environment(stack: Stack) -> dict[str, str]:
    """What the processes read; secrets as names of files."""
    ports, url = stack.ports, stack.victoria_url
    env = {
        "STATE": str(stack.state),
        "PORT_VICTORIA": str(ports.victoria),
        "VICTORIA_METRICS": victoria_binary(),
        "HEATPOOL_CTL_VICTORIA_URL": url,
        "HEATPOOL_CTL_EDGE_URL": stack.ingest_url,
    }
    for role in (*SERVICES, Role.OPERATOR):
        prefix = "HEATPOOL_CTL" if role is Role.OPERATOR else f"HEATPOOL_{role.upper()}"
        env[f"{prefix}_NATS_URL"] = stack.nats_url
        env[f"{prefix}_NATS_SEED_FILE"] = str(stack.keys / bus_users.seed_file(role))
        if stack.tls.is_dir():
            env[f"{prefix}_NATS_CA"] = str(stack.tls / "ca.pem")
    for role in SERVICES:
        port: int = getattr(ports, f"private_{role}")
        env[f"HEATPOOL_{role.upper()}_PRIVATE_PORT"] = str(port)
    for service in ("WRITER", "TRAINER"):
        for way in ("WRITE", "READ", "ADMIN"):
            env[f"HEATPOOL_{service}_VICTORIA_{way}_URL"] = url
    for way in ("WRITE", "READ"):
        env[f"HEATPOOL_MODELHUB_VICTORIA_{way}_URL"] = url
    files = {
        "CTL_PSEUDONYM_KEY": keys.PSEUDONYM_KEY,
        "CTL_TOKEN": keys.TOKEN,
        "INGEST_TOKENS": keys.TOKEN,
        "INGEST_PSEUDONYM_KEY": keys.PSEUDONYM_KEY,
        "INGEST_RECEIPT_KEY": keys.RECEIPT_KEY,
        "MODELHUB_TOKENS": keys.TOKEN,
        "MODELHUB_OPERATOR_TOKENS": keys.OPERATOR_TOKEN,
        "MODELHUB_PSEUDONYM_KEY": keys.PSEUDONYM_KEY,
        "MODELHUB_HUB_PRIVATE_KEY": keys.HUB_PRIVATE,
        "MODELHUB_TIMESTAMP_KEY": keys.TIMESTAMP_SEED,
        "MODELHUB_FLEET_PUBLIC_KEY": keys.FLEET_PUBLIC,
        "TRAINER_RELEASE_SEED": keys.RELEASE_SEED,
        "TRAINER_HUB_PUBLIC_KEY": keys.HUB_PUBLIC,
    }
    env |= {f"HEATPOOL_{key}_FILE": str(stack.keys / name) for key, name in files.items()}
    env["HEATPOOL_INGEST_PORT"] = str(ports.ingest)
    env["HEATPOOL_MODELHUB_PORT"] = str(ports.modelhub)
    # This pool is for trying out: a recording of years may be replayed into it in one go.
    env["HEATPOOL_INGEST_QUOTA_RECORDS_BURST"] = "10000000"
    env["HEATPOOL_TRAINER_QUARANTINE_DAYS"] = "0"  # its homes are all new, and all ours
    env["HEATPOOL_TRAINER_STATE"] = str(stack.state / "trainer")
    overrides = stack.state / OVERRIDES_FILE
    if overrides.exists():
        env |= msgspec.json.decode(overrides.read_bytes(), type=dict[str, str])
    return env


def process_environment(stack: Stack) -> dict[str, str]:
    """`environment` on top of this process's own; our scripts first on PATH.

    Settings of another pool that this shell may hold are left out: a service would refuse them.
    """
    own = {key: value for key, value in os.environ.items() if not key.startswith("HEATPOOL_")}
    scripts = str(Path(sys.executable).parent)
    return {**own, **environment(stack), "PATH": f"{scripts}{os.pathsep}{own.get('PATH', '')}"}


def procfile() -> str:
    """Text of the process file: `name: command` a line."""
    beside = Path(__file__).parent.parent / "Procfile"
    if beside.is_file():
        return beside.read_text(encoding="utf-8")
    return (resources.files("heatpool_deploy") / "Procfile").read_text(encoding="utf-8")


def victoria_binary() -> str:
    """Path of VictoriaMetrics.

    Raises:
        StackError: there is none.
    """
    found = os.environ.get("VICTORIA_METRICS") or shutil.which("victoria-metrics")
    if not found:
        raise StackError("VictoriaMetrics is missing: run `make setup`, or set VICTORIA_METRICS")
    return found


def _ports(path: Path) -> Ports:
    """The ports kept in `path`, else free ones; `HEATPOOL_PORT_<NAME>` sets one."""
    if path.exists():
        return msgspec.json.decode(path.read_bytes(), type=Ports)
    chosen = {
        field.name: int(os.environ.get(f"HEATPOOL_PORT_{field.name.upper()}", "0")) or free_port()
        for field in msgspec.structs.fields(Ports)
    }
    ports = Ports(**chosen)
    path.write_bytes(msgspec.json.encode(ports))
    return ports
