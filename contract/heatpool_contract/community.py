"""Statistics over homes: what stands in KV `COMMUNITY`, and what they are made of.

In: a value per home (hub's rollup). Out: a snapshot, from which no single home can be read
(docs/decisions/0403). Keys: `<slug>.<window>.<metric>` for snapshots, `rollup` for the job itself.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

Window = Literal["1d", "7d", "30d"]
WINDOW_DAYS: Final[dict[str, int]] = {"1d": 1, "7d": 7, "30d": 30}
ROLLUP_KEY: Final = "rollup"
MEMBER_CHARS: Final = 12
COP: Final = "cop"
HEAT: Final = "heat_energy"
ELECTRICITY: Final = "electric_energy"


class Metric(msgspec.Struct, frozen=True):
    """One quantity, by the names that loggers send it under (services/trainer's catalogue)."""

    fields: tuple[str, ...]
    unit: str
    low: float
    high: float
    decimals: int
    """Of what is published: the sensors' precision, not the arithmetic's."""


METRICS: Final[dict[str, Metric]] = {
    "temp_outdoor": Metric(("temp_outdoor", "temp_outside"), "°C", -40, 50, 1),
    "temp_flow": Metric(("temp_flow", "temp_heat_pump_flow"), "°C", 0, 80, 1),
    "temp_return": Metric(("temp_return", "temp_heat_pump_return"), "°C", 0, 80, 1),
    "temp_dhw": Metric(("temp_dhw", "temp_water_heater_top"), "°C", 0, 90, 1),
    "compressor_freq": Metric(("compressor_freq",), "Hz", 1, 130, 0),
    "flow_rate": Metric(("flow_rate",), "l/h", 1, 10_000, -1),
    HEAT: Metric(("power_thermal", "power_current"), "kWh/d", 0, 2000, 0),
    ELECTRICITY: Metric(("power_electric", "power_current_draw"), "kWh/d", 0, 1000, 0),
    COP: Metric(("cop_current",), "", 0.5, 12, 1),
}


class Stats(msgspec.Struct, frozen=True, kw_only=True):
    """Of one metric over homes; None: would show single homes."""

    n: int
    """Homes, rounded down to a multiple of 5."""
    avg: float | None
    median: float
    p25: float | None
    p75: float | None
    p5: float | None
    p95: float | None


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """What is published of one model, window and metric until there is a newer one."""

    model: str
    window: str
    metric: str
    day: int
    """Last day (UTC, days since 1970) that is in it."""
    stats: Stats | None
    """None: too few homes."""
    quantiles: tuple[float, ...] = ()
    """At 0, 1, ... 100 %; for ranking, never handed out."""
    members: str = ""
    """Hashes of the homes in it, concatenated: who came and who went since decides whether the
    next one may be published."""


class Rollup(msgspec.Struct, frozen=True, kw_only=True):
    """Who computes, and how far the days are."""

    owner: str
    until_ms: int
    day: int
    """Last day that is done."""


class MalformedSnapshotError(Exception):
    """A value in the bucket that is none."""


def encode(value: Snapshot | Rollup) -> bytes:
    """To the value in the bucket."""
    return msgspec.json.encode(value)


def decode(value: bytes) -> Snapshot:
    """The value in the bucket to a snapshot.

    Raises:
        MalformedSnapshotError: it is none.
    """
    try:
        return msgspec.json.decode(value, type=Snapshot)
    except msgspec.DecodeError as error:
        raise MalformedSnapshotError(str(error)) from error


def decode_rollup(value: bytes) -> Rollup:
    """The value under `ROLLUP_KEY`.

    Raises:
        MalformedSnapshotError: it is none.
    """
    try:
        return msgspec.json.decode(value, type=Rollup)
    except msgspec.DecodeError as error:
        raise MalformedSnapshotError(str(error)) from error


def snapshot_key(model: str, window: str, metric: str) -> str:
    """Where a snapshot lies."""
    return f"{model}.{window}.{metric}"
