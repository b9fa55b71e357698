"""Maps: which register, topic or query is which field, as YAML that people write and review. Pure.

In: YAML. Out: a `RegisterMap`, `TopicMap` or `QueryMap`; plausible values of raw ones. Guarantee:
each value has a unit and a range, each map names its public source; a value outside of its range is
left out and said, never sent.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Annotated, Final, Literal

import msgspec

from heatpool_client.faults import ClientError, Fault
from heatpool_contract.telemetry import FIELD_NAME, TIMESTAMP_FIELD

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

MAP_BYTES_MAX: Final = 1024 * 1024
BLOCK_REGISTERS_MAX: Final = 120  # Modbus allows 125 a request
Type = Literal["int16", "uint16", "int32", "uint32", "float32"]
_WORDS: Final[dict[Type, int]] = {"int16": 1, "uint16": 1, "int32": 2, "uint32": 2, "float32": 2}
_FORMATS: Final[dict[Type, str]] = {
    "int16": ">h", "uint16": ">H", "int32": ">i", "uint32": ">I", "float32": ">f",
}  # fmt: skip  # one table
Address = Annotated[int, msgspec.Meta(ge=0, le=65_535)]
UNITS: Final[dict[str, tuple[float, float]]] = {
    "°C": (-60, 160), "K": (-60, 160), "W": (-60_000, 60_000), "kW": (-60, 60),
    "kWh": (0, 10_000_000), "%": (-1, 110), "Hz": (0, 200), "bar": (-1, 60), "l/min": (0, 500),
    "l/h": (0, 30_000), "m³/h": (0, 30), "1/min": (0, 10_000), "h": (0, 1_000_000),
    "": (-2_147_483_648, 4_294_967_295),
}  # fmt: skip  # one table
"""What a heat pump of a home can show. A map's range has to lie within."""


