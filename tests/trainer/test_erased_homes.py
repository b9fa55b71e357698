"""A home that has asked for erasure is no part of the next training, however far the erasure is."""

from __future__ import annotations

import asyncio
import secrets
import time
from typing import TYPE_CHECKING

import msgspec

from heatpool_contract import erasures, subjects
from heatpool_contract.erasures import Erasure, Step
from heatpool_trainer.erasing import erasing
from heatpool_trainer.training import Job, Trained, train

if TYPE_CHECKING:
    from nats.aio.client import Client

    from heatpool_chassis.victoria import Victoria


async def test_homes_are_left_out_from_the_request_until_the_store_shows_nothing(
    bus: Client,
) -> None:
    """The entry of a finished erasure has no name any more."""
    bucket = await bus.jetstream().key_value(subjects.KV_ERASURES)
    for home, step in (("a", Step.TOMBSTONE), ("b", Step.REPEAT), ("", Step.DONE)):
        erasure = Erasure(installation=home, requested_ms=1, step=step)
        await bucket.put(f"receipt{step}", erasures.encode(erasure))
    await bucket.put("broken", b"{")

    assert await erasing(bus) == {"a", "b"}


async def test_their_records_are_not_read(victoria: Victoria, victoria_url: str) -> None:
    """Of two homes of a model one is counted."""
    model, homes = f"m_{secrets.token_hex(8)}", (secrets.token_hex(16), secrets.token_hex(16))
    now_ms = int(time.time()) * 1000
    await victoria.import_lines(
        [
            msgspec.json.encode(
                {
                    "metric": {"__name__": name, "installation": home, "model": model},
                    "values": [2],
                    "timestamps": [now_ms - 60_000],
                }
            )
            for home in homes
            for name in ("heatpump_power", "heatpump_batch_samples")
        ]
    )
    await victoria.force_flush()
    job = Job(
        model=model,
        victoria_read_url=victoria_url,
        start_ms=now_ms - 86_400_000,
        end_ms=now_ms,
        installations_min=5,
        samples_min=1,
    )

    found = [await _homes_read(job, homes[:left_out]) for left_out in range(3)]

    assert found == [2, 1, 0]


async def _homes_read(job: Job, left_out: tuple[str, ...]) -> int:
    without = msgspec.structs.replace(job, erasing=frozenset(left_out))
    answer = await asyncio.to_thread(train, msgspec.json.encode(without))
    return msgspec.msgpack.decode(answer, type=Trained).installations
