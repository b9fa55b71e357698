"""Receipts and back-pressure against a real nats-server: what the bus says, the edge answers."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from edge import TOKEN, records, running_edge, submission

from heatpool_chassis import bus as chassis_bus
from heatpool_chassis.topology import Sizes
from heatpool_contract import subjects

if TYPE_CHECKING:
    from edge import RunningEdge
    from servers import NatsServer


async def _receipt(edge: RunningEdge, token: str) -> dict[str, object]:
    await edge.ports.progress.poll()
    answer = await edge.http.get(
        f"/api/v1/receipt/{token}", headers={"Authorization": f"Bearer {TOKEN}"}
    )
    assert answer.status_code == 200
    found: dict[str, object] = answer.json()
    return found


async def test_a_receipt_follows_its_messages_to_the_store_and_to_the_dead_letters(
    edge: RunningEdge,
) -> None:
    """queued, then stored once the writer's floor has passed it; a buried message is named."""
    first = (await edge.post(submission(records(20_000, 6, step_s=1)))).json()["receipt"]
    second = (await edge.post(submission(records(3)))).json()["receipt"]
    queued = await _receipt(edge, first)
    writer = await edge.js.pull_subscribe_bind("writer", stream="TELEMETRY")
    messages = await writer.fetch(10, timeout=2)
    await messages[0].ack_sync()
    partly = await _receipt(edge, first)
    for message in messages[1:-1]:
        await message.ack_sync()
    stored = await _receipt(edge, first)
    await chassis_bus.bury(edge.js, messages[-1], "chunk_malformed", "aero_slm")
    await messages[-1].ack_sync()
    dead = await _receipt(edge, second)

    count = len(messages) - 1
    assert (queued["state"], queued["queued"], queued["records"]) == ("queued", count, 20_000)
    assert (partly["state"], partly["stored"], partly["queued"]) == ("queued", 1, count - 1)
    assert (stored["state"], stored["stored"]) == ("stored", count)
    assert (dead["state"], dead["dead_lettered"]) == ("dead_lettered", 1)
    assert dead["reasons"] == ["chunk_malformed"]


async def test_an_edge_that_starts_knows_the_dead_letters(
    nats_server: NatsServer, edge: RunningEdge
) -> None:
    """There is no table of receipts: the streams say it all."""
    token = (await edge.post(submission(records(3)))).json()["receipt"]
    writer = await edge.js.pull_subscribe_bind("writer", stream="TELEMETRY")
    (message,) = await writer.fetch(1, timeout=2)
    await chassis_bus.bury(edge.js, message, "store_rejected", "aero_slm")
    await message.ack_sync()
    async with running_edge(nats_server) as other:
        found = await _receipt(other, token)

    assert found["state"] == "dead_lettered"


@pytest.mark.parametrize("token", ["x", "A" * 44, "A" * 45, "%00", "ü" * 44])
async def test_what_is_no_receipt_is_404(edge: RunningEdge, token: str) -> None:
    """Also of the right length, and with a good token."""
    answer = await edge.http.get(
        f"/api/v1/receipt/{token}", headers={"Authorization": f"Bearer {TOKEN}"}
    )

    assert (answer.status_code, answer.json()["code"]) == (404, "receipt_invalid")


async def test_a_receipt_is_for_those_with_a_token(edge: RunningEdge) -> None:
    """As submitting is."""
    assert (await edge.http.get("/api/v1/receipt/x")).status_code == 401


async def test_a_filling_stream_stops_the_bulk_lane_then_the_live_one(
    nats_server: NatsServer,
) -> None:
    """503 with Retry-After comes from the edge, before NATS would have to refuse."""
    sizes = Sizes(telemetry_bytes_max=600_000, deadletter_bytes_max=2**20, models_bytes_max=2**20)
    large = submission(records(1_000, 8, step_s=1))
    async with running_edge(nats_server, sizes=sizes) as edge:
        before = await edge.post(large)
        lanes = []
        for part in (0.92, 0.98):
            state = (await edge.js.stream_info("TELEMETRY")).state
            filler = random.randbytes(int(600_000 * part - state.bytes) - 200)
            await edge.js.publish("telemetry.m.x", filler)
            await edge.ports.progress.poll()
            live = await edge.post(submission(records(1)))
            bulk = await edge.post(large)
            lanes.append((live.status_code, bulk.status_code))

        assert before.status_code == 200
        assert lanes == [(200, 503), (503, 503)]
        assert bulk.json()["code"] == "overloaded"
        assert int(bulk.headers["retry-after"]) == bulk.json()["retry_after_s"]
        assert edge.metric("heatpool_ingest_stream_fill_ratio") > 0.97


async def test_a_writer_far_behind_stops_the_bulk_lane(edge: RunningEdge) -> None:
    """Others' live data would be late; the lag is the consumer's own figure."""
    for _batch in range(21):
        for _message in range(1000):
            await edge.bus.publish("telemetry.m.x", b"")
        await edge.js.publish("telemetry.m.x", b"")
    await edge.ports.progress.poll()

    assert edge.metric("heatpool_ingest_writer_pending_messages") == 21_021
    assert (await edge.post(submission(records(1_000, 8)))).status_code == 503
    assert (await edge.post(submission(records(1)))).status_code == 200


async def test_without_a_writer_everything_is_queued(edge: RunningEdge) -> None:
    """An edge that is deployed first does not claim that anything is stored."""
    token = (await edge.post(submission(records(3)))).json()["receipt"]
    await edge.js.delete_consumer("TELEMETRY", subjects.DURABLE_WRITER)

    assert (await _receipt(edge, token))["state"] == "queued"


async def test_a_home_past_its_quota_waits_and_others_do_not(nats_server: NatsServer) -> None:
    """429 with the time until it may come again; nothing of it is stored."""
    async with running_edge(nats_server, quota_records_burst=100, quota_records_per_s=1.0) as edge:
        first = await edge.post(submission(records(150)))
        second = await edge.post(submission(records(10)))
        other = "5f0c1c1e-8f8e-4f0a-9d5e-0123456789ff"
        neighbour = await edge.post(submission(records(10), installation_id=other))

        assert (first.status_code, neighbour.status_code) == (200, 200)
        assert (second.status_code, second.json()["code"]) == (429, "quota_exceeded")
        assert int(second.headers["retry-after"]) >= 49
        assert await edge.messages() == 2


async def test_wrong_tokens_are_429_after_a_while_and_the_right_one_never_is(
    nats_server: NatsServer,
) -> None:
    """Nobody locks a network out of the pool by guessing in it."""
    async with running_edge(nats_server, wrong_tokens_burst=3, wrong_tokens_per_s=0.01) as edge:
        wrong = [
            (await edge.post(b"{}", Authorization=f"Bearer wrong-{n}")).status_code
            for n in range(6)
        ]
        right = await edge.post(submission(records(1)))

    assert wrong[:3] == [403] * 3
    assert wrong[4:] == [429] * 2
    assert right.status_code == 200
