"""The traps of nats-py and JetStream, each against a real nats-server, and the group commit."""

from __future__ import annotations

import asyncio
import signal
import time
from typing import TYPE_CHECKING

import pytest
from edge import HOME, SIZES, records, running_edge, submission, until

from heatpool_chassis.topology import Sizes
from heatpool_contract.answers import Tally  # noqa: TC001 - part of Prepared's shape
from heatpool_ingest.preparation import Prepared
from heatpool_ingest.publishing import Publisher, PublishUnavailableError

if TYPE_CHECKING:
    from pathlib import Path

    from edge import RunningEdge
    from nats.aio.client import Client
    from servers import NatsServer

NOTHING: list[Tally] = []


def _prepared(number: int, *, messages: int = 1, size: int = 100) -> Prepared:
    return Prepared(
        installation="0" * 32,
        model="m",
        subject=f"telemetry.m.{number:032x}",
        message_id=f"{number:032x}",
        payloads=[b"%08d" % part + b"x" * size for part in range(messages)],
        body_bytes=0,
        records_sent=1,
        records=1,
        samples=1,
        rejections=NOTHING,
        values_dropped=NOTHING,
        sent_at=None,
    )


async def test_headers_that_pass_max_payload_do_not_cost_the_connection(
    nats_server: NatsServer,
) -> None:
    """E3: the payload alone would pass nats-py's check, and the server would hang up for good."""
    async with running_edge(nats_server) as edge:
        publisher = edge.ports.publisher
        room = edge.bus.max_payload
        with pytest.raises(PublishUnavailableError, match="max_payload"):
            await publisher.publish(_prepared(1, size=room - 20), {"traceparent": "x" * 55})

        answer = await edge.post(submission(records(3)))

        assert answer.status_code == 200
        assert edge.life.ready


async def test_while_the_server_is_away_503_comes_at_once_and_nothing_later(
    nats_server: NatsServer,
) -> None:
    """E4: what was refused must not be sent behind the client's back after the reconnect."""
    async with running_edge(nats_server) as edge:
        await edge.post(submission(records(1)))
        nats_server.kill()
        await until(lambda: edge.life.checks["nats"] is False)
        started_s = time.monotonic()
        answers = [await edge.post(submission(records(2 + i))) for i in range(3)]
        took_s = time.monotonic() - started_s
        nats_server.start()
        await until(lambda: edge.life.checks["nats"] is True)
        stored = await edge.messages()
        again = await edge.post(submission(records(2)))

        assert [answer.status_code for answer in answers] == [503] * 3
        assert all(int(answer.headers["retry-after"]) >= 1 for answer in answers)
        assert took_s < edge.ports.publisher._timeout_s
        assert stored == 1
        assert again.status_code == 200


async def test_reconnecting_survives_many_deaths_of_the_server(nats_server: NatsServer) -> None:
    """E6: an exception in a callback would end it; readiness follows the connection."""
    async with running_edge(nats_server) as edge:
        for number in range(4):
            nats_server.kill()
            await until(lambda: edge.life.checks["nats"] is False)
            nats_server.start()
            await until(lambda: edge.life.checks["nats"] is True)

            answer = await edge.post(submission(records(number + 1)))
            assert answer.status_code == 200


async def test_a_full_stream_is_503_and_repeats_of_stored_data_still_pass(
    nats_server: NatsServer,
) -> None:
    """E7: 10077 is no loss: nothing of the batch is stored, and what was stored is known."""
    sizes = Sizes(
        telemetry_bytes_max=600_000,
        deadletter_bytes_max=SIZES.deadletter_bytes_max,
        models_bytes_max=SIZES.models_bytes_max,
    )
    async with running_edge(nats_server, sizes=sizes) as edge:
        small = submission(records(50))
        first = await edge.post(small)
        full = await edge.post(submission(_noise(20_000)))
        stored = await edge.messages()
        repeat = await edge.post(small)

        assert (first.status_code, full.status_code, repeat.status_code) == (200, 503, 200)
        assert full.json()["code"] == "bus_unavailable"
        assert stored == 1
        assert repeat.json()["duplicate"] is True


async def test_a_frozen_server_is_a_503_in_time_and_no_message_is_doubled(
    nats_server: NatsServer,
) -> None:
    """E22: the request does not wait for the pings; its repeat is stored once."""
    async with running_edge(nats_server, publish_s_max=1.0) as edge:
        body = submission(records(5))
        nats_server.signal(signal.SIGSTOP)
        frozen = await edge.post(body)
        nats_server.signal(signal.SIGCONT)
        again = await edge.post(body)
        await asyncio.sleep(0.2)
        stored = await edge.messages()

    assert frozen.status_code == 503
    assert again.status_code == 200
    assert stored == 1


async def test_an_id_chosen_by_the_client_is_not_used(edge: RunningEdge) -> None:
    """E7b: else one home could make the stream swallow another's message."""
    first = await edge.post(submission(records(1)), Nats_Msg_Id="same")
    other = submission(records(1), installation_id=HOME[:-1] + "c")
    second = await edge.post(other, Nats_Msg_Id="same")

    assert first.json()["duplicate"] is second.json()["duplicate"] is False
    assert await edge.messages() == 2


