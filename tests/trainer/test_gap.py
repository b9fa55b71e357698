"""A trainer that stood still while the stream was purged sees the gap and counts it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from simulators import stored

from heatpool_contract import release, subjects
from heatpool_contract.release import News

if TYPE_CHECKING:
    from pathlib import Path

    from nats.aio.client import Client

    from heatpool_chassis.lifecycle import Lifecycle

METRICS = ("heatpool_trainer_gap_messages_total", "heatpool_trainer_messages_total")


async def test_a_restarted_trainer_counts_what_was_purged_while_it_was_away(
    bus: Client, life: Lifecycle, tmp_path: Path
) -> None:
    """It had noted 3 of 10 messages; 4 to 6 are gone, of which no durable tells anything."""
    bench = stored.Bench(bus, life, "", tmp_path, quiet_s=99.0)
    js = bus.jetstream()
    progress = await js.key_value(subjects.KV_PROGRESS)
    for number in range(10):
        await js.publish(f"telemetry.m.{number:032x}", b"x")
    trainer = await js.pull_subscribe_bind(
        subjects.DURABLE_TRAINER, stream=subjects.STREAM_TELEMETRY
    )
    for message in await trainer.fetch(3, timeout=5):
        await message.ack_sync()
    noted = News(model="m", messages=3, seq_last=3, seen_ms=1)
    await progress.put(release.news_key("m"), release.encode(noted))
    await js.purge_stream(subjects.STREAM_TELEMETRY, seq=7)

    restarted = asyncio.create_task((await bench.open("one", life.registry)).run())
    async with asyncio.timeout(20):
        while life.registry.get_sample_value(METRICS[1], {"fate": "noted"}) != 4:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    life.stopping.set()
    await restarted

    assert life.registry.get_sample_value(METRICS[0]) == 3
    kept = release.decode_news((await progress.get(release.news_key("m"))).value or b"")
    assert (kept.messages, kept.seq_last) == (7, 10)
