"""Readings from what homes have: real Modbus and MQTT servers, a real VictoriaMetrics, maps."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec
import pytest
from simulators.gateway import TOPIC_MAPS, expected, messages
from simulators.heat_pump import REGISTER_MAPS, HeatPump
from simulators.mosquitto import running

from heatpool_client.faults import ClientError, Fault
from heatpool_client.homeassistant import Message
from heatpool_client.mqtt import Broker, MqttSettings
from heatpool_client.sources.mapping import (
    Register,
    RegisterMap,
    Topic,
    TopicMap,
    load,
    reading,
)
from heatpool_client.sources.modbus import ModbusSource
from heatpool_client.sources.opening import SourceSettings, opened
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


@pytest.mark.parametrize("name", TOPIC_MAPS)
def test_every_topic_of_a_map_is_read_over_mqtt(name: str, tmp_path: Path) -> None:
    """Over a real Mosquitto, as the gateway publishes: numbers, or members of objects."""
    found = load(name, None, TopicMap)
    assert isinstance(found, TopicMap)
    with (
        running(tmp_path) as mosquitto,
        Broker(MqttSettings(host="127.0.0.1", port=mosquitto.port)) as gateway,
        opened(SourceSettings(kind="mqtt", map=name, host="127.0.0.1", port=mosquitto.port)) as it,
    ):
        deadline_s = time.monotonic() + 10
        while len(reading(it.read())) < len(found.topics) and time.monotonic() < deadline_s:
            gateway.retain(messages(found))  # again and again: it has to be subscribed to first
            time.sleep(0.05)
        seen = it.read()
    assert {one.verdict for one in seen} == {"ok"}
    assert reading(seen) == pytest.approx(expected(found))


def test_what_a_broker_has_kept_is_no_reading(tmp_path: Path) -> None:
    """It may be days old; a look at the map takes it, and says nothing of when."""
    found = load("heishamon", None, TopicMap)
    assert isinstance(found, TopicMap)
    topic, other = found.topics[0], found.topics[1]
    with running(tmp_path) as mosquitto:
        settings = SourceSettings(
            kind="mqtt", map="heishamon", host="127.0.0.1", port=mosquitto.port
        )
        with Broker(MqttSettings(host="127.0.0.1", port=mosquitto.port)) as gateway:
            gateway.retain([Message(topic.topic, b"1")], wait=True)
            for retained, fields in ((False, {other.field}), (True, {topic.field, other.field})):
                with opened(settings, retained=retained) as source:
                    deadline_s = time.monotonic() + 10
                    while (
                        other.field not in reading(source.read()) and time.monotonic() < deadline_s
                    ):
                        gateway.retain([Message(other.topic, b"5")])
                        time.sleep(0.05)
                    assert set(reading(source.read())) == fields


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
        (b'{"a":{"value":7}}', "a.value", 7.0),
        (b'{"a":7}', "a.value", None),
        (b"[" * 100_000, "a", None),
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
