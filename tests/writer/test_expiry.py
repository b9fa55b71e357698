"""A year of silence ends an entry of the registry, and nothing else does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from heatpool_chassis.logs import configure
from heatpool_chassis.metrics import WriterMetrics
from heatpool_contract import registry, subjects
from heatpool_contract.registry import DAY_MS, Installation
from heatpool_writer.expiry import Expiry, expired

if TYPE_CHECKING:
    from nats.aio.client import Client

    from heatpool_chassis.lifecycle import Lifecycle

NOW_MS = 20_800 * DAY_MS
LONG_AGO_MS = NOW_MS - 366 * DAY_MS


@pytest.mark.parametrize(
    ("entry", "gone"),
    [
        (Installation(last_ms=LONG_AGO_MS), True),
        (Installation(last_ms=NOW_MS - 364 * DAY_MS), False),
        (Installation(last_ms=LONG_AGO_MS, registered_ms=NOW_MS - DAY_MS), False),
        (Installation(registered_ms=LONG_AGO_MS), True),
        (Installation(erased=True), False),
    ],
)
def test_silence_is_neither_records_nor_keys(entry: Installation, *, gone: bool) -> None:
    """Tombstones are not silent homes."""
    assert expired(entry, NOW_MS) is gone


async def test_silent_homes_leave_and_the_others_stay(bus: Client, life: Lifecycle) -> None:
    """Twice, as two writers would; a deleted home may come back."""
    bucket = await bus.jetstream().key_value(subjects.KV_INSTALLATIONS)
    for number in range(60):
        last_ms = LONG_AGO_MS if number % 2 else NOW_MS
        await bucket.put(f"home{number:02}", registry.encode(Installation(last_ms=last_ms)))
    expiry = Expiry(life, WriterMetrics(life.registry), bus, configure("test"))

    assert await expiry.look(NOW_MS) == 30
    assert await expiry.look(NOW_MS) == 0

    assert sorted(await bucket.keys()) == [f"home{number:02}" for number in range(0, 60, 2)]