async def test_many_small_requests_are_committed_together_and_each_knows_its_message(
    edge: RunningEdge,
) -> None:
    """Every receipt's sequence holds that request's own subject."""
    publisher = edge.ports.publisher
    stored = await asyncio.gather(*(publisher.publish(_prepared(n), {}) for n in range(300)))

    assert publisher.grouped > 0
    assert len({one.seq_first for one in stored}) == 300
    for number in (0, 17, 299):
        message = await edge.js.get_msg("TELEMETRY", stored[number].seq_first)
        assert message.subject == f"telemetry.m.{number:032x}"


async def test_a_repeat_inside_a_group_costs_no_neighbour_and_is_stored_once(
    edge: RunningEdge,
) -> None:
    """10201 refuses the whole batch; each of them is then asked for alone."""
    publisher = edge.ports.publisher
    publisher._cost._single_s = 1.0  # batches, whatever they cost here
    known = await publisher.publish(_prepared(7), {})
    stored = await asyncio.gather(*(publisher.publish(_prepared(n), {}) for n in range(60)))

    assert stored[7].seq_first == known.seq_first
    assert [n for n, one in enumerate(stored) if one.duplicate] == [7]
    assert await edge.messages() == 60


async def test_the_same_request_twice_at_once_is_one_message(edge: RunningEdge) -> None:
    """Both are answered with the same sequence."""
    publisher = edge.ports.publisher
    stored = await asyncio.gather(*(publisher.publish(_prepared(1), {}) for _n in range(20)))

    assert {one.seq_first for one in stored} == {1}
    assert sum(not one.duplicate for one in stored) == 1
    assert await edge.messages() == 1


async def test_two_edges_that_get_the_same_request_store_it_once(
    nats_server: NatsServer, edge: RunningEdge
) -> None:
    """A load balancer may send the repeat elsewhere."""
    body = submission(records(20_000, 6, step_s=1))
    async with running_edge(nats_server) as other:
        answers = await asyncio.gather(*(each.post(body) for each in (edge, other, edge, other)))

    taken = [answer for answer in answers if answer.status_code == 200]
    assert taken
    assert len({answer.json()["receipt"] for answer in taken}) == 1
    messages = await edge.messages()
    again = await edge.post(body)
    assert again.json()["duplicate"] is True
    assert await edge.messages() == messages


async def test_a_batch_stands_whole_or_not_at_all_when_the_server_dies(tmp_path: Path) -> None:
    """SIGKILL in the middle of large requests: no part of one is ever in the stream."""
    from servers import NatsServer as Server  # noqa: PLC0415 - the type is imported for mypy alone

    server = Server(tmp_path / "own")
    server.start()
    try:
        async with running_edge(server, publish_s_max=3.0) as edge:
            work = [
                asyncio.create_task(edge.post(submission(records(20_000, 6, step_s=1 + i / 100))))
                for i in range(4)
            ]
            await asyncio.sleep(0.5)
            server.kill()
            await asyncio.gather(*work)
            server.start()
            await until(lambda: edge.life.checks["nats"] is True)
            statuses = [(await one).status_code for one in work]
            messages = await edge.messages()

        assert set(statuses) <= {200, 503}
        assert messages % 3 == 0
        assert messages >= 3 * statuses.count(200)
    finally:
        server.stop()


async def test_a_group_that_fails_answers_everyone(nats_server: NatsServer, bus: Client) -> None:
    """Nobody waits for ever for a batch that was never confirmed."""
    publisher = Publisher(bus, 1.0)
    nats_server.signal(signal.SIGSTOP)
    outcomes = await asyncio.gather(
        *(publisher.publish(_prepared(n), {}) for n in range(40)), return_exceptions=True
    )
    nats_server.signal(signal.SIGCONT)

    assert all(isinstance(one, PublishUnavailableError) for one in outcomes)
    await until(lambda: not publisher._by_id)


def _noise(count: int) -> list[dict[str, object]]:
    now_s = int(time.time())
    return [
        {"timestamp": now_s - i, **{f"f{k}": hash((i, k)) / 7e9 for k in range(8)}}
        for i in range(count)
    ]


async def test_a_twin_of_a_request_that_is_given_up_is_told_to_come_again(
    nats_server: NatsServer,
) -> None:
    """It waits for the other's message, and is not cancelled with it; its repeat is stored once."""
    async with running_edge(nats_server) as edge:
        publisher = edge.ports.publisher
        nats_server.signal(signal.SIGSTOP)
        first = asyncio.create_task(publisher.publish(_prepared(1), {}))
        await asyncio.sleep(0)
        twin = asyncio.create_task(publisher.publish(_prepared(1), {}))
        await asyncio.sleep(0.05)
        first.cancel()
        with pytest.raises(PublishUnavailableError, match="given up"):
            await twin
        nats_server.signal(signal.SIGCONT)

        await publisher.publish(_prepared(1), {})

        assert await edge.messages() == 1
