"""A real InfluxDB of a test's own (Debian's 1.6: deploy/install/debian.sh influxd influxdb)."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx
import pytest

from heatpool_deploy.free_ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROGRAM = shutil.which("influxd")
START_S_MAX = 30.0
USER, PASSWORD, DATABASE = "logger", "of-this-test", "home"


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """Its address; with a user who may write and read the database `home`."""
    if PROGRAM is None:
        pytest.skip("influxd is not installed: run deploy/install/debian.sh influxd influxdb")
    port = free_port()
    environment = {
        **os.environ,
        "INFLUXDB_REPORTING_DISABLED": "true",
        "INFLUXDB_BIND_ADDRESS": f"127.0.0.1:{free_port()}",
        "INFLUXDB_META_DIR": str(folder / "influx" / "meta"),
        "INFLUXDB_DATA_DIR": str(folder / "influx" / "data"),
        "INFLUXDB_DATA_WAL_DIR": str(folder / "influx" / "wal"),
        "INFLUXDB_HTTP_BIND_ADDRESS": f"127.0.0.1:{port}",
        "INFLUXDB_HTTP_AUTH_ENABLED": "true",
    }
    with (folder / "influxd.log").open("wb") as log:
        process = subprocess.Popen(
            [PROGRAM, "-config", os.devnull], env=environment, stdout=log, stderr=log
        )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(url, process)
        create = f"CREATE USER {USER} WITH PASSWORD '{PASSWORD}' WITH ALL PRIVILEGES"
        httpx.post(f"{url}/query", params={"q": create}).raise_for_status()
        httpx.post(
            f"{url}/query", params={"q": f"CREATE DATABASE {DATABASE}"}, auth=(USER, PASSWORD)
        ).raise_for_status()
        yield url
    finally:
        process.kill()
        process.wait()


def write(url: str, lines: str) -> None:
    """Line protocol into `home`."""
    httpx.post(
        f"{url}/write", params={"db": DATABASE}, content=lines, auth=(USER, PASSWORD)
    ).raise_for_status()


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline_s = time.monotonic() + START_S_MAX
    while time.monotonic() < deadline_s:
        if process.poll() is not None:
            raise RuntimeError(f"influxd ended with {process.returncode}")
        try:
            httpx.get(f"{url}/ping").raise_for_status()
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError("influxd does not answer")
