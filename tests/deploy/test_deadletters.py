"""Dead letters: listed with their reason, replayed once repaired, gone only then."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from heatpool_chassis.bus import bury
from heatpool_contract import subjects
from heatpool_deploy import deadletters
from heatpool_deploy.deadletters import DeadLetter, DeadLetterError

if TYPE_CHECKING:
    from nats.aio.client import Client

SUBJECT = "telemetry.aero.home"


async def test_a_buried_message_is_listed_with_its_reason_and_shown(bus: Client) -> None:
    """By model; its bytes are those that were refused."""
    await _buried(bus, b"one", b"two")

    found = await _all(bus)

    assert [(one.model, one.reason, one.origin_seq) for one in found] == [
        ("aero", "chunk_malformed", 1),
        ("aero", "chunk_malformed", 2),
    ]
    assert found[0].origin_subject == SUBJECT
    assert [one async for one in deadletters.listed(bus, "other")] == []
    assert await deadletters.payload(bus, found[1].seq) == b"two"


async def test_a_replay_puts_it_back_and_removes_it(bus: Client) -> None:
    """Under its own subject, although its first message id is still remembered."""
    await _buried(bus, b"one")
    found = await _all(bus)

    replayed = await deadletters.replay(bus, found)

    js = bus.jetstream()
    again = await js.get_msg(subjects.STREAM_TELEMETRY, seq=2)
    assert replayed == 1
    assert (again.subject, again.data) == (SUBJECT, b"one")
    assert await _all(bus) == []


async def test_a_replay_that_broke_off_is_repeated_without_a_second_copy(bus: Client) -> None:
    """Killed between the stream's confirmation and the removal."""
    await _buried(bus, b"one")
    found = await _all(bus)
    js = bus.jetstream()
    headers = {"Nats-Msg-Id": f"replay-{found[0].seq}-{found[0].origin_seq}"}
    await js.publish(SUBJECT, b"one", headers=headers)

    await deadletters.replay(bus, found)

    assert (await js.stream_info(subjects.STREAM_TELEMETRY)).state.messages == 2
    assert await _all(bus) == []


async def test_what_has_no_origin_is_not_replayed(bus: Client) -> None:
    """It stays, and the operator is told."""
    await bus.jetstream().publish("deadletter.aero", b"?")
    found = await _all(bus)

    with pytest.raises(DeadLetterError, match="no origin"):
        await deadletters.replay(bus, found)

    assert await _all(bus) == found


async def test_a_drop_is_for_good(bus: Client) -> None:
    """The others stay."""
    await _buried(bus, b"one", b"two")
    first, second = await _all(bus)

    assert await deadletters.drop(bus, [first]) == 1

    assert await _all(bus) == [second]
    with pytest.raises(DeadLetterError, match="no dead letter"):
        await deadletters.payload(bus, first.seq)


async def _buried(client: Client, *payloads: bytes) -> None:
    js = client.jetstream()
    for number, payload in enumerate(payloads):
        await js.publish(SUBJECT, payload, headers={"Nats-Msg-Id": str(number)})
    writer = await js.pull_subscribe_bind(subjects.DURABLE_WRITER, stream=subjects.STREAM_TELEMETRY)
    for message in await writer.fetch(len(payloads), timeout=5):
        await bury(js, message, "chunk_malformed", "aero")
        await message.ack_sync()


async def _all(client: Client) -> list[DeadLetter]:
    return [one async for one in deadletters.listed(client, None)]
