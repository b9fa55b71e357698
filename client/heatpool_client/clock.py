"""Time and chance, as arguments.

In: nothing. Out: the system's clock, sleep and randomness behind one value. Guarantee: whoever
waits or dates something takes a `Clock`, so that tests neither wait nor guess.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable


def _chance() -> float:
    return (int.from_bytes(os.urandom(7)) >> 3) / (1 << 53)


class Clock(NamedTuple):
    """The four questions that no pure function may ask."""

    now_s: Callable[[], float]
    """Seconds since 1970."""
    monotonic_s: Callable[[], float]
    """Seconds since an arbitrary start; never goes back."""
    sleep: Callable[[float], None]
    """Waits a number of seconds."""
    chance: Callable[[], float]
    """Uniform in [0, 1)."""


SYSTEM: Final = Clock(time.time, time.monotonic, time.sleep, _chance)
