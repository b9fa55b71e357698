"""An answer's head and body in one piece: uvicorn writes them one after the other.

In: what uvicorn writes to a connection. Out: the same bytes, joined, when the event loop comes
round. Guarantee: order is kept, nothing is held across a turn of the loop, never more than
`HELD_BYTES_MAX`, and what is larger is not copied. On uvloop each write is a system call of its own
and wakes the other side: the second one was a tenth of the edge's time at small requests
(docs/decisions/0204).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

HELD_BYTES_MAX: Final = 64 * 1024  # as much as uvicorn itself lets wait before it slows the sender


class OneWriteProtocol(HttpToolsProtocol):
    """uvicorn's protocol over a connection that joins what is written."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """As in `asyncio.Protocol`."""
        super().connection_made(cast("asyncio.Transport", Joined(transport, self.loop)))


class Joined:
    """The part of a transport that uvicorn uses."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._call_soon = loop.call_soon
        self._held: list[bytes] = []
        self._held_bytes = 0
        self.is_closing: Callable[[], bool] = transport.is_closing
        self.get_extra_info = transport.get_extra_info
        self.pause_reading = transport.pause_reading
        self.resume_reading = transport.resume_reading

    def write(self, data: bytes) -> None:
        """Send in this turn of the loop, in one piece with what else is written in it."""
        if len(data) > HELD_BYTES_MAX:  # as it is: joining a file would copy it for each reader
            held, self._held, self._held_bytes = self._held, [], 0
            self._transport.writelines([*held, data])
            return
        if not self._held:
            self._call_soon(self.flush)
        self._held.append(data)
        self._held_bytes += len(data)
        if self._held_bytes > HELD_BYTES_MAX:
            self.flush()

    def flush(self) -> None:
        """Send what is held."""
        held, self._held, self._held_bytes = self._held, [], 0
        if held:
            self._transport.write(b"".join(held))

    def close(self) -> None:
        """Send what is held, then close."""
        self.flush()
        self._transport.close()
