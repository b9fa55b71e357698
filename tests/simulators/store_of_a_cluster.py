"""The doors of a VictoriaMetrics cluster, before a single node: a real Caddy that rewrites paths.

In: a single node. Out: vminsert, vmselect and vmstorage, each on a port of its own that takes
exactly the paths of that component (docs.victoriametrics.com, Cluster version, "URL format") and
answers any other as it would, with 400: a request with the wrong base URL fails here as there.
"""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest
from servers import Server

from heatpool_chassis.victoria import VictoriaUrls
from heatpool_deploy.free_ports import free_port

if TYPE_CHECKING:
    from pathlib import Path

TENANT = "0"
_CADDYFILE = """\
{{
  admin off
  auto_https off
}}
http://127.0.0.1:{insert} {{
  @known path_regexp ^/insert/{tenant}/prometheus/api/v1/import(/native)?$
  handle @known {{
    uri strip_prefix /insert/{tenant}
    reverse_proxy {store}
  }}
  @own path /metrics /health
  handle @own {{
    reverse_proxy {store}
  }}
  respond 400
}}
http://127.0.0.1:{select} {{
  @known path /select/{tenant}/prometheus/api/v1/*
  handle @known {{
    uri strip_prefix /select/{tenant}
    reverse_proxy {store}
  }}
  @delete path /delete/{tenant}/prometheus/api/v1/admin/tsdb/delete_series
  handle @delete {{
    uri strip_prefix /delete/{tenant}
    reverse_proxy {store}
  }}
  respond 400
}}
http://127.0.0.1:{storage} {{
  @own path /internal/force_flush /internal/force_merge /metrics /health
  handle @own {{
    reverse_proxy {store}
  }}
  respond 400
}}
"""


class ClusterDoors(Server):
    """Three doors; start it once the node behind them runs."""

    def __init__(self, folder: Path, store_url: str) -> None:
        program = shutil.which("caddy")
        if program is None:
            pytest.skip("caddy is not installed: run deploy/install/debian.sh caddy caddy")
        folder.mkdir(parents=True, exist_ok=True)
        ports = {name: free_port() for name in ("insert", "select", "storage")}
        roots = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
        self.urls = VictoriaUrls(
            f"{roots['insert']}/insert/{TENANT}/prometheus",
            f"{roots['select']}/select/{TENANT}/prometheus",
            f"{roots['select']}/delete/{TENANT}/prometheus",
            (roots["storage"],),
            (roots["insert"],),
        )
        config = folder / "Caddyfile"
        store = store_url.removeprefix("http://")
        config.write_text(_CADDYFILE.format(tenant=TENANT, store=store, **ports))
        super().__init__(
            [program, "run", "--config", str(config), "--adapter", "caddyfile"],
            folder / "doors.log",
            f"{roots['storage']}/health",
        )
        self.environment = os.environ | {"XDG_CONFIG_HOME": str(folder), "HOME": str(folder)}

    def settings(self) -> dict[str, str]:
        """What the services' environment needs."""
        given = {
            "VICTORIA_WRITE_URL": self.urls.write,
            "VICTORIA_READ_URL": self.urls.read,
            "VICTORIA_STORAGE_URLS": " ".join(self.urls.storages),
        }
        own = {
            "VICTORIA_ADMIN_URL": self.urls.admin,
            "VICTORIA_INSERT_URLS": " ".join(self.urls.inserts),
        }
        hub = {f"HEATPOOL_MODELHUB_{key}": url for key, url in given.items()}
        return hub | {f"HEATPOOL_WRITER_{key}": url for key, url in (given | own).items()}
