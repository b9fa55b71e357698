"""Readings from what homes have: real Modbus and MQTT servers, a real VictoriaMetrics, maps."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import httpx
import msgspec
import pytest
from simulators.heat_pump import REGISTER_MAPS, HeatPump
from simulators.hub import Hub, Reply
from simulators.mosquitto import running

from heatpool_client.faults import ClientError, Fault
from heatpool_client.homeassistant import Message
from heatpool_client.mqtt import Broker, MqttSettings
from heatpool_client.sources.mapping import (
    Query,
    QueryMap,
    Register,
    RegisterMap,
    Topic,
    TopicMap,
    load,
    reading,
)
from heatpool_client.sources.modbus import ModbusSource
from heatpool_client.sources.queries import QuerySource
from heatpool_client.sources.topics import TopicSource, value_of
from heatpool_deploy.free_ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from simulators.faketime import FakeTime


@pytest.fixture(params=REGISTER_MAPS)
def heat_pump(request: pytest.FixtureRequest) -> Iterator[HeatPump]:
    """A heat pump of each model that has a map."""
    found = load(str(request.param), None, RegisterMap)
    assert isinstance(found, RegisterMap)
    device = HeatPump(found)
    device.start()
    yield device
    device.stop()


def test_every_register_of_a_map_is_read_over_modbus(heat_pump: HeatPump) -> None:
    """The simulated device holds the middle of each range, and that is what comes out."""
    source = ModbusSource(heat_pump.map, "127.0.0.1", heat_pump.port)
    seen = source.read()
    source.close()
    assert {one.verdict for one in seen} == {"ok"}
    assert reading(seen) == pytest.approx(heat_pump.expected)


def test_registers_that_a_device_has_not_cost_only_themselves(heat_pump: HeatPump) -> None:
    """An exception answer for one block; the others count."""
    extra = Register(field="more", unit="", low=0, high=1, address=60_000, type="uint16")
    wide = msgspec.structs.replace(heat_pump.map, registers=(*heat_pump.map.registers, extra))
    source = ModbusSource(wide, "127.0.0.1", heat_pump.port)
    seen = source.read()
    source.close()
    assert [one.field for one in seen if one.verdict != "ok"] == ["more"]


def test_a_heat_pump_that_is_off_is_said() -> None:
    """`source_unreachable`, not a reading of nothing."""
    found = load("idm_navigator_2_0", None, RegisterMap)
    assert isinstance(found, RegisterMap)
    source = ModbusSource(found, "127.0.0.1", free_port())
    with pytest.raises(ClientError) as caught:
        source.read()
    source.close()
    assert caught.value.code is Fault.SOURCE_UNREACHABLE


def test_gateways_topics_become_readings(tmp_path: Path) -> None:
    """Over a real Mosquitto: HeishaMon's numbers and a member of EMS-ESP's object."""
    heishamon = load("heishamon", None, TopicMap)
    assert isinstance(heishamon, TopicMap)
    source = TopicSource(heishamon, time.time)
    with running(tmp_path) as mosquitto:
        settings = MqttSettings(host="127.0.0.1", port=mosquitto.port)
        broker = Broker(settings)
        for name in source.names:
            broker.subscribe(name, source.take)
        with broker:
            broker.retain([Message("panasonic_heat_pump/main/Outside_Temp", b"7.5")])
            deadline_s = time.monotonic() + 10
            while not reading(source.read()) and time.monotonic() < deadline_s:
                time.sleep(0.02)
    assert reading(source.read()) == {"temp_outdoor": 7.5}


def test_a_gateway_that_fell_silent_measures_nothing(fake_time: FakeTime) -> None:
    """After ten minutes the last value is no reading any more."""
    topic = Topic(topic="a", field="x", unit="°C", low=0, high=50)
    source = TopicSource(TopicMap(model="m", source="s", topics=(topic,)), lambda: fake_time.now_s)
    source.take("a", b"20")
    assert reading(source.read()) == {"x": 20.0}
    fake_time.now_s += 601
    assert [one.verdict for one in source.read()] == ["unread"]


@pytest.mark.parametrize(
    ("payload", "member", "value"),
    [
        (b"21.5", None, 21.5),
        (b" 3 ", None, 3.0),
        (b"on", None, 1.0),
        (b"", None, None),
        (b"\xff", None, None),
        (b'{"a":1.5}', "a", 1.5),
        (b'{"a":"off"}', "a", 0.0),
        (b'{"a":[1]}', "a", None),
        (b"[]", "a", None),
        (b"{", "a", None),
    ],
)
def test_payloads_are_numbers_or_nothing(
    payload: bytes, member: str | None, value: float | None
) -> None:
    """Whatever a gateway sends."""
    assert value_of(payload, member) == value


def test_victoriametrics_is_asked_for_each_field(victoria_url: str) -> None:
    """A real one; a query without an answer is unread."""
    now_ms = int(time.time() * 1000)
    line = f'{{"metric":{{"__name__":"src_flow"}},"values":[35.5],"timestamps":[{now_ms}]}}'
    httpx.post(f"{victoria_url}/api/v1/import", content=line).raise_for_status()
    httpx.get(f"{victoria_url}/internal/force_flush").raise_for_status()
    queries = QueryMap(
        model="m",
        source="s",
        queries=(
            Query(
                field="temp_flow", unit="°C", low=0, high=90, query="last_over_time(src_flow[5m])"
            ),
            Query(field="gone", unit="°C", low=0, high=90, query="no_such_series"),
        ),
    )
    source = QuerySource(queries, victoria_url, "victoria")
    deadline_s = time.monotonic() + 10
    while not reading(source.read()) and time.monotonic() < deadline_s:
        time.sleep(0.1)
    seen = source.read()
    source.close()
    assert [(one.value, one.verdict) for one in seen] == [(35.5, "ok"), (None, "unread")]


def test_influxdb_is_asked_the_same_way(hub: Hub) -> None:
    """Its answer's shape (documentation of 1.8); garbage and errors are `source_unreachable`."""
    answer = b'{"results":[{"statement_id":0,"series":[{"name":"x","columns":["time","last"],'
    answer += b'"values":[[1795219200,41.5]]}]}]}'
    query = Query(field="t", unit="°C", low=0, high=90, query="SELECT last(v) FROM x")
    queries = QueryMap(model="m", source="s", queries=(query,))
    hub.scripted.extend([Reply(200, answer), Reply(200, b"garbage"), Reply(500)])
    source = QuerySource(queries, hub.url, "influx", "home")
    assert reading(source.read()) == {"t": 41.5}
    assert hub.requests[0].query == {"q": "SELECT last(v) FROM x", "epoch": "s", "db": "home"}
    for _ in range(2):
        with pytest.raises(ClientError):
            source.read()
    source.close()
