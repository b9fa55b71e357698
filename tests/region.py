"""A region as `heatpoolctl region add` sets it up: a leaf nats-server, one edge, a link."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from click.testing import CliRunner
from servers import Server

from heatpool_chassis import bus
from heatpool_deploy import bus_users, regions
from heatpool_deploy.__main__ import main
from heatpool_deploy.free_ports import free_port

if TYPE_CHECKING:
    from pool import Pool

NAME = "eu"


def certificate(folder: Path) -> None:
    """A self-signed one for loopback, in a new folder: its own authority."""
    folder.mkdir(parents=True)
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-nodes", "-days", "1", "-subj", "/CN=127.0.0.1",
            "-addext", "subjectAltName=IP:127.0.0.1",
            "-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem"),
        ],
        check=True,
        capture_output=True,
    )  # fmt: skip
    (folder / "ca.pem").write_bytes((folder / "cert.pem").read_bytes())


def add(pool: Pool, folder: Path, hub_port: int, listen_port: int) -> None:
    """Run the operator's command; the pool's nats-server must be started after it."""
    tls = pool.stack.state / "link-tls"
    certificate(tls)
    done = CliRunner().invoke(
        main,
        [
            "region", "add", NAME, str(folder), "--state", str(pool.stack.state),
            "--hub", f"tls://127.0.0.1:{hub_port}", "--listen", f"127.0.0.1:{listen_port}",
            "--certificate", str(tls), "--ca", str(tls / "ca.pem"),
        ],
    )  # fmt: skip
    assert done.exit_code == 0, done.output


class LeafServer(Server):
    """The region's nats-server."""

    def __init__(self, folder: Path) -> None:
        port, monitor = free_port(), free_port()
        self.url = f"nats://127.0.0.1:{port}"
        self.identity = bus.Identity((folder / bus_users.seed_file("ingest")).read_text())
        binary = Path(sys.executable).with_name("nats-server")
        super().__init__(
            ["/bin/sh", "-c", f"cd {folder} && exec {binary} -c {regions.LEAF_FILE}"],
            folder / "leaf.log",
            f"http://127.0.0.1:{monitor}/healthz",
        )
        self.environment = os.environ | {
            "HEATPOOL_NATS_LISTEN": f"127.0.0.1:{port}",
            "HEATPOOL_NATS_HTTP": f"127.0.0.1:{monitor}",
        }


class RegionalEdge(Server):
    """The edge there."""

    def __init__(self, pool: Pool, folder: Path, leaf: LeafServer) -> None:
        port, private = free_port(), free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.private_url = f"http://127.0.0.1:{private}"
        super().__init__(
            [str(Path(sys.executable).with_name("heatpool-ingest"))],
            folder / "edge.log",
            f"{self.private_url}/health/ready",
        )
        self.environment = pool.environment | {
            "HEATPOOL_INGEST_NATS_URL": leaf.url,
            "HEATPOOL_INGEST_NATS_SEED_FILE": str(folder / bus_users.seed_file("ingest")),
            "HEATPOOL_INGEST_PORT": str(port),
            "HEATPOOL_INGEST_PRIVATE_PORT": str(private),
        }
