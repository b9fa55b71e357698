"""The operators' plane against a real nats-server: ADR-32, status, drain, errors."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec
import pytest
from structlog.testing import capture_logs

from heatpool_chassis import bus as chassis_bus
from heatpool_chassis import logs, micro
from heatpool_chassis.lifecycle import Lifecycle
from heatpool_chassis.metrics import WriterMetrics

if TYPE_CHECKING:
    from nats.aio.client import Client


class Halve(msgspec.Struct, frozen=True):
    """A request of these tests."""

    number: int


class Half(msgspec.Struct, frozen=True):
    """Its answer."""

    number: int


async def halved(asked: Halve) -> Half:
    """Refuses odd numbers, breaks at nought."""
    if asked.number % 2:
        raise micro.EndpointError(micro.Code.CONFLICT, "odd")
    return Half(asked.number // 2 if 1 / asked.number else 0)


HALF = micro.endpoint("half", Halve, halved, "half of an even number")


async def test_a_service_answers_the_three_verbs_of_adr_32(bus: Client) -> None:
    """PING, INFO and STATS have the protocol's types and name every endpoint."""
    life = Lifecycle("writer")
    service = await micro.register(bus, life, logs.configure("writer"), HALF)

    answers = {}
    for verb in ("PING", "INFO", "STATS"):
        for suffix in ("", ".heatpool-writer", f".heatpool-writer.{service.id}"):
            replies = await micro.gather(bus, f"$SRV.{verb}{suffix}")
            (answers[verb],) = [msgspec.json.decode(reply.data) for reply in replies]

    assert {one["type"] for one in answers.values()} == {
        "io.nats.micro.v1.ping_response",
        "io.nats.micro.v1.info_response",
        "io.nats.micro.v1.stats_response",
    }
    assert {one["id"] for one in answers.values()} == {service.id}
    assert answers["INFO"]["metadata"].keys() == {"host", "pid"}
    assert {one["name"]: one["subject"] for one in answers["INFO"]["endpoints"]} == {
        "status": "heatpool.writer.status",
        "drain": f"heatpool.writer.drain.{service.id}",
        "half": "heatpool.writer.half",
    }
    assert [one["num_requests"] for one in answers["STATS"]["endpoints"]] == [0, 0, 0]


async def test_every_process_answers_status_and_one_answers_an_own_endpoint(
    bus: Client, nats_url: str
) -> None:
    """Two writers: two answers to `status`, one to `half`."""
    other_life = Lifecycle("writer")
    other = await chassis_bus.connect(other_life, nats_url, chassis_bus.Identity(), buffered=True)
    lives = (Lifecycle("writer"), other_life)
    for client, life in zip((bus, other), lives, strict=True):
        WriterMetrics(life.registry).stream_fill_ratio.set(0.25)
        await micro.register(client, life, logs.configure("writer"), HALF)
    lives[0].set_check("started", ok=True)

    statuses = [
        micro.read_answer(reply, micro.Status)
        for reply in await micro.gather(bus, "heatpool.writer.status")
    ]
    halves = await micro.gather(bus, "heatpool.writer.half")
    await other.close()

    assert sorted(one.ready for one in statuses) == [False, True]
    assert {one.figures["heatpool_writer_stream_fill_ratio"] for one in statuses} == {0.25}
    ready = {one.ready: one.figures.get('heatpool_ready{check="started"}') for one in statuses}
    assert ready == {True: 1, False: None}
    assert len(halves) == 1


async def test_drain_answers_then_stops_the_one_process_that_is_meant(bus: Client) -> None:
    """The other process of the service goes on."""
    lives = (Lifecycle("writer"), Lifecycle("writer"))
    services = [await micro.register(bus, life, logs.configure("w")) for life in lives]

    to = micro.subject("writer", "drain", services[1].id)
    answer = await micro.ask(bus, to, micro.Nothing(), micro.Draining)
    await asyncio.wait_for(lives[1].stopping.wait(), 5)

    assert answer.instance == services[1].id
    assert not lives[0].stopping.is_set()


@pytest.mark.parametrize(
    ("payload", "code", "text"),
    [
        (b'{"number": 3}', "409", "odd"),
        (b'{"number": "x"}', "400", r"Expected `int`"),
        (b"{", "400", "truncated"),
        (b"", "400", "missing required field `number`"),
        (b'{"number": 0}', "500", "^500 ZeroDivisionError$"),
    ],
)
async def test_what_is_refused_has_a_code_and_shows_nothing_of_the_inside(
    bus: Client, payload: bytes, code: str, text: str
) -> None:
    """The code stands in the header that `nats` shows; only the log knows the traceback."""
    log = logs.configure("test")
    await micro.register(bus, Lifecycle("writer"), log, HALF)

    with capture_logs() as lines:
        reply = await bus.request("heatpool.writer.half", payload)
    good = await micro.ask(bus, "heatpool.writer.half", Halve(4), Half)

    assert (reply.headers or {})["Nats-Service-Error-Code"] == code
    with pytest.raises(micro.EndpointError, match=text):
        micro.read_answer(reply, Half)
    assert [line["event"] for line in lines] == (["endpoint_failed"] if code == "500" else [])
    assert good == Half(2)


async def test_asking_a_service_that_is_not_there_says_so(bus: Client) -> None:
    """At once: the server knows that nobody listens."""
    with pytest.raises(micro.EndpointError, match=r"503 nobody answers on heatpool\.writer\.half"):
        await micro.ask(bus, "heatpool.writer.half", Halve(2), Half)
    assert await micro.gather(bus, "heatpool.writer.status", wait_s=5) == []
