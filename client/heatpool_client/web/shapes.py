"""What the page's cards about the heat pump give away, as `/api/...` encodes it.

Members are only ever added: Home Assistant, Grafana and others read them, too (docs/client/web.md).
"""

from __future__ import annotations

import msgspec

from heatpool_client.besides import FindingKind
from heatpool_client.faults import ErrorSeen
from heatpool_contract.answers import AverageAnswer


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """The newest score."""

    timestamp_s: int
    mode: str
    mode_de: str
    smoothed: float
    threshold: float
    is_over: bool
    is_alarm: bool


class ScoresCard(msgspec.Struct, frozen=True, kw_only=True):
    """`GET /api/scores`: columns, the highest of each step."""

    days: int
    times_s: list[int]
    smoothed: list[float]
    threshold: list[float]
    latest: Moment | None
    stale_since_s: int | None
    """The newest score is older than three hours."""


class Alarm(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch over the threshold, told at its peak."""

    start_s: int
    end_s: int
    is_alarm: bool
    """False: the detector is still learning."""
    peak: float
    threshold: float
    mode: str
    sentences: list[str]
    sentences_de: list[str]
    feature: str | None
    """The heaviest, for `GET /api/curve`."""
    label: str
    label_de: str
    unit: str
    usual_low: float | None
    usual_high: float | None


class NoteSeen(msgspec.Struct, frozen=True, kw_only=True):
    """What days, hard rules or wear found, over time."""

    kind: FindingKind
    name: str
    start_s: float
    end_s: float
    is_alarm: bool
    title: str
    title_de: str
    text: str
    text_de: str


class AlarmsCard(msgspec.Struct, frozen=True, kw_only=True):
    """`GET /api/alarms`: newest first."""

    days: int
    alarms: list[Alarm]
    notes: list[NoteSeen]


class CurveCard(msgspec.Struct, frozen=True, kw_only=True):
    """`GET /api/curve`: own steady readings, what was expected, what is usual in the fleet."""

    feature: str
    label: str
    label_de: str
    unit: str
    times_s: list[int]
    own: list[float]
    expected: list[float | None]
    usual_low: float | None
    usual_high: float | None


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """One quantity: own and of the homes with the same model."""

    metric: str
    unit: str
    decimals: int
    own: float | None
    homes: AverageAnswer | None
    """Null: too few homes, or the pool does not say."""


class CopBin(msgspec.Struct, frozen=True, kw_only=True):
    """COP around one outdoor temperature."""

    outdoor_celsius: float
    own: float
    expected: float | None
    """What the community's reference says for the same operating points."""
    readings: int


class CopCard(msgspec.Struct, frozen=True, kw_only=True):
    """`GET /api/cop`."""

    days: int
    bins: list[CopBin]


class ComparisonCard(msgspec.Struct, frozen=True, kw_only=True):
    """`GET /api/comparison`."""

    window: str
    fetched_s: float | None
    problem: ErrorSeen | None
    suppressed: list[str]
    """Quantities that too few homes send."""
    metrics: list[Compared]
