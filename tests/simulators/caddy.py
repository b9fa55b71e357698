"""A real Caddy of a test's own (Debian's package) with the Caddyfile that operators get."""

from __future__ import annotations

import os
import shutil
import ssl
from pathlib import Path

import pytest
from servers import Server

from heatpool_deploy.free_ports import free_port

CADDYFILE = Path(__file__).parent.parent.parent / "deploy" / "caddy" / "Caddyfile"
ROOT_CERTIFICATE = "pki/authorities/local/root.crt"


class Caddy(Server):
    """The public door of a pool, with a certificate of its own authority."""

    def __init__(self, folder: Path, *, edges: str, hubs: str) -> None:
        """Prepare it; `edges` and `hubs` are upstreams with blanks between."""
        program = shutil.which("caddy")
        if program is None:
            pytest.skip("caddy is not installed: run deploy/install/debian.sh caddy caddy")
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.url = f"https://localhost:{self.port}"
        self.storage = folder / "storage"
        super().__init__(
            [program, "run", "--config", str(CADDYFILE), "--adapter", "caddyfile"],
            folder / "caddy.log",
            f"{self.url}/health",
        )
        self.environment = os.environ | {
            "HEATPOOL_SITE": self.url,
            "HEATPOOL_HTTPS_PORT": str(self.port),
            "HEATPOOL_EDGES": edges,
            "HEATPOOL_HUBS": hubs,
            "HEATPOOL_CADDY_STORAGE": str(self.storage),
            "XDG_CONFIG_HOME": str(folder),
        }

    def healthy(self) -> bool:
        """Whether its authority exists and a handshake with the site succeeds."""
        try:
            ssl.get_server_certificate(
                ("localhost", self.port), ca_certs=str(self.storage / ROOT_CERTIFICATE), timeout=2
            )
        except OSError:
            return False
        return True

    def trusting(self) -> ssl.SSLContext:
        """A client's context that trusts this Caddy and nobody else."""
        return ssl.create_default_context(cafile=str(self.storage / ROOT_CERTIFICATE))
