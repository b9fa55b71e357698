"""`heatpool web` as a process: what it listens on, what it needs, how it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import httpx
import pytest
from click.testing import CliRunner

from heatpool_client.__main__ import cli
from heatpool_client.commands.shell import Surroundings
from heatpool_client.web.guard import read_secret
from heatpool_deploy.free_ports import free_port

if TYPE_CHECKING:
    from click.testing import Result
    from simulators.household import Household

START_S_MAX = 30.0


def heatpool(household: Household, *arguments: str, stdin: str | None = None) -> Result:
    """The command line on that home."""
    line = ["web", "--home", str(household.home.root), *arguments]
    return CliRunner().invoke(cli, line, input=stdin, obj=Surroundings({"LANG": "C"}))


@pytest.mark.parametrize("address", ["0.0.0.0", "192.168.1.5", "::"])  # noqa: S104 - it is refused
def test_other_machines_need_a_password(household: Household, address: str) -> None:
    """Without one the home network is not served by accident."""
    done = heatpool(household, "--listen", address)

    assert done.exit_code == 2
    assert "--set-password" in done.output


def test_a_password_is_set_and_a_short_one_is_not(household: Household) -> None:
    """From standard input for scripts; the output shows none of it."""
    short = heatpool(household, "--set-password", stdin="short\n")
    assert (short.exit_code, read_secret(household.home)) == (2, None)
    done = heatpool(household, "--set-password", stdin="correct horse\n")

    assert done.exit_code == 0
    assert "correct" not in done.output
    assert read_secret(household.home) is not None


def test_a_damaged_password_file_opens_nothing(household: Household) -> None:
    """An open page would be worse than none."""
    household.home.web.write_bytes(b"{")
    household.home.web.chmod(0o600)
    done = heatpool(household)

    assert done.exit_code == 3


def test_the_process_serves_this_machine_and_logs_nothing(household: Household) -> None:
    """Until SIGTERM; gzip for who takes it; a body that is too large is cut off."""
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    environ = {"PATH": os.environ["PATH"], "HEATPOOL_HOME": str(household.home.root)}
    command = [sys.executable, "-m", "heatpool_client", "web", "--port", str(port)]
    process = subprocess.Popen(
        command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        with httpx.Client(base_url=base, headers={"accept-encoding": "gzip"}) as http:
            page = _first(http, process)
            texts = http.get("/assets/texts.de.json")
            large = http.post("/api/login", content=b"x" * 20_000)
            rebound = http.get("/api/status", headers={"host": "evil.example"})
    finally:
        process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=20)

    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "httponly" in page.headers["set-cookie"].lower()
    assert "samesite=strict" in page.headers["set-cookie"].lower()
    assert "server" not in page.headers
    assert texts.headers["content-encoding"] == "gzip"
    assert (large.status_code, rebound.status_code) == (413, 421)
    assert process.returncode == -signal.SIGTERM  # Uvicorn passes it on when all is closed
    assert said == ("", f"{base}/\n")


def _first(http: httpx.Client, process: subprocess.Popen[str]) -> httpx.Response:
    deadline = time.monotonic() + START_S_MAX
    while True:
        try:
            return http.get("/")
        except httpx.ConnectError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
