"""How long the body of a request may take to arrive, and what becomes of the others meanwhile."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from edge import TOKEN, records, running_edge, submission

from heatpool_contract.refusals import Refusal
from heatpool_ingest.admission import RequestRefusedError
from heatpool_ingest.reading import Bodies, HungUpError

if TYPE_CHECKING:
    from litestar.types import HTTPReceiveMessage
    from servers import NatsServer


class Sender:
    """A client that sends parts, and waits for as long as it likes before the last one."""

    def __init__(self, *parts: bytes, waits_s: float = 0.0, hangs_up: bool = False) -> None:
        self._parts = list(parts)
        self._waits_s = waits_s
        self._hangs_up = hangs_up

    async def __call__(self) -> HTTPReceiveMessage:
        """The next part."""
        if len(self._parts) == 1:
            await asyncio.sleep(self._waits_s)
            if self._hangs_up:
                return {"type": "http.disconnect"}
        body = self._parts.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(self._parts)}


async def test_a_body_in_parts_is_put_together() -> None:
    """As it was sent, whether or not the loop turned in between."""
    assert await Bodies(5.0).read(Sender(b"a", b"b", b"c", waits_s=0.01)) == b"abc"


async def test_who_hangs_up_is_not_waited_for() -> None:
    """The end of the connection is no end of the body."""
    with pytest.raises(HungUpError):
        await Bodies(5.0).read(Sender(b"a", b"b", hangs_up=True))


async def test_a_late_body_ends_alone_and_one_timer_serves_those_who_came_later() -> None:
    """Each has its own time, from when it began; who is in time is not disturbed."""
    bodies = Bodies(0.2)
    first = asyncio.create_task(bodies.read(Sender(b"a", b"b", waits_s=60)))
    await asyncio.sleep(0.1)
    second = asyncio.create_task(bodies.read(Sender(b"a", b"b", waits_s=60)))
    quick = asyncio.create_task(bodies.read(Sender(b"a", b"b", waits_s=0.15)))

    with pytest.raises(RequestRefusedError) as refused:
        await first
    assert refused.value.refusal is Refusal.BODY_TOO_SLOW
    assert not second.done()
    assert await quick == b"ab"
    with pytest.raises(RequestRefusedError):
        await second
    with pytest.raises(RequestRefusedError):  # the timer starts anew after it had nobody left
        await bodies.read(Sender(b"a", b"b", waits_s=60))


async def test_a_request_that_is_cancelled_by_others_is_not_called_slow() -> None:
    """When the process stops, its tasks are to end as cancelled."""
    reading = asyncio.create_task(Bodies(60.0).read(Sender(b"a", b"b", waits_s=60)))
    await asyncio.sleep(0.01)
    reading.cancel()

    with pytest.raises(asyncio.CancelledError):
        await reading


async def test_a_body_that_never_ends_is_a_408_while_others_are_answered(
    nats_server: NatsServer,
) -> None:
    """Over HTTP: half of a body, then silence."""
    async with running_edge(nats_server, body_s_max=0.3) as edge:
        reader, writer = await asyncio.open_connection("127.0.0.1", edge.http.base_url.port)
        head = f"POST /api/v1/submit HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n"
        writer.write(f"{head}Content-Length: 1000\r\n\r\n{{".encode())
        other = await edge.post(submission(records(3)))
        status = await reader.readline()
        body = await reader.readuntil(b"}")
        writer.close()

    assert other.status_code == 200
    assert status.split()[1] == b"408"
    assert b'"body_too_slow"' in body
