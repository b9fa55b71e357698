"""The hand-over from the loop to the post: what may be entrusted to the store, to which life."""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING

import pytest
from simulators.faulty_store import FaultyStore
from writer.running_writer import RunningWriter, acknowledged, publish, stored, until, when

if TYPE_CHECKING:
    from nats.aio.client import Client

    from heatpool_chassis.victoria import Victoria


@pytest.fixture
def home() -> str:
    """A home that no other test of the shared store uses."""
    return secrets.token_hex(16)


async def test_nothing_is_entrusted_to_a_store_that_is_too_young_to_be_told_apart(
    bus: Client, victoria: Victoria, victoria_url: str, home: str
) -> None:
    """Its life is named in whole seconds; the writer says so by another name than `unavailable`."""
    async with FaultyStore(victoria_url) as faulty:
        faulty.age_s = 1
        await publish(bus, home, 1)
        async with RunningWriter(bus, faulty.url) as writer:
            await until(when(lambda: not writer.life.checks.get("store_age", True)))
            await asyncio.sleep(0.3)

            assert faulty.imports == 0
            assert writer.life.checks["victoria"]
            assert writer.value("heatpool_writer_store_state", state="young") == 1
            assert writer.value("heatpool_writer_store_state", state="away") == 0
            faulty.age_s = 2
            await until(lambda: _floor_is(bus, 1))
            await until(when(lambda: writer.life.checks["store_age"]))

    assert await stored(victoria, home) == 2
    assert writer.value("heatpool_writer_store_state", state="ready") == 1


async def test_while_the_store_takes_one_batch_the_next_is_folded_and_never_a_third(
    bus: Client, victoria: Victoria, victoria_url: str, home: str
) -> None:
    """The store refuses: two batches are in hand and in the books, the rest stays in the stream."""
    async with FaultyStore(victoria_url) as faulty, RunningWriter(bus, faulty.url) as writer:
        faulty.mode = 503
        await publish(bus, home, 1)
        await until(when(lambda: faulty.imports == 1))
        await publish(bus, home, 2)
        await until(when(lambda: _received(writer) == 4))
        await until(when(lambda: faulty.imports == 2))  # the second is due by now
        await publish(bus, home, 3)
        await until(when(lambda: faulty.imports == 3))

        assert _received(writer) == 4
        assert writer.value("heatpool_writer_in_hand_samples") == 4
        assert writer.value("heatpool_writer_ledger_difference", unit="samples") == 0
        faulty.mode = "pass"
        await until(lambda: _floor_is(bus, 3))

    assert await stored(victoria, home) == 6
    assert writer.value("heatpool_writer_ledger_difference", unit="messages") == 0


async def test_a_batch_belongs_to_the_life_of_the_store_that_was_known_before_its_post(
    bus: Client, victoria: Victoria, victoria_url: str, home: str
) -> None:
    """The store restarts during the post, and the loop hears of it before the answer comes."""
    async with (
        FaultyStore(victoria_url) as faulty,
        RunningWriter(bus, faulty.url, durable_s=0.5) as writer,
    ):
        await publish(bus, home, 1)
        await until(when(lambda: _written(writer) == 2))
        faulty.answer_after = asyncio.Event()
        await publish(bus, home, 2)
        await until(when(lambda: faulty.imports == 2))
        faulty.shift_start_s = 60
        await until(when(lambda: writer.value("heatpool_writer_rewinds_total") == 1))
        faulty.answer_after.set()
        await until(when(lambda: writer.value("heatpool_writer_rewinds_total") == 2))
        await until(lambda: _floor_is(bus, 2))

    assert await stored(victoria, home) == 4
    assert writer.value("heatpool_writer_samples_total", fate="returned") == 4
    assert writer.value("heatpool_writer_store_difference_rows", reason="missing") == 0
    assert writer.value("heatpool_writer_ledger_difference", unit="samples") == 0


def _received(writer: RunningWriter) -> float:
    return writer.value("heatpool_writer_samples_total", fate="received")


def _written(writer: RunningWriter) -> float:
    return writer.value("heatpool_writer_samples_total", fate="written")


async def _floor_is(client: Client, seq: int) -> bool:
    return await acknowledged(client) >= seq
