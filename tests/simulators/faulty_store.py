"""A real HTTP server in front of VictoriaMetrics that fails on request.

In: the store's address. Out: an address that passes everything on, until `mode` says otherwise.
Imports alone are concerned, unless `everything` is set.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import zlib
from typing import Literal, Self

import httpx

Mode = Literal["pass", "hang", "cut", "take_and_cut"] | int
"""An integer is an HTTP status that is answered without asking the store; `cut` closes the
connection before, `take_and_cut` after the store has taken the import."""


_STARTED = re.compile(rb"(vm_app_start_timestamp |process_start_time_seconds )(\d+)")

_AGE = re.compile(rb"(vm_app_uptime_seconds )\d+")


class FaultyStore:
    """Use as async context manager; `url` is where it listens."""

    def __init__(self, target: str) -> None:
        self.mode: Mode = "pass"
        self.everything = False
        self.imports = 0
        """Imports that came in, whatever became of them."""
        self.refuse_if_holds: bytes | None = None
        """With this in an import's (unzipped) body, the answer is 400."""
        self.shift_start_s = 0
        """Added to the start time in the store's metrics: its clock has jumped."""
        self.answer_after: asyncio.Event | None = None
        """The answer to an import that the store has taken waits for it."""
        self.age_s: int | None = None
        """Shown as the time for which the store has run."""
        self.url = ""
        self._target = target
        self._http = httpx.AsyncClient(timeout=30)
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._on_connection, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_error: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._http.aclose()

    async def _on_connection(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            # Also a cancellation: asyncio's streams would print it when this task ends by it.
            with contextlib.suppress(
                asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError
            ):
                while await self._exchange(reader, writer):
                    pass
        finally:
            writer.close()
            self._tasks.discard(task)

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        method, path, _version = head[0].split(" ")
        headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        concerned = self.everything or path.endswith("/api/v1/import")
        self.imports += path.endswith("/api/v1/import")
        mode = self.mode if concerned else "pass"
        if mode == "hang":
            await asyncio.Event().wait()
        if mode == "cut":
            return False
        if isinstance(mode, int):
            return await _answer(writer, mode, b"on request")
        if concerned and self.refuse_if_holds and self.refuse_if_holds in _inflated(headers, body):
            return await _answer(writer, 400, b"refused")
        headers.pop("host", None)
        try:
            answer = await self._http.request(
                method, self._target + path, content=body, headers=headers
            )
        except httpx.HTTPError:
            return False
        if mode == "take_and_cut":
            return False
        if concerned and self.answer_after is not None:
            await self.answer_after.wait()
        content = answer.content
        if self.shift_start_s and path.endswith("/metrics"):
            content = _STARTED.sub(
                lambda match: match[1] + str(int(match[2]) + self.shift_start_s).encode(), content
            )
        if self.age_s is not None and path.endswith("/metrics"):
            content = _AGE.sub(b"\\g<1>%d" % self.age_s, content)
        return await _answer(writer, answer.status_code, content)


async def _answer(writer: asyncio.StreamWriter, status: int, content: bytes) -> bool:
    head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(content)}\r\n\r\n"
    if status == 204:
        head, content = "HTTP/1.1 204 X\r\n\r\n", b""
    writer.write(head.encode() + content)
    await writer.drain()
    return True


def _inflated(headers: dict[str, str], body: bytes) -> bytes:
    return zlib.decompress(body, 31) if headers.get("content-encoding") == "gzip" else body
