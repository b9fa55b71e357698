"""Answers leave in one piece, and nothing is held back for longer than a turn of the loop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from heatpool_chassis.lifecycle import Lifecycle
from heatpool_chassis.one_write import HELD_BYTES_MAX, Joined
from heatpool_deploy.free_ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterable

    from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, Scope

TURN_S = 0.05


class Wire(asyncio.Transport):
    """A connection that keeps what was written to it, write by write."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.given: list[object] = []
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Keep it."""
        assert not self.closed
        self.written.append(bytes(data))
        self.given.append(data)

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        """Keep each."""
        for data in list_of_data:
            self.write(data)

    def close(self) -> None:
        """Take no more."""
        self.closed = True


async def test_what_is_written_in_one_turn_leaves_together() -> None:
    """Head and body: one write; those of the next answer: another."""
    wire = Wire()
    joined = Joined(wire, asyncio.get_running_loop())
    for head, body in ((b"head", b"body"), (b"HEAD", b"BODY")):
        joined.write(head)
        joined.write(body)
        await asyncio.sleep(TURN_S)

    assert wire.written == [b"headbody", b"HEADBODY"]


async def test_a_file_is_handed_on_and_not_copied() -> None:
    """After its head, and at once: many slow readers hold one file."""
    wire, file = Wire(), memoryview(bytes(HELD_BYTES_MAX + 1))
    joined = Joined(wire, asyncio.get_running_loop())
    joined.write(b"head")
    joined.write(file)  # type: ignore[arg-type]  # uvicorn passes on what it is given

    assert wire.given[0] == b"head"
    assert wire.given[1] is file


async def test_closing_sends_first_and_much_is_not_held() -> None:
    """Order is kept, and a sender that never lets the loop turn does not fill memory."""
    wire = Wire()
    joined = Joined(wire, asyncio.get_running_loop())
    joined.write(b"a")
    joined.write(b"b" * HELD_BYTES_MAX)
    at_once = len(wire.written)
    joined.write(b"c")
    joined.close()
    await asyncio.sleep(TURN_S)

    assert at_once == 1
    assert b"".join(wire.written) == b"a" + b"b" * HELD_BYTES_MAX + b"c"
    assert wire.closed


async def _app(_scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    """Answer what was sent, then stop until more is sent, then end."""
    message = await receive()
    assert message["type"] == "http.request"
    await send({"type": "http.response.start", "status": 200, "headers": [], "trailers": False})
    await send({"type": "http.response.body", "body": message["body"], "more_body": True})
    message = await receive()
    assert message["type"] == "http.request"
    await send({"type": "http.response.body", "body": message["body"], "more_body": False})


@pytest.mark.parametrize("expects", ["", "Expect: 100-continue\r\n"])
async def test_a_part_of_an_answer_does_not_wait_for_the_rest(expects: str) -> None:
    """A stream arrives as it is made; who asks whether to go on is told so."""
    life, port = Lifecycle("t"), free_port()
    await life.serve(_app, "127.0.0.1", port)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    async with asyncio.timeout(10):
        writer.write(f"POST / HTTP/1.1\r\nHost: x\r\n{expects}Content-Length: 6\r\n\r\n".encode())
        if expects:
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"one")
        first = await reader.readuntil(b"one\r\n")
        writer.write(b"two")
        second = await reader.readuntil(b"0\r\n\r\n")
    writer.close()
    life.stopping.set()
    await life.drained()

    assert first.startswith(b"HTTP/1.1 200 OK\r\n")
    assert second == b"3\r\ntwo\r\n0\r\n\r\n"
