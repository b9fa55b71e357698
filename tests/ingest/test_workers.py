"""Large requests beside small ones: lanes, children, and a loop that is never held for long."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import json
import signal
import time

import psutil
import pytest
from edge import HOME, records, running_edge, submission, until
from hypothesis import given
from hypothesis import strategies as st
from servers import NatsServer  # noqa: TC002 - pytest reads it

from heatpool_contract.refusals import Refusal
from heatpool_ingest.admission import RequestRefusedError
from heatpool_ingest.lanes import LIVE_BODY_BYTES_MAX, Budget, Lane, LaneFullError, lane_of
from heatpool_ingest.preparation import prepare
from heatpool_ingest.workers import INLINE_BYTES_MAX, WorkerLostError, Workers

KEY = b"k" * 32


def _body(count: int, fields: int = 6) -> bytes:
    return json.dumps(submission(records(count, fields, step_s=1))).encode()


async def test_a_child_prepares_exactly_what_the_loop_would() -> None:
    """Same messages, same ids: an edge with children recognises the repeats of one without."""
    body, now_s = _body(20_000), time.time()
    async with Workers(1, KEY) as workers:
        there = await workers.prepare(gzip.compress(body, 1), "gzip", now_s, Lane.BULK)

    assert there == prepare(body, "", now_s, KEY)


async def test_a_refusal_comes_back_from_a_child_with_its_detail() -> None:
    """Code, text and limit cross the pipe."""
    broken = _body(20_000)[:-2] + b",7]}"
    async with Workers(1, KEY) as workers:
        with pytest.raises(RequestRefusedError) as refused:
            await workers.prepare(broken, "", time.time(), Lane.BULK)

    assert refused.value.refusal is Refusal.RECORDS_TOO_MANY
    assert refused.value.limit == 20_000


async def test_a_small_body_that_unfolds_to_much_goes_to_a_child() -> None:
    """Its size as sent decides nothing."""
    body = gzip.compress(_body(8_000, 2))
    assert len(body) < INLINE_BYTES_MAX
    async with Workers(1, KEY) as workers:
        (child,) = workers._all
        before_s = sum(psutil.Process(child.pid).cpu_times()[:2])
        await workers.prepare(body, "gzip", time.time(), Lane.LIVE)

        assert sum(psutil.Process(child.pid).cpu_times()[:2]) > before_s


async def test_a_child_that_is_killed_costs_its_own_job_and_is_replaced() -> None:
    """The next request finds another child."""
    async with Workers(1, KEY) as workers:
        for child in workers._all:
            child.send_signal(signal.SIGSTOP)  # so that it is in the middle of the job
        job = asyncio.create_task(workers.prepare(_body(20_000), "", time.time(), Lane.BULK))
        await asyncio.sleep(0.05)
        for child in list(workers._all):
            child.kill()
        with pytest.raises(WorkerLostError):
            await job

        prepared = await workers.prepare(_body(9_000), "", time.time(), Lane.BULK)
        assert prepared.records == 9_000
        assert workers.lost == 1


async def test_a_request_that_is_given_up_does_not_confuse_the_next_one() -> None:
    """A cancelled job's answer is never read as another's."""
    async with Workers(1, KEY) as workers:
        for child in workers._all:
            child.send_signal(signal.SIGSTOP)  # so that it is in the middle of the job
        job = asyncio.create_task(workers.prepare(_body(20_000), "", time.time(), Lane.BULK))
        await asyncio.sleep(0.05)
        job.cancel()
        await asyncio.gather(job, return_exceptions=True)

        assert (await workers.prepare(_body(9_000), "", time.time(), Lane.BULK)).records == 9_000


async def test_the_live_lane_is_served_before_the_bulk_lane() -> None:
    """Three large requests wait for the child; a live one that comes later is next."""
    order: list[str] = []

    async def _one(name: str, lane: Lane) -> None:
        await workers.prepare(_body(9_000), "", time.time(), lane)
        order.append(name)

    async with Workers(1, KEY) as workers:
        jobs = [asyncio.create_task(_one(f"bulk {n}", Lane.BULK)) for n in range(3)]
        await asyncio.sleep(0.02)
        await asyncio.gather(_one("live", Lane.LIVE), *jobs)

    assert order.index("live") == 1


async def test_children_end_with_their_edge() -> None:
    """None is left behind, killed parent or not: their input ends."""
    async with Workers(2, KEY) as workers:
        children = [psutil.Process(child.pid) for child in workers._all]

    await until(lambda: not any(child.is_running() for child in children))


async def test_the_loop_goes_on_while_16_mib_are_prepared() -> None:
    """Prepared on the loop it would come round not once; how long it stalls is in the benchmark."""
    rounds = 0

    async def _others() -> None:
        nonlocal rounds
        while True:
            await asyncio.sleep(0.001)
            rounds += 1

    body = _body(20_000, 40)
    assert 15 * 1024 * 1024 < len(body) <= 16 * 1024 * 1024
    async with Workers(1, KEY) as workers:
        watch = asyncio.create_task(_others())
        prepared = await workers.prepare(body, "", time.time(), Lane.BULK)
        watch.cancel()

    assert prepared.records == 20_000
    assert rounds > 10


async def test_one_homes_backfill_leaves_the_others_live_data_alone(
    nats_server: NatsServer,
) -> None:
    """With the bulk lane full and refusing, every live request is taken."""
    async with running_edge(
        nats_server, worker_processes=1, bulk_bytes_max=4_000_000, bulk_wait_s_max=0.5
    ) as edge:
        year = [
            asyncio.create_task(edge.post(_body(20_000, 10 + n), Retry_Attempt="2"))
            for n in range(12)
        ]
        live = []
        for number in range(20):
            other = f"{HOME[:-4]}{number:04x}"
            live.append(await edge.post(submission(records(1), installation_id=other)))
        bulk = await asyncio.gather(*year)

    assert [answer.status_code for answer in live] == [200] * 20
    assert {answer.status_code for answer in bulk} == {200, 503}
    refused = next(answer for answer in bulk if answer.status_code == 503)
    assert refused.json()["code"] == "overloaded"
    assert int(refused.headers["retry-after"]) >= 10


@given(st.lists(st.tuples(st.integers(0, 120_000), st.booleans()), max_size=30))
def test_a_budget_is_never_passed_and_all_of_it_comes_back(
    wanted: list[tuple[int, bool]],
) -> None:
    """Whatever is asked for, whoever gives up while waiting."""

    async def _run() -> tuple[int, int]:
        budget, most = Budget(200_000, 5.0), 0

        async def _hold(size: int) -> None:
            nonlocal most
            async with budget.hold(size):
                most = max(most, budget.held_bytes)
                await asyncio.sleep(0)

        tasks = []
        for size, gives_up in wanted:
            task = asyncio.create_task(_hold(size))
            tasks.append(task)
            await asyncio.sleep(0)
            if gives_up:
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return most, budget.held_bytes

    most, left = asyncio.run(_run())

    assert most <= 200_000
    assert left == 0


async def test_who_waits_too_long_is_told_so() -> None:
    """Patience ends with an error, and the next one finds the lane in order."""
    budget = Budget(100_000, 0.02)
    async with budget.hold(100_000):
        with pytest.raises(LaneFullError):
            async with budget.hold(20_000):
                pass

    async with budget.hold(100_000):
        assert budget.held_bytes == 100_000


@pytest.mark.parametrize(
    ("size", "lane"),
    list(
        zip(
            (0, LIVE_BODY_BYTES_MAX, LIVE_BODY_BYTES_MAX + 1, None),
            itertools.chain([Lane.LIVE] * 2, [Lane.BULK] * 2),
            strict=True,
        )
    ),
)
def test_lane(size: int | None, lane: Lane) -> None:
    """A body that does not say its size is taken for a large one."""
    assert lane_of(size) is lane
