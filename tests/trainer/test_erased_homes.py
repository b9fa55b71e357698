"""A home that has asked for erasure is no part of the next training, however far the erasure is."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING

import numpy as np
from simulators import stored

from heatpool_contract import erasures, subjects
from heatpool_contract.erasures import Erasure, Step
from heatpool_trainer.erasing import erasing
from heatpool_trainer.export import Window
from heatpool_trainer.readings import HomeSeries

if TYPE_CHECKING:
    from pathlib import Path

    from nats.aio.client import Client

    from heatpool_chassis.lifecycle import Lifecycle
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


async def test_their_records_are_not_read(
    bus: Client, life: Lifecycle, victoria: Victoria, victoria_url: str, tmp_path: Path
) -> None:
    """Of two homes of a model that the store shows, those that asked are not in the job."""
    model, homes = f"m_{secrets.token_hex(8)}", (secrets.token_hex(16), secrets.token_hex(16))
    now_ms = int(time.time()) * 1000
    columns = {"power": np.array([2.0])}
    some = [HomeSeries(home, np.array([now_ms - 60_000]), columns) for home in homes]
    await stored.store(victoria, model, some)
    bench = stored.Bench(bus, life, victoria_url, tmp_path)
    await bench.open("one")
    bucket = await bus.jetstream().key_value(subjects.KV_ERASURES)
    window = Window.until(now_ms, 2)

    found = [len((await bench.attempts._admitted(model, window, now_ms)).homes)]
    for home in homes:
        erasure = Erasure(installation=home, requested_ms=1)
        await bucket.put(home, erasures.encode(erasure))
        found.append(len((await bench.attempts._admitted(model, window, now_ms)).homes))

    assert found == [2, 1, 0]
