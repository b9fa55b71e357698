"""A clock that only sleeping moves."""

from __future__ import annotations

from simulators.publisher import NOW_S

from heatpool_client.clock import Clock


class FakeTime:
    """Time of a test: nobody waits."""

    def __init__(self) -> None:
        """It is the publisher's now."""
        self.now_s = float(NOW_S)
        self.slept: list[float] = []
        self.interrupt_after: int | None = None
        """Ctrl-C comes during this sleep, counted from 1."""

    def sleep(self, seconds: float) -> None:
        """Move on at once."""
        self.slept.append(seconds)
        if len(self.slept) == self.interrupt_after:
            raise KeyboardInterrupt
        self.now_s += seconds

    def clock(self) -> Clock:
        """As the client takes it; chance is a half."""
        return Clock(lambda: self.now_s, lambda: self.now_s, self.sleep, lambda: 0.5)
