"""A trainer that stood still while the stream was purged sees the gap and counts it."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING

from heatpool_chassis.logs import configure
from heatpool_chassis.metrics import TrainerMetrics
from heatpool_chassis.settings import Secret
from heatpool_contract import release, subjects
from heatpool_contract.release import News
from heatpool_trainer.consumer import Buckets, Trainer
from heatpool_trainer.publishing import Signing
from heatpool_trainer.settings import Settings

if TYPE_CHECKING:
    from nats.aio.client import Client

    from heatpool_chassis.lifecycle import Lifecycle

KEY = base64.b64encode(bytes(32)).decode()
METRICS = ("heatpool_trainer_gap_messages_total", "heatpool_trainer_messages_total")


async def test_a_restarted_trainer_counts_what_was_purged_while_it_was_away(
    bus: Client, life: Lifecycle
) -> None:
    """It had noted 3 of 10 messages; 4 to 6 are gone, of which no durable tells anything."""
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

    restarted = asyncio.create_task((await _trainer(bus, life)).run())
    async with asyncio.timeout(20):
        while life.registry.get_sample_value(METRICS[1], {"fate": "noted"}) != 4:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    life.stopping.set()
    await restarted

    assert life.registry.get_sample_value(METRICS[0]) == 3
    kept = release.decode_news((await progress.get(release.news_key("m"))).value or b"")
    assert (kept.messages, kept.seq_last) == (7, 10)


async def _trainer(client: Client, life: Lifecycle) -> Trainer:
    js = client.jetstream()
    return Trainer(
        Settings(
            nats_url="",
            victoria_write_url="",
            victoria_read_url="",
            victoria_admin_url="",
            release_seed=Secret(KEY),
            hub_public_key=KEY,
        ),
        life,
        TrainerMetrics(life.registry),
        client,
        Buckets(
            await js.key_value(subjects.KV_RELEASES),
            await js.key_value(subjects.KV_PROGRESS),
            await js.object_store(subjects.OBJECTS_MODELS),
        ),
        Signing(bytes(32), bytes(32), bytes),
        configure("test"),
    )
