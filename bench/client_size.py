"""What the client costs a small computer: time of `import`, memory while submitting.

In: the client as it is installed for this interpreter. Out: milliseconds and megabytes, one line
each; exit status 1 above 150 ms or 60 MB. The pool is a process of its own that says yes.
Run: `make wheels`, or `.venv/bin/python bench/client_size.py`.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile

IMPORT_MS_MAX, RESIDENT_MB_MAX = 150, 60
RUNS = 7
TIMED = """
import time
start = time.perf_counter()
import heatpool_client
print((time.perf_counter() - start) * 1000)
"""
POOL = """
import http.server, json, gzip
class Yes(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        body = gzip.decompress(self.rfile.read(int(self.headers["content-length"])))
        answer = json.dumps({"processed": len(json.loads(body)["data"])}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)
    def log_message(self, *_): pass
server = http.server.HTTPServer(("127.0.0.1", 0), Yes)
print(server.server_port, flush=True)
server.serve_forever()
"""
SUBMITS = """
import os, sys, time
from pathlib import Path
from heatpool_client import Telemetry, consent, setup
from heatpool_client.home import Home
home = Home(Path(sys.argv[1]))
choices = setup.Choices(settings={"server": sys.argv[2], "model": "AERO SLM"}, token="t" * 32)
setup.initialise(home, choices, time.time(), os.urandom)
consent.grant(home, consent.CONSENT_VERSION, time.time(), language="en", means="option",
              client_version="0")
telemetry = Telemetry(home=home.root, background=False)
fields = {f"field_{i}": 20.5 + i for i in range(40)}
now = time.time()
for i in range(1440):
    telemetry.record({"timestamp": now - 60 * i, **fields})
done = telemetry.flush()
status = Path("/proc/self/status").read_text()
peak = next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]
print(done.records, int(peak) / 1024)
telemetry.close()
"""


def main() -> None:
    """Print the figures."""
    times = sorted(float(_run(TIMED)) for _ in range(RUNS))
    import_ms = times[RUNS // 2]
    server = subprocess.Popen([sys.executable, "-c", POOL], stdout=subprocess.PIPE, text=True)
    try:
        port = server.stdout.readline().strip() if server.stdout else ""
        with tempfile.TemporaryDirectory() as folder:
            said = _run(SUBMITS, f"{folder}/home", f"http://127.0.0.1:{port}").split()
    finally:
        server.kill()
        server.wait()
    records, peak_mb = int(said[0]), float(said[1])
    print(f"import heatpool_client: median {import_ms:.0f} ms of {RUNS} (at most {IMPORT_MS_MAX})")
    print(f"peak resident while submitting {records} records of 40 fields: {peak_mb:.1f} MB "
          f"(at most {RESIDENT_MB_MAX})")  # fmt: skip  # two halves of a line
    if import_ms > IMPORT_MS_MAX or peak_mb > RESIDENT_MB_MAX:
        raise SystemExit(1)


def _run(program: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-I", "-c", program, *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


if __name__ == "__main__":
    main()
