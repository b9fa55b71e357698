"""The second count: what the stream says should be in the store, against what is."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from writer.running_writer import STAMP_MS, RunningWriter, acknowledged, publish, stored, until

from heatpool_contract import registry, subjects
from heatpool_writer.verify import verify

if TYPE_CHECKING:
    from nats.aio.client import Client

    from heatpool_chassis.victoria import Victoria

ALWAYS = (0, 4_000_000_000_000)


async def test_what_was_written_verifies(
    bus: Client, victoria: Victoria, victoria_url: str
) -> None:
    """Also with a repeated message, and in a part of the time."""
    home, other = secrets.token_hex(16), secrets.token_hex(16)
    await _written(bus, victoria_url, victoria, [(home, 1), (home, 2), (other, 1)])
    await bus.jetstream().publish(*await _message(bus, 1))
    await publish(bus, home, 9)

    whole = await verify(bus, victoria, *ALWAYS)
    part = await verify(bus, victoria, STAMP_MS + 2000, STAMP_MS + 3000)

    assert whole.sound
    assert (whole.homes, whole.messages, whole.unsettled_messages) == (2, 5, 2)
    assert (whole.samples, whole.distinct_samples, whole.stored) == (6, 6, 6)
    assert (part.distinct_samples, part.stored, part.missing) == (2, 2, 0)


async def test_what_the_store_lacks_is_missing(
    bus: Client, victoria: Victoria, victoria_url: str
) -> None:
    """Here because somebody deleted the series behind the writer's back."""
    home, other = secrets.token_hex(16), secrets.token_hex(16)
    await _written(bus, victoria_url, victoria, [(home, 1), (other, 1)])
    await victoria.delete_series(f'{{installation="{home}"}}')
    await until(lambda: _gone(victoria, home))

    report = await verify(bus, victoria, *ALWAYS)

    assert not report.sound
    assert (report.distinct_samples, report.missing) == (4, 2)


async def test_homes_that_were_erased_are_not_expected(
    bus: Client, victoria: Victoria, victoria_url: str
) -> None:
    """Neither are messages that cannot be decoded."""
    home, other = secrets.token_hex(16), secrets.token_hex(16)
    await bus.jetstream().publish(f"telemetry.aero_slm.{other}", b"poison")
    await _written(bus, victoria_url, victoria, [(home, 1), (other, 1)])
    bucket = await bus.jetstream().key_value(subjects.KV_INSTALLATIONS)
    await bucket.put(home, registry.encode(registry.Installation(erased=True)))

    report = await verify(bus, victoria, *ALWAYS)

    assert report.sound
    assert (report.homes, report.erased_homes, report.dead_messages) == (1, 1, 1)


async def _written(
    client: Client, url: str, store: Victoria, messages: list[tuple[str, int]]
) -> None:
    before = (await client.jetstream().stream_info(subjects.STREAM_TELEMETRY)).state.messages
    for home, number in messages:
        await publish(client, home, number)

    async def all_acknowledged() -> bool:
        return await acknowledged(client) == before + len(messages)

    async with RunningWriter(client, url):
        await until(all_acknowledged)
    await store.force_flush()


async def _message(client: Client, seq: int) -> tuple[str, bytes]:
    message = await client.jetstream().get_msg(subjects.STREAM_TELEMETRY, seq=seq)
    return message.subject or "", message.data or b""


async def _gone(store: Victoria, home: str) -> bool:
    await store.delete_series(f'{{installation="{home}"}}')
    return await stored(store, home) == 0
