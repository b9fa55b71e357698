"""The probe of the event loop tells its own computing from other people's."""

from __future__ import annotations

import asyncio
import time

import pytest

from heatpool_chassis.lifecycle import Lifecycle
from heatpool_chassis.metrics import IngestMetrics
from heatpool_ingest import stalls

STALL_S = 0.06


@pytest.mark.parametrize(
    ("late_s", "computed_s", "expected"),
    [
        (0.06, 0.07, (0.06, 0.06)),  # computed all the time
        (0.06, 0.01, (0.06, 0.01)),  # mostly another process was on the core
        (-0.0001, 0.002, (0.0, 0.0)),  # a timer that came early
    ],
)
def test_own_is_the_computed_part_of_a_stall(
    late_s: float, computed_s: float, expected: tuple[float, float]
) -> None:
    """Never more than the whole, never less than nothing."""
    assert stalls.stall_s(late_s, computed_s) == expected


def _compute() -> None:
    until_s = time.thread_time() + STALL_S
    while time.thread_time() < until_s:
        pass


async def _longest(block: object) -> dict[str, float]:
    life = Lifecycle("t")
    watching = asyncio.create_task(stalls.watch(life, IngestMetrics(life.registry)))
    await asyncio.sleep(stalls.PROBE_S * 3)
    assert callable(block)
    block()
    await asyncio.sleep(stalls.PROBE_S * 3)
    life.stopping.set()
    await watching
    name = "heatpool_ingest_loop_stall_longest_seconds"
    return {
        part: life.registry.get_sample_value(name, {"part": part}) or 0.0
        for part in ("wall", "own")
    }


async def test_computing_on_the_loop_is_seen_as_its_own_stall() -> None:
    """The bound of the benchmark rests on this: what blocks cannot hide."""
    longest = await _longest(_compute)

    assert longest["wall"] >= longest["own"] >= STALL_S - stalls.PROBE_S


async def test_waiting_on_the_loop_is_a_stall_but_not_computing() -> None:
    """As when another process has the core."""
    longest = await _longest(lambda: time.sleep(STALL_S))

    assert longest["wall"] >= STALL_S - stalls.PROBE_S
    assert longest["own"] < longest["wall"]
