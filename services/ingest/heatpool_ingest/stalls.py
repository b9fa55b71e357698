"""How long the event loop let everybody wait, and how much of that was its own doing.

In: the loop. Out: two figures a stall, in `heatpool_ingest_loop_stall_seconds`. Guarantee: `wall`
is the time by which a timer came late, which is what a request would have waited; `own` is the part
of it in which the loop's thread computed. On a machine that others use too, the rest is theirs.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from heatpool_chassis.lifecycle import Lifecycle
    from heatpool_chassis.metrics import IngestMetrics

PROBE_S: Final = 0.005  # 0.75 % of a core; a tenth of the 50 ms that must not be passed


def stall_s(late_s: float, computed_s: float) -> tuple[float, float]:
    """Wall and own part of a stall: how late a timer came, how much was computed meanwhile."""
    wall_s = max(0.0, late_s)
    return wall_s, min(wall_s, max(0.0, computed_s))


async def watch(life: Lifecycle, metrics: IngestMetrics) -> None:
    """Measure until the process stops; on the thread of the loop."""
    parts = ("wall", "own")  # the clock is not the loop's: uvloop's stands still in a callback
    seconds = [metrics.loop_stall_seconds.labels(part) for part in parts]
    longest = [metrics.loop_stall_longest_seconds.labels(part) for part in parts]
    longest_s = [0.0, 0.0]
    while not life.stopping.is_set():
        due_s, computed_s = time.monotonic() + PROBE_S, time.thread_time()
        await asyncio.sleep(PROBE_S)
        found = stall_s(time.monotonic() - due_s, time.thread_time() - computed_s)
        for number, each_s in enumerate(found):
            seconds[number].observe(each_s)
            if each_s > longest_s[number]:
                longest_s[number] = each_s
                longest[number].set(each_s)
