"""A tiny real HTTP server that takes submissions as the pool does, and keeps them."""

from __future__ import annotations

import threading
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from heatpool_contract.telemetry import Submission, decode

TOKEN = "token-of-this-test"


class Handler(BaseHTTPRequestHandler):
    """Answers from the server's script, then with 200."""

    server: TinyPool
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Take one submission, or refuse it as scripted."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            self.answer(403, b'{"code":"token_wrong"}')
            return
        with self.server.lock:
            status = self.server.script.pop(0) if self.server.script else 200
        if status != 200:
            self.answer(status, b'{"code":"busy"}')
            return
        inflated = zlib.decompress(body, 31)
        submission = decode(inflated)
        with self.server.lock:
            self.server.paths.add(self.path)
            self.server.taken.append(submission)
        answer = f'{{"status":"success","processed":{len(submission.data)},"rejected":0}}'
        self.answer(200, answer.encode())

    def answer(self, status: int, body: bytes) -> None:
        """Send an answer; a busy pool asks for a pause of 0 s, so that tests do not wait."""
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if status in (429, 503):
            self.send_header("Retry-After", "0")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class TinyPool(ThreadingHTTPServer):
    """The server; use as a context manager."""

    daemon_threads = True

    def __init__(self, script: list[int] | None = None) -> None:
        self.lock = threading.Lock()
        self.script = list(script or [])
        self.taken: list[Submission] = []
        self.paths: set[str] = set()
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self._thread = threading.Thread(target=self.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop and release the port."""
        self.shutdown()
        self.server_close()
        self._thread.join()
