"""Streams are read whole without a consumer, against a real nats-server."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

import pytest

from heatpool_chassis import reading
from heatpool_chassis.bus import BusUnavailableError
from heatpool_contract import subjects

if TYPE_CHECKING:
    from nats.aio.client import Client

STREAM = subjects.STREAM_TELEMETRY
MESSAGES = 3 * reading.BATCH_MESSAGES_MAX


async def _fill(bus: Client, count: int, size: int = 10) -> None:
    js = bus.jetstream()
    for first in range(0, count, 100):
        numbers = range(first, min(count, first + 100))
        body = b"x" * size
        await asyncio.gather(
            *(js.publish(f"telemetry.model.home{number % 2}", body) for number in numbers)
        )


async def test_every_message_of_a_subject_comes_once_and_in_order(bus: Client) -> None:
    """Over many batches, around gaps; other subjects stay out; no consumer is left."""
    await _fill(bus, MESSAGES)
    js = bus.jetstream()
    for seq in (1, 2, 700, MESSAGES):
        await js.delete_msg(STREAM, seq)

    everything = [one.seq async for one in reading.messages(bus, STREAM, "telemetry.>")]
    one_home = [one async for one in reading.messages(bus, STREAM, "telemetry.*.home1")]
    late = [one.seq async for one in reading.messages(bus, STREAM, "telemetry.>", 1500)]

    wanted = [seq for seq in range(1, MESSAGES + 1) if seq not in {1, 2, 700, MESSAGES}]
    assert everything == wanted
    assert {one.subject for one in one_home} == {"telemetry.model.home1"}
    assert [one.seq for one in one_home] == [seq for seq in wanted if seq % 2 == 0]
    assert late == [seq for seq in wanted if seq >= 1500]
    assert {one.name for one in await js.consumers_info(STREAM)} == {"trainer", "writer"}


async def test_large_messages_come_in_batches_of_bounded_size(bus: Client) -> None:
    """Forty of them are several times what a batch may hold."""
    await _fill(bus, 40, 400_000)

    found = [len(one.data) async for one in reading.messages(bus, STREAM, "telemetry.>")]

    assert found == [400_000] * 40


async def test_who_follows_hears_of_what_comes(bus: Client) -> None:
    """First what is there, then `None`, then each new message, also many at once."""
    await _fill(bus, 3)
    seen: list[int] = []
    async with aclosing(reading.followed(bus, STREAM, "telemetry.>")) as following:
        async for one in following:
            if one is not None:
                seen.append(one.seq)
            elif len(seen) == 3:
                await _fill(bus, MESSAGES)
            elif len(seen) == MESSAGES + 3:
                break

    assert seen == list(range(1, MESSAGES + 4))


async def test_a_stream_that_does_not_exist_is_no_empty_one(bus: Client) -> None:
    """Whoever takes silence for emptiness would forget everything."""
    with pytest.raises(BusUnavailableError):
        [one async for one in reading.messages(bus, "KV_NOWHERE", ">")]
