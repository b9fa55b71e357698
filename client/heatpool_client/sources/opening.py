"""The source that the owner has chosen: `source.toml` to something that can be read.

In: TOML. Out: an open source. Guarantee: unknown keys are errors; a password is in a private file.
"""

from __future__ import annotations

import time
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Protocol

import msgspec

from heatpool_client.faults import ClientError, Fault
from heatpool_client.home import read_private
from heatpool_client.mqtt import Broker, MqttSettings
from heatpool_client.sources import mapping
from heatpool_client.sources.mapping import QueryMap, RegisterMap, TopicMap
from heatpool_client.sources.modbus import PORT, ModbusSource
from heatpool_client.sources.queries import Database, QuerySource
from heatpool_client.sources.topics import TopicSource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from heatpool_client.home import Home
    from heatpool_client.sources.mapping import AnyMap, Seen
    from heatpool_client.sources.queries import Kind

Every = Annotated[float, msgspec.Meta(ge=1, le=3600)]


class Source(Protocol):
    """Can be read."""

    def read(self) -> list[Seen]:
        """What is measured now."""


class SourceSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`source.toml`."""

    kind: Literal["modbus", "mqtt", "victoria", "influx", "influx2"]
    map: str
    """Name of a shipped map, or the path of one's own (`.yaml`)."""
    host: str | None = None
    port: int | None = None
    url: str | None = None
    """Of a database."""
    database: str | None = None
    """InfluxDB 1."""
    org: str | None = None
    """InfluxDB 2."""
    username: str | None = None
    password: str | None = None
    token: str | None = None
    mqtt: MqttSettings | None = None
    every_s: Every = 60.0
    """Between two readings."""

    def __repr__(self) -> str:
        """Without the secrets."""
        return f"SourceSettings({self.kind}, {self.map!r})"


def read_settings(home: Home) -> SourceSettings:
    """The owner's choice.

    Raises:
        ClientError: `config_invalid` (also: none chosen), `file_exposed`, `state_unusable`.
    """
    raw = read_private(home.source)
    if raw is None:
        raise ClientError(Fault.CONFIG_INVALID, f"{home.source} is missing: choose a source")
    try:
        return msgspec.toml.decode(raw, type=SourceSettings)
    except ValueError as error:
        raise ClientError(Fault.CONFIG_INVALID, f"{home.source.name}: {error}") from error


def read_map(settings: SourceSettings) -> int:
    """How many values its map has; opens nothing.

    Raises:
        ClientError: `map_invalid`, `file_unreadable`, `extra_missing`.
    """
    kinds: dict[str, type[AnyMap]] = {"modbus": RegisterMap, "mqtt": TopicMap}
    kind = kinds.get(settings.kind, QueryMap)
    return len(mapping.values_of(mapping.load(settings.map, _path(settings), kind)))


@contextmanager
def opened(
    settings: SourceSettings, now_s: Callable[[], float] = time.time, *, retained: bool = False
) -> Iterator[Source]:
    """The source, closed at the end.

    Args:
        settings: the owner's choice.
        now_s: the clock.
        retained: also take what an MQTT broker has kept. It may be days old, so a reading is not
            made of it; a look at a map may be.

    Raises:
        ClientError: `map_invalid`, `config_invalid`, `extra_missing`, `broker_unreachable`.
    """
    path = _path(settings)
    if settings.kind == "modbus":
        registers = mapping.load(settings.map, path, RegisterMap)
        host = _needed("host", settings.host)
        if isinstance(registers, RegisterMap):
            with closing(ModbusSource(registers, host, settings.port or PORT)) as modbus:
                yield modbus
    elif settings.kind == "mqtt":
        topics = mapping.load(settings.map, path, TopicMap)
        where = settings.mqtt or MqttSettings(
            host=_needed("host", settings.host), port=settings.port or 1883
        )
        if isinstance(topics, TopicMap):
            source = TopicSource(topics, now_s)
            broker = Broker(where)
            for name in source.names:
                broker.subscribe(name, source.take, retained=retained)
            with broker:
                yield source
    else:
        queries = mapping.load(settings.map, path, QueryMap)
        if isinstance(queries, QueryMap):
            with closing(QuerySource(queries, _database(settings, settings.kind))) as database:
                yield database


def _database(settings: SourceSettings, kind: Kind) -> Database:
    return Database(
        kind=kind,
        url=_needed("url", settings.url),
        database=settings.database,
        org=settings.org,
        username=settings.username,
        password=settings.password,
        token=settings.token,
    )


def _path(settings: SourceSettings) -> Path | None:
    return Path(settings.map) if settings.map.endswith((".yaml", ".yml")) else None


def _needed(name: str, value: str | None) -> str:
    if value is None:
        raise ClientError(Fault.CONFIG_INVALID, f"the source needs {name!r}")
    return value
