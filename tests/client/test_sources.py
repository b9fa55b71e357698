"""Readings from what homes have: real Modbus and MQTT servers, a real VictoriaMetrics, maps."""

from __future__ import annotations

import asyncio
import math
import struct
import threading
import time
from typing import TYPE_CHECKING

import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice
from simulators.hub import Hub, Reply
from simulators.mosquitto import free_port, running

from heatpool_client.faults import ClientError, Fault
from heatpool_client.homeassistant import Message
from heatpool_client.mqtt import Broker, MqttSettings
from heatpool_client.sources.mapping import (
    UNITS,
    Query,
    QueryMap,
    Register,
    RegisterMap,
    Topic,
    TopicMap,
    Value,
    blocks,
    decode,
    judge,
    load,
    parse,
    reading,
    shipped,
    values_of,
)
from heatpool_client.sources.modbus import ModbusSource
from heatpool_client.sources.queries import QuerySource
from heatpool_client.sources.topics import TopicSource, value_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from simulators.faketime import FakeTime

REGISTERS = ("idm_navigator_2_0",)


def words_of(register: Register, value: float, order: str) -> list[int]:
    """A value as a heat pump would put it."""
    formats = {"int16": ">h", "uint16": ">H", "int32": ">i", "uint32": ">I", "float32": ">f"}
    number = value if register.type == "float32" else int(value)
    packed = struct.pack(formats[register.type], number)
    found = [int.from_bytes(packed[i : i + 2], "big") for i in range(0, len(packed), 2)]
    return found[::-1] if order == "little" else found


class HeatPump:
    """pymodbus' simulated device, loaded with a map: the middle of every range."""

    def __init__(self, found: RegisterMap) -> None:
        """Values of all registers."""
        self.map = found
        self.port = free_port()
        self.expected = {one.field: float(int((one.low + one.high) / 2)) for one in found.registers}
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        """Listen."""
        self._thread.start()
        assert self._ready.wait(10)

    def stop(self) -> None:
        """Be gone."""
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        self._end = asyncio.Event()
        words = {
            one.address + i: word
            for one in self.map.registers
            for i, word in enumerate(words_of(one, self.expected[one.field], self.map.word_order))
        }
        data = [
            SimData(address, values=word, datatype=DataType.REGISTERS)
            for address, word in sorted(words.items())
        ]
        device = SimDevice(self.map.unit_id, simdata=data)
        server = ModbusTcpServer(device, address=("127.0.0.1", self.port))
        await server.listen()
        self._ready.set()
        await self._end.wait()
        await server.shutdown()  # type: ignore[no-untyped-call]  # pymodbus leaves it out


@pytest.fixture(params=REGISTERS)
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


@pytest.mark.parametrize("name", shipped())
def test_shipped_maps_are_valid_and_name_their_source(name: str) -> None:
    """Each is one of the kinds, and its source is a public address."""
    kind = RegisterMap if name in REGISTERS else TopicMap
    found = load(name, None, kind)
    assert found.source.startswith("https://")
    assert len(values_of(found)) >= 5


@pytest.mark.parametrize(
    "line",
    [
        "{address: 1, field: t, type: float32, unit: °F, low: 0, high: 1}",
        "{address: 1, field: t, type: float32, unit: °C, low: 0, high: 1000}",
        "{address: 1, field: t, type: float32, unit: °C, low: 5, high: 5}",
        "{address: 1, field: timestamp, type: float32, unit: °C, low: 0, high: 5}",
        "{address: 70000, field: t, type: float32, unit: °C, low: 0, high: 5}",
        "{address: 1, field: t, type: float64, unit: °C, low: 0, high: 5}",
        "{address: 1, field: t, type: int16, unit: °C, low: 0, high: 5, colour: red}",
        "\n  - ".join(["{address: 1, field: t, type: int16, unit: K, low: 0, high: 5}"] * 2),
        "!!python/object/apply:os.system ['true']",
    ],
)
def test_a_map_that_cannot_be_meant_is_refused(line: str) -> None:
    """Units, ranges, types, doubles; and YAML that would run code."""
    text = f"model: m\nsource: s\nfunction: input\nregisters:\n  - {line}\n"
    with pytest.raises(ClientError) as caught:
        parse("mine", text.encode(), RegisterMap)
    assert caught.value.code is Fault.MAP_INVALID


@given(
    st.sampled_from(["int16", "uint16", "int32", "uint32"]),
    st.integers(0, 2**31 - 1),
    st.sampled_from(["big", "little"]),
)
def test_words_are_read_back(kind: str, number: int, order: str) -> None:
    """Both word orders, all types."""
    register = msgspec.convert(
        {"address": 7, "field": "x", "type": kind, "unit": "", "low": 0, "high": 1}, Register
    )
    value = number % 2 ** (15 if kind.endswith("16") else 31)
    words = dict(enumerate(words_of(register, value, order), start=7))
    assert decode(register, words, order) == value
    assert decode(register, {}, order) is None


@given(st.lists(st.tuples(st.integers(0, 3000), st.booleans()), unique_by=lambda one: one[0] // 2))
def test_blocks_cover_every_register_once(places: list[tuple[int, bool]]) -> None:
    """No gap is read, no request is too long."""
    registers = [
        Register(
            field=f"f{place}", unit="", low=0, high=1, address=place // 2 * 2,
            type="float32" if wide else "uint16",
        )
        for place, wide in places
    ]  # fmt: skip  # one register
    found = list(blocks(registers))
    assert sorted(one.address for block in found for one in block.registers) == sorted(
        one.address for one in registers
    )
    for block in found:
        widths = [2 if one.type == "float32" else 1 for one in block.registers]
        assert sum(widths) == block.count <= 120


@given(st.floats(allow_nan=True), st.sampled_from(sorted(UNITS)))
def test_nothing_implausible_is_recorded(raw: float, unit: str) -> None:
    """Only what lies within the range of its map."""
    low, high = UNITS[unit]
    seen = judge(Value(field="x", unit=unit, low=low, high=high), raw)
    kept = reading([seen])
    assert not kept or low <= kept["x"] <= high
    assert not (math.isnan(raw) and kept)
