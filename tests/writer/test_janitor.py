"""Room in the stream: purged up to the writer's floor and never past it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st
from nats.js.api import StreamConfig

from heatpool_chassis.logs import configure
from heatpool_chassis.metrics import WriterMetrics
from heatpool_contract import subjects
from heatpool_writer.contributions import Contributions
from heatpool_writer.janitor import Janitor, StreamState, purge_below, vanished

if TYPE_CHECKING:
    from nats.aio.client import Client

    from heatpool_chassis.lifecycle import Lifecycle

SUBJECT = "telemetry.m.home"


@given(st.integers(0, 200), st.integers(1, 50), st.integers(0, 100))
def test_only_what_is_acknowledged_is_purged_and_only_when_nearly_full(
    size: int, first: int, floor: int
) -> None:
    """Whatever the state."""
    keep = purge_below(_state(size, first, floor))

    if keep is not None:
        assert size >= 160
        assert first < keep == floor + 1
    else:
        assert size < 160 or floor < first


def test_an_unlimited_stream_is_never_purged() -> None:
    """There is no fill to speak of."""
    assert purge_below(StreamState(10**12, -1, 1, 9, 9, 0, 0)) is None


def test_messages_that_leave_before_a_writer_saw_them_are_counted() -> None:
    """The stream begins at 10, the writer had acknowledged 5: 6 to 9 are gone."""
    before = StreamState(1, 200, 1, 20, 5, 15, 0)

    assert vanished(None, before) == 0
    assert vanished(before, before) == 0
    assert vanished(before, StreamState(1, 200, 10, 20, 5, 11, 0)) == 4
    assert vanished(before, StreamState(1, 200, 10, 20, 9, 11, 0)) == 0


async def test_a_nearly_full_stream_gets_room_and_the_rest_stays(
    bus: Client, life: Lifecycle
) -> None:
    """The unacknowledged messages are still delivered; the trainer sees a gap by sequence."""
    js = bus.jetstream()
    config = (await js.stream_info(subjects.STREAM_TELEMETRY)).config
    await js.update_stream(StreamConfig(**{**vars(config), "max_bytes": 100_000}))
    for number in range(18):
        await js.publish(SUBJECT, bytes(5000), headers={"Nats-Msg-Id": str(number)})
    writer = await js.pull_subscribe_bind(subjects.DURABLE_WRITER, stream=subjects.STREAM_TELEMETRY)
    for message in await writer.fetch(12, timeout=5):
        await message.ack_sync()
    metrics = WriterMetrics(life.registry)
    contributions = Contributions(await js.key_value(subjects.KV_INSTALLATIONS), metrics)
    janitor = Janitor(life, metrics, bus, contributions, configure("test"))

    await janitor.look()
    after = await janitor.look()

    assert (after.first_seq, after.last_seq, after.waiting) == (13, 18, 6)
    assert after.fill < 0.8
    assert contributions.floor == 12
    trainer = await js.pull_subscribe_bind(
        subjects.DURABLE_TRAINER, stream=subjects.STREAM_TELEMETRY
    )
    first = (await trainer.fetch(1, timeout=5))[0].metadata.sequence
    assert (first.stream, first.consumer) == (13, 1)
    assert [m.metadata.sequence.stream for m in await writer.fetch(6, timeout=5)] == [
        13,
        14,
        15,
        16,
        17,
        18,
    ]


async def test_a_purge_does_not_forget_what_was_sent(bus: Client) -> None:
    """A client that repeats a purged message is still told that it is a duplicate."""
    js = bus.jetstream()
    for number in range(4):
        await js.publish(SUBJECT, b"x", headers={"Nats-Msg-Id": str(number)})
    await js.purge_stream(subjects.STREAM_TELEMETRY, seq=3)

    again = await js.publish(SUBJECT, b"x", headers={"Nats-Msg-Id": "0"})

    assert again.duplicate


def _state(size: int, first: int, floor: int) -> StreamState:
    return StreamState(size, 200, first, 100, floor, 0, 0)