class Value(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What all kinds of map say of a field."""

    field: str
    unit: str
    low: float
    high: float
    scale: float = 1.0
    shift: float = 0.0
    absent: tuple[float, ...] = ()
    """Raw values that stand for a sensor that is not there."""
    source: str | None = None
    """Where this one can be looked up, if not where the map says."""

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        if not FIELD_NAME.fullmatch(self.field) or self.field == TIMESTAMP_FIELD:
            raise ValueError(f"{self.field!r} cannot be the name of a field")
        if self.unit not in UNITS:
            raise ValueError(f"{self.field}: unit {self.unit!r} is none of {', '.join(UNITS)}")
        low, high = UNITS[self.unit]
        if not low <= self.low < self.high <= high:
            raise ValueError(
                f"{self.field}: the range {self.low:g} to {self.high:g} {self.unit} is not within"
                f" {low:g} to {high:g}"
            )


class Register(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One value behind a Modbus address (counted from 0, as it is on the wire)."""

    address: Address
    type: Type


class RegisterMap(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All registers of one heat-pump model."""

    model: str
    source: str
    """Where each address can be looked up."""
    function: Literal["input", "holding"]
    word_order: Literal["big", "little"] = "big"
    """Which half of 32 bits comes first."""
    unit_id: Annotated[int, msgspec.Meta(ge=0, le=255)] = 1
    registers: tuple[Register, ...]


class Topic(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One value behind an MQTT topic."""

    topic: str
    member: str | None = None
    """Of a JSON object, `outer.inner` for one within; None: the payload is the number."""


class TopicMap(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All topics of one device."""

    model: str
    source: str
    age_s_max: Annotated[float, msgspec.Meta(ge=1, le=86_400)] = 600.0
    """A value that has not come again for so long is unread: longer for those that say changes."""
    topics: tuple[Topic, ...]


class Query(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One value behind a query of a database."""

    query: str


class QueryMap(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All queries of one logger."""

    model: str
    source: str
    queries: tuple[Query, ...]


AnyMap = RegisterMap | TopicMap | QueryMap


class Seen(msgspec.Struct, frozen=True):
    """What became of one raw value."""

    field: str
    unit: str
    value: float | None
    """As measured; None if nothing was."""
    verdict: Literal["ok", "absent", "implausible", "unread"]
    low: float
    high: float


class Block(msgspec.Struct, frozen=True):
    """Neighbouring registers, one request. Gaps are not read: some devices refuse them."""

    address: int
    count: int
    registers: tuple[Register, ...]


def shipped() -> list[str]:
    """Names of the maps that come with the client."""
    from importlib.resources import files  # noqa: PLC0415 - 10 ms, and seldom needed

    folder = files("heatpool_client") / "maps"
    return sorted(one.name.removesuffix(".yaml") for one in folder.iterdir() if "yaml" in one.name)


def load(name: str, path: Path | None, kind: type[AnyMap]) -> AnyMap:
    """A map that is shipped by `name`, or somebody's own at `path`.

    Raises:
        ClientError: `map_invalid`, `file_unreadable`, `extra_missing`.
    """
    try:
        if path is not None:
            with path.open("rb") as file:
                raw = file.read(MAP_BYTES_MAX)
        elif name in shipped():
            from importlib.resources import files  # noqa: PLC0415 - as above

            raw = (files("heatpool_client") / "maps" / f"{name}.yaml").read_bytes()
        else:
            raise ClientError(Fault.MAP_INVALID, name, f"there are {', '.join(shipped())}")
    except OSError as error:
        raise ClientError(Fault.FILE_UNREADABLE, path, error.strerror) from error
    return parse(name, raw, kind)


def parse(name: str, raw: bytes, kind: type[AnyMap]) -> AnyMap:
    """YAML to a map.

    Raises:
        ClientError: `map_invalid` with the member that is wrong, `extra_missing`.
    """
    try:
        found = msgspec.yaml.decode(raw, type=kind)
    except ImportError as error:
        raise ClientError(Fault.EXTRA_MISSING, "modbus") from error
    except (ValueError, RecursionError) as error:
        raise ClientError(Fault.MAP_INVALID, name, error) from error
    names = [one.field for one in values_of(found)]
    if twice := next((one for one in names if names.count(one) > 1), None):
        raise ClientError(Fault.MAP_INVALID, name, f"{twice} is there twice")
    return found


def values_of(found: AnyMap) -> Sequence[Value]:
    """Its values, whatever they come from."""
    match found:
        case RegisterMap():
            return found.registers
        case TopicMap():
            return found.topics
        case QueryMap():
            return found.queries


def judge(value: Value, raw: float | None) -> Seen:
    """Scale a raw value and hold it against its range."""
    if raw is None or raw != raw:  # noqa: PLR0124 - NaN
        return Seen(value.field, value.unit, None, "unread", value.low, value.high)
    if raw in value.absent:
        return Seen(value.field, value.unit, raw, "absent", value.low, value.high)
    found = round(value.scale * raw + value.shift, 6)  # float32 has seven digits
    verdict: Literal["ok", "implausible"] = (
        "ok" if value.low <= found <= value.high else "implausible"
    )
    return Seen(value.field, value.unit, found, verdict, value.low, value.high)


def reading(seen: Sequence[Seen]) -> dict[str, float]:
    """What may be recorded of it."""
    return {one.field: one.value for one in seen if one.verdict == "ok" and one.value is not None}


def blocks(registers: Sequence[Register]) -> Iterator[Block]:
    """Registers grouped into as few requests as they need."""
    group: list[Register] = []
    start = end = 0
    for one in sorted(registers, key=lambda register: register.address):
        width = _WORDS[one.type]
        if group and (one.address != end or end + width - start > BLOCK_REGISTERS_MAX):
            yield Block(start, end - start, tuple(group))
            group = []
        if not group:
            start = one.address
        group.append(one)
        end = one.address + width
    if group:
        yield Block(start, end - start, tuple(group))


def decode(register: Register, words: Mapping[int, int], word_order: str) -> float | None:
    """The raw number of a register; None if its words are not there."""
    found = [words.get(register.address + i) for i in range(_WORDS[register.type])]
    if any(word is None for word in found):
        return None
    present = [word for word in found if word is not None]
    if word_order == "little":
        present.reverse()
    packed = b"".join(word.to_bytes(2, "big") for word in present)
    return float(struct.unpack(_FORMATS[register.type], packed)[0])
