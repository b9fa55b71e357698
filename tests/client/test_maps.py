"""Maps of registers, topics and queries: valid, sourced, and nothing implausible passes."""

from __future__ import annotations

import math
from collections import defaultdict
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulators.gateway import TOPIC_MAPS
from simulators.heat_pump import REGISTER_MAPS, words_of

import heatpool_client
from heatpool_client.faults import ClientError, Fault
from heatpool_client.sources.mapping import (
    UNITS,
    Register,
    RegisterMap,
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
from heatpool_trainer.catalogue import load_catalogue

KILO = 0.001  # of W, where the catalogue counts in kW
KINDS = dict.fromkeys(REGISTER_MAPS, RegisterMap) | dict.fromkeys(TOPIC_MAPS, TopicMap)


@pytest.mark.parametrize("name", shipped())
def test_shipped_maps_are_valid_and_name_their_source(name: str) -> None:
    """Each is one of the kinds, and its source is a public address."""
    found = load(name, None, KINDS[name])
    assert found.source.startswith("https://")
    assert all((one.source or "https://").startswith("https://") for one in values_of(found))
    assert len(values_of(found)) >= 5
    page = Path(heatpool_client.__file__).parents[2] / "docs" / "client" / "sources.md"
    assert f"| `{name}` |" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", shipped())
def test_shipped_maps_and_the_pools_catalogue_mean_the_same_unit(name: str) -> None:
    """Homes of all makers are compared under one name: 20 l/min must not arrive as 20 l/h."""
    allowed: defaultdict[str, set[str]] = defaultdict(set)
    for sensor in load_catalogue().sensors:
        for source in sensor.sources:
            allowed[source.name].add("W" if source.scale == KILO else sensor.unit)
    for one in values_of(load(name, None, KINDS[name])):
        assert one.unit in (allowed.get(one.field) or {one.unit}), one.field


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
