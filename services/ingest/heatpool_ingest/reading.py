"""The body of a request, never more of it than a body may have, nor for longer.

In: a connection's `receive`. Out: the body as sent. Guarantee: a body that does not arrive within
its time ends its own request and nothing else.

The bodies of a pool are mostly there at once: `asyncio.timeout`, a timer for each, cost more than
the reading. All have the same time, hence they run out in the order in which they began, and one
timer is enough for all of them.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from heatpool_contract.refusals import Refusal
from heatpool_contract.telemetry import BODY_BYTES_MAX
from heatpool_ingest.admission import RequestRefusedError

if TYPE_CHECKING:
    from litestar.types import Receive


class HungUpError(Exception):
    """The client went away before its request was complete."""


class Bodies:
    """Reads them, each in `seconds_max`."""

    def __init__(self, seconds_max: float) -> None:
        self._seconds_max = seconds_max
        self._due_s: dict[asyncio.Task[object], float] = {}  # the oldest first
        self._late: set[asyncio.Task[object]] = set()
        self._timer: asyncio.TimerHandle | None = None

    async def read(self, receive: Receive) -> bytes:
        """The body of one request, read by its own task.

        Raises:
            RequestRefusedError: body_too_large, body_too_slow.
            HungUpError: the client went away in the middle of it.
        """
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None  # noqa: S101 - this is a coroutine; for mypy
        self._due_s[task] = loop.time() + self._seconds_max
        if self._timer is None:
            self._timer = loop.call_later(self._seconds_max, self._look)
        try:
            return await _all_of_it(receive)
        except asyncio.CancelledError as error:
            if task in self._late and not task.uncancel():
                raise RequestRefusedError(Refusal.BODY_TOO_SLOW) from error
            raise  # the process stops
        finally:
            del self._due_s[task]
            self._late.discard(task)

    def _look(self) -> None:
        """End whoever is late, come again when the next one may be."""
        loop = asyncio.get_running_loop()
        self._timer = None
        for task, due_s in self._due_s.items():
            if due_s > loop.time():
                self._timer = loop.call_at(due_s, self._look)
                break
            self._late.add(task)
            task.cancel()


async def _all_of_it(receive: Receive) -> bytes:
    taken: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            raise HungUpError
        size += len(message["body"])
        if size > BODY_BYTES_MAX:
            raise RequestRefusedError(Refusal.BODY_TOO_LARGE, limit=BODY_BYTES_MAX)
        taken.append(message["body"])
        more = message["more_body"]
    return taken[0] if len(taken) == 1 else b"".join(taken)
