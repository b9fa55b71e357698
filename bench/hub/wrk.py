"""The same file from the hub and from nginx, asked for by the same load.

In: ports, a file. Out: requests a second, also per second of the server's processor time.
nginx has one worker, since the hub is one process: a core each, and another one for the load. It
sends the file from the page cache with `sendfile` and asks nothing of anybody: what is left of its
rate is what authorisation, eligibility and Python cost.
"""

from __future__ import annotations

import getpass
import re
import shutil
import subprocess
import time
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import msgspec
import psutil

from heatpool_deploy.free_ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONNECTIONS: Final = 16
HOMES: Final = 99_000  # those of the bench that contribute
CONFIG: Final = """\
daemon off; user {user}; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 10000000;
  default_type application/octet-stream; open_file_cache max=16;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{ listen 127.0.0.1:{port}; root {folder}/files; }}
}}
"""
SCRIPT: Final = """\
local n = 0
request = function()
  n = (n + 7919) % {homes}
  return wrk.format("GET", string.format("{path}", n))
end
done = function(summary, latency, requests)
  io.write(string.format("done %d errors %d us %d bytes %d p50 %d p99 %d\\n", summary.requests,
    summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.write
    + summary.errors.timeout, summary.duration, summary.bytes,
    latency:percentile(50), latency:percentile(99)))
end
"""


class Rates(msgspec.Struct, frozen=True):
    """One run."""

    per_s: float
    per_cpu_s: float
    mib_per_s: float
    p99_ms: float


@contextmanager
def nginx(folder: Path, content: bytes) -> Iterator[tuple[int, psutil.Process]]:
    """A server of `/file`: its port and its worker."""
    (folder / "files").mkdir(parents=True)
    (folder / "files" / "file").write_bytes(content)
    port = free_port()
    config = folder / "nginx.conf"
    config.write_text(
        CONFIG.format(folder=folder, port=port, user=getpass.getuser()), encoding="utf-8"
    )
    binary = shutil.which("nginx") or "/usr/sbin/nginx"
    server = subprocess.Popen([binary, "-c", str(config), "-e", str(folder / "error.log")])
    try:
        _wait(port, content)
        (worker,) = psutil.Process(server.pid).children()
        yield port, worker
    finally:
        server.terminate()
        server.wait()


def _wait(port: int, content: bytes) -> None:
    for _ in range(100):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/file", timeout=1) as answer:
                if answer.read() == content:
                    return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError("nginx does not serve the file")


def ask(
    folder: Path, port: int, path: str, token: str, server: psutil.Process, seconds: float
) -> Rates:
    """Ask for `path`, whose `%012d` becomes the number of a home."""
    script = folder / "ask.lua"
    script.write_text(SCRIPT.format(homes=HOMES, path=path), encoding="utf-8")
    before_s = sum(server.cpu_times()[:2])
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds:.0f}s", "-s", str(script)]
    command += ["-H", f"Authorization: Bearer {token}", f"http://127.0.0.1:{port}"]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    cpu_s = sum(server.cpu_times()[:2]) - before_s
    found = re.search(r"done (\d+) errors (\d+) us (\d+) bytes (\d+) p50 \d+ p99 (\d+)", output)
    if found is None or int(found[2]):
        raise RuntimeError(output)
    done, _, took_us, size, p99_us = map(int, found.groups())
    took_s = took_us / 1e6
    return Rates(done / took_s, done / cpu_s, size / took_s / 1024**2, p99_us / 1000)
