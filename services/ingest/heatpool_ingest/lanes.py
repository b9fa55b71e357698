"""How much of other people's bodies this process holds at once, in two lanes.

In: the declared size of a request. Out: leave to read it, or none in time. Guarantee: bodies and
what is made of them never exceed the sum of both lanes; a request waits before its body is read,
so that waiting costs a socket and no memory; a home that uploads its year fills the bulk lane and
leaves the live one, on which a minute's readings travel, as empty as it was.
"""

from __future__ import annotations

import asyncio
from collections import deque
from enum import Enum
from typing import Final

LIVE_BODY_BYTES_MAX: Final = 64 * 1024
"""As sent. Plain, 200 records of 11 fields; gzipped, more than a day of minutes."""
WAITING_MAX: Final = 512  # connections, each with up to 64 KiB in the server's read buffer
_COST_BYTES_MIN: Final = 16 * 1024  # the request's own objects


class Lane(Enum):
    """Which way a request takes; the value is its rank where both want the same."""

    LIVE = 0
    BULK = 1


class LaneFullError(Exception):
    """No room became free in time."""


class Budget:
    """Bytes that may be held at once; waiting is first come, first served."""

    def __init__(self, bytes_max: int, wait_s: float) -> None:
        self.bytes_max = bytes_max
        self.held_bytes = 0
        self._wait_s = wait_s
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    def hold(self, size_bytes: int) -> _Held:
        """Hold `size_bytes` (at most everything) for the length of an `async with`.

        Raises:
            LaneFullError: on entry, not within the lane's patience.
        """
        return _Held(self, min(max(size_bytes, _COST_BYTES_MIN), self.bytes_max))

    async def take(self, cost: int) -> None:
        """Wait for `cost` bytes and hold them. Raises as `hold`."""
        if self._waiting or self.held_bytes + cost > self.bytes_max:
            await self._turn(cost)
        else:
            self.held_bytes += cost

    async def _turn(self, cost: int) -> None:
        if len(self._waiting) >= WAITING_MAX:
            raise LaneFullError
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (cost, turn)
        self._waiting.append(entry)
        try:
            async with asyncio.timeout(self._wait_s):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                self.free(cost)  # it was our turn in the very moment that we gave up
            else:
                self._waiting.remove(entry)
                self.free(0)  # whoever stood behind may fit
            if isinstance(error, TimeoutError):
                raise LaneFullError from error
            raise

    def free(self, cost: int) -> None:
        """Give back what was held, to whoever waits."""
        self.held_bytes -= cost
        while self._waiting:
            wanted, turn = self._waiting[0]
            if turn.cancelled():  # its own task takes it out of the queue
                break
            if self.held_bytes + wanted > self.bytes_max:
                break
            self._waiting.popleft()
            self.held_bytes += wanted
            turn.set_result(None)


class _Held:
    """Some bytes of a budget; `contextlib`'s generators would cost more than the taking."""

    def __init__(self, budget: Budget, cost: int) -> None:
        self._budget = budget
        self._cost = cost

    async def __aenter__(self) -> None:
        await self._budget.take(self._cost)

    async def __aexit__(self, *_error: object) -> None:
        self._budget.free(self._cost)


class Lanes:
    """The two budgets."""

    def __init__(self, live: Budget, bulk: Budget) -> None:
        self._budgets = {Lane.LIVE: live, Lane.BULK: bulk}

    def __getitem__(self, lane: Lane) -> Budget:
        return self._budgets[lane]

    @property
    def held_bytes(self) -> int:
        """In both lanes."""
        return sum(budget.held_bytes for budget in self._budgets.values())


def lane_of(body_bytes: int | None) -> Lane:
    """Lane of a body of that declared size; one that does not say is taken for a large one."""
    return Lane.LIVE if body_bytes is not None and body_bytes <= LIVE_BODY_BYTES_MAX else Lane.BULK
