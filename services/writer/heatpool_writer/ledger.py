"""PURE: what is written and not yet acknowledged.

In: posts that the store has answered with success, and which life of the store that was. Out: what
may be acknowledged, what has to be taken back. Guarantee: nothing comes out as durable that an
earlier life of the store took; everything put in comes out exactly once.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import msgspec

from heatpool_contract.registry import Contribution

if TYPE_CHECKING:
    from collections.abc import Iterator


class Held(msgspec.Struct, frozen=True):
    """A message whose samples are written. Its payload is gone: the stream still has it."""

    reply: str
    """Subject that acknowledges it."""
    installation: str
    contribution: Contribution

    @property
    def samples(self) -> int:
        """Values in the message."""
        return self.contribution.samples


class Written(msgspec.Struct):
    """One post."""

    at_s: float
    store: str
    """Which life of the store took it."""
    held: list[Held]
    alive_s: float
    """When the server was last told that it is being worked on."""


class AckLedger:
    """What is written and not yet acknowledged, oldest first."""

    def __init__(self) -> None:
        self._written: deque[Written] = deque()
        self.messages = 0
        self.samples = 0

    def add(self, now_s: float, store: str, held: list[Held]) -> None:
        """Remember a post that `store` has answered with success."""
        self._written.append(Written(now_s, store, held, alive_s=now_s))
        self.messages += len(held)
        self.samples += _samples(held)

    def any_due(self, now_s: float, durable_s: float) -> bool:
        """Whether the oldest post has been long enough ago."""
        return bool(self._written) and now_s - self._written[0].at_s >= durable_s

    def lost(self, store: str) -> list[Held]:
        """Take out what an earlier life of the store took: it may have lost any of it."""
        gone = [entry for entry in self._written if entry.store != store]
        self._written = deque(entry for entry in self._written if entry.store == store)
        return self._out(gone)

    def durable(self, now_s: float, durable_s: float) -> list[Held]:
        """Take out what the present life of the store has held for long enough."""
        ripe: list[Written] = []
        while self.any_due(now_s, durable_s):
            ripe.append(self._written.popleft())
        return self._out(ripe)

    def all(self) -> list[Held]:
        """Take out everything."""
        everything, self._written = list(self._written), deque()
        return self._out(everything)

    def unattended(self, now_s: float, keep_alive_s: float) -> Iterator[Held]:
        """What the server has not heard of for long; it counts as attended from now on."""
        for entry in self._written:
            if now_s - entry.alive_s >= keep_alive_s:
                entry.alive_s = now_s
                yield from entry.held

    def _out(self, entries: list[Written]) -> list[Held]:
        held = [one for entry in entries for one in entry.held]
        self.messages -= len(held)
        self.samples -= _samples(held)
        return held


def _samples(held: list[Held]) -> int:
    return sum(one.samples for one in held)
