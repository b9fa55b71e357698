"""Real servers on private ports for tests: start, kill, restart on the same data.

In: a folder. Out: running nats-server and VictoriaMetrics processes. Guarantee: each has its own
port and data; nothing outlives its test.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from heatpool_deploy.free_ports import free_port

START_S_MAX = 20.0

NATS_CONFIG = """\
listen: 127.0.0.1:{port}
http: 127.0.0.1:{monitor}
server_name: test
max_payload: 1MB
jetstream {{ store_dir: "{folder}", sync_interval: always, max_file_store: 4GB }}
"""


def _is_stopped(stat: Path) -> bool:
    """Whether a thread is stopped (proc(5): the state follows the name in parentheses)."""
    return stat.read_text().rpartition(")")[2].split()[0] == "T"


class Server:
    """One process that can be killed and started again where it was."""

    def __init__(self, command: list[str], log: Path, health_url: str) -> None:
        self.command = command
        self.log = log
        self.health_url = health_url
        self.environment: dict[str, str] | None = None  # that of this process
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start and wait until it answers."""
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                self.command, stdout=output, stderr=output, env=self.environment
            )
        deadline = time.monotonic() + START_S_MAX
        while not self.healthy():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.command[0]} did not start:\n{self.log.read_text()}")
            time.sleep(0.02)

    def healthy(self) -> bool:
        """Whether it answers its health request."""
        try:
            with urllib.request.urlopen(self.health_url, timeout=2) as answer:  # noqa: S310 - http
                return bool(answer.status == 200)
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    def signal(self, number: signal.Signals) -> None:
        """Send a signal (SIGSTOP, SIGCONT, ...); on return, who is to stop has stopped.

        The kernel stops a process when one of its threads next runs, which on a busy machine takes
        longer than a request.
        """
        assert self.process is not None
        self.process.send_signal(number)
        threads = Path(f"/proc/{self.process.pid}/task")
        while number is signal.SIGSTOP and not all(map(_is_stopped, threads.glob("*/stat"))):
            time.sleep(0.001)

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def stop(self) -> None:
        """SIGTERM, and wait until it is gone."""
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            try:
                self.process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None


class NatsServer(Server):
    """nats-server with JetStream that syncs every write, as in production."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        port, monitor = free_port(), free_port()
        config = folder / "nats.conf"
        config.write_text(
            NATS_CONFIG.format(port=port, monitor=monitor, folder=folder / "jetstream")
        )
        binary = Path(sys.executable).with_name("nats-server")
        super().__init__(
            [str(binary), "-c", str(config)],
            folder / "nats.log",
            f"http://127.0.0.1:{monitor}/healthz",
        )
        self.url = f"nats://127.0.0.1:{port}"
        self.folder = folder
        self.monitor_url = f"http://127.0.0.1:{monitor}"


class VictoriaServer(Server):
    """VictoriaMetrics with the flags of production."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        port = free_port()
        binary = os.environ.get("VICTORIA_METRICS") or shutil.which("victoria-metrics") or ""
        super().__init__(
            [
                binary,
                f"-storageDataPath={folder / 'data'}",
                f"-httpListenAddr=127.0.0.1:{port}",
                "-dedup.minScrapeInterval=1ms",
                "-retentionPeriod=334d",
                "-search.latencyOffset=0s",
                "-search.disableCache",
                "-loggerLevel=WARN",
            ],
            folder / "victoria.log",
            f"http://127.0.0.1:{port}/health",
        )
        self.url = f"http://127.0.0.1:{port}"
