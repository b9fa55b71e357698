"""The payload of a release: the whole scoring chain of one heat-pump model as data.

In: a `Detector` (trainer) or the bytes of an opened container (client). Out: msgpack bytes, or a
`Detector` of which every limit, length and sum was checked (`detector_checks`). Guaranteed: nothing
in it is code, equal values give equal bytes, and whoever follows `scoring` computes the same score
to the last bit.

The chain of one reading, in the order of the types below: field (rename, scale, range), derived
field, mode, steady state, reference regression, residual, the home's own normal, mean over the last
steady readings, then per channel: impute, whiten, scale, squash, half-space trees, smoothing,
threshold, rarity.

Large arrays are little-endian `bytes` in heap order (children of node i are 2i+1 and 2i+2), tree
after tree; small vectors and matrices (row by row) are plain tuples.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from heatpool_contract import beside_checks, detector_checks
from heatpool_contract.detector_checks import Malformation, MalformedDetector
from heatpool_contract.quantities import (
    DURATION_MS_MAX,
    READINGS_MAX,
    Condition,
    Conditions,
    Count,
    Data,
    Derived,
    Duration,
    Field,
    Label,
    Name,
    Period,
    Readings,
    Source,
    Vector,
)
from heatpool_contract.watches import CycleRule, Rule, WearRule

__all__ = [
    "READINGS_MAX",
    "Channel",
    "Condition",
    "Conditioner",
    "Cycle",
    "Derived",
    "Detector",
    "Field",
    "Forest",
    "Mode",
    "OffsetRule",
    "RarityStep",
    "RateLimit",
    "SelfTest",
    "Source",
    "SteadyRule",
    "Structure",
    "Target",
    "decode",
    "encode",
]


class RateLimit(Data, frozen=True, kw_only=True):
    """|change since the previous reading|, brought to one minute, at most this."""

    field: Name
    per_minute_max: float


class SteadyRule(Data, frozen=True, kw_only=True):
    """Which readings of a mode are steady: long enough in it, running, nothing in motion."""

    settle_ms: Duration = 0
    """Since mode and `running` began to hold without a break."""
    running: Conditions = ()
    rates: Annotated[tuple[RateLimit, ...], Meta(max_length=16)] = ()


class Conditioner(Data, frozen=True, kw_only=True):
    """A quantity set by weather and control, on which the reference is conditioned.

    The regression sees u = (2 x - low - high) / (high - low). Outside of [low, high] the reference
    has seen nothing and the reading is not scored.
    """

    field: Name
    low: float
    high: float


class Target(Data, frozen=True, kw_only=True):
    """A quantity that the reference predicts; its residual is a feature of the channels."""

    field: Name
    residual: Literal["difference", "ratio"]
    """y - r, or y / r - 1 (missing where the reference r is not above `reference_min`)."""
    reference_min: float = 0.0
    coefficients: Vector
    """One per term of the mode."""
    home_penalty: Vector = ()
    """One per term, above zero: how strongly a home's own normal is held to the reference."""
    usual: tuple[float, float, float]
    """Quantiles .05, .5 and .95 of the quantity itself in steady readings of the fleet."""


class Structure(Data, frozen=True, kw_only=True):
    """Trees without masses: several forests may share them."""

    trees: int
    height: int
    features: int
    feature: bytes
    """u1 per inner node."""
    threshold: bytes
    """f8 per inner node, within [0, 1]; left is `value < threshold`."""


class Forest(Data, frozen=True, kw_only=True):
    """Masses of one window of training vectors in the trees of a structure."""

    structure: Count
    window_size: Annotated[int, Meta(ge=1, le=2**31 - 1)]
    """Vectors in the window: the mass of every root."""
    r_mass: bytes
    """u4 per node: the reference window, which scores."""
    l_mass: bytes | None = None
    """u4 per node: the window in progress of river; None when all are zero."""


class RarityStep(Data, frozen=True, kw_only=True):
    """Healthy pumps unknown to the model reach `score` once in `weeks` pump-weeks."""

    score: float
    weeks: float


class Channel(Data, frozen=True, kw_only=True):
    """One way to look at the residuals of a mode, with an alarm budget of its own."""

    name: Name
    relative_to: Literal["fleet", "home"]
    """`home`: the home's own frozen normal; before it is learnt the channel does not score."""
    imputed: Vector
    """Stands for a missing feature: the median."""
    centre: Vector
    whitening: Annotated[tuple[float, ...], Meta(max_length=64 * 64)]
    """F x F, row by row: w = W (v - centre)."""
    median: Vector
    scale: Vector
    """z = (w - median) / scale."""
    squash: float
    """c of u = 0.5 + 0.5 z / (c + |z|): the trees see z = c at three quarters of their range."""
    forests: Annotated[tuple[Forest, ...], Meta(min_length=1, max_length=16)]
    smoothing_ms: Duration
    """Time constant of the exponential mean of scores; 0 = none."""
    threshold: float
    debounce_ms: Duration
    """The smoothed score must stay at or above the threshold this long."""
    rarity: Annotated[tuple[RarityStep, ...], Meta(max_length=64)] = ()
    """Scores and weeks ascending."""


class Mode(Data, frozen=True, kw_only=True):
    """An operating mode; one without channels is recognised and not scored."""

    name: Name
    label_en: Label
    label_de: Label
    conditions: Conditions = ()
    """All must hold; the first mode of the list whose conditions hold is taken."""
    steady: SteadyRule = SteadyRule()
    conditioners: Annotated[tuple[Conditioner, ...], Meta(max_length=8)] = ()
    terms: Annotated[tuple[tuple[int, int], ...], Meta(min_length=1, max_length=64)] = ((-1, -1),)
    """Basis of the regression: (-1, -1) is 1, (i, -1) is u_i, (i, j) is u_i u_j."""
    targets: Annotated[tuple[Target, ...], Meta(max_length=64)] = ()
    """Features of the channels, sorted by name of their field, as river sorts them."""
    mean_readings: Readings = 1
    """Steady readings in the running mean."""
    mean_readings_min: Readings = 1
    mean_age_ms_max: Duration = DURATION_MS_MAX
    """Older readings leave the mean; after such a pause smoothing starts anew."""
    channels: Annotated[tuple[Channel, ...], Meta(max_length=8)] = ()


class OffsetRule(Data, frozen=True, kw_only=True, omit_defaults=True):
    """When a home's own normal (`own_normal`) has been learnt and freezes, per mode."""

    span_ms_min: Duration
    """Since the first steady reading of the mode."""
    readings_min: Count
    """Steady readings."""
    block_readings: Readings
    """Steady readings whose mean is one observation."""
    doubt: Annotated[float, Meta(ge=0.0, le=1e6)] = 0.0
    """Observations that the errors of one stand for: errors of the same day are alike. Weighs how
    little a home has learnt at an operating point (`own_normal.Trust`); 0 = trusted everywhere."""


class SelfTest(Data, frozen=True, kw_only=True):
    """Inputs of `Scorer.score_vector` with the scores that must come out, bit for bit."""

    mode: Name
    channel: Name
    vectors: bytes
    """f8, each vector: the mode's conditioners, then its targets; NaN = missing."""
    scores: bytes
    """f8"""


class Cycle(Data, frozen=True, kw_only=True):
    """The second channel: how the last 24 hours went, instead of how the machine runs now."""

    rule: CycleRule
    detector: Detector
    """Its readings are the features of `rule`, one set an hour; it has no channels beside it."""


class Detector(Data, frozen=True, kw_only=True, omit_defaults=True):
    """Everything a client needs to score one heat-pump model.

    Members with a default came later: they are left out where they say nothing, so that a release
    without them is the same bytes for every program.
    """

    engine: str
    model: Name
    state: Literal["learning", "released"]
    """`learning`: calibrated on too few unseen homes, so it shows scores and raises no alarm."""
    homes: Count
    calibration_homes: Count
    trained_from_ms: int
    trained_to_ms: int
    interval_ms: Period
    """Usual distance of readings; one closer than `spacing_ms_min` is passed over, and what comes
    more often in the long run (`Scorer.observe`)."""
    spacing_ms_min: Duration
    gap_ms_max: Period
    """A longer silence breaks the steady state."""
    stride_ms: Duration
    """Distance of scores within a mode."""
    fields: Annotated[tuple[Field, ...], Meta(min_length=1, max_length=128)]
    derived: Annotated[tuple[Derived, ...], Meta(max_length=64)]
    modes: Annotated[tuple[Mode, ...], Meta(min_length=1, max_length=16)]
    structures: Annotated[tuple[Structure, ...], Meta(max_length=64)]
    offset: OffsetRule
    self_tests: Annotated[tuple[SelfTest, ...], Meta(max_length=128)]
    cycle: Cycle | None = None
    rules: Annotated[tuple[Rule, ...], Meta(max_length=32)] = ()
    """The third channel: what no healthy machine does, whatever the others think of it."""
    wear: WearRule | None = None


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(Detector)


def encode(detector: Detector) -> bytes:
    """The payload as msgpack; equal detectors give equal bytes."""
    return _encoder.encode(detector)


def decode(raw: bytes, height_max: int = detector_checks.HEIGHT_MAX) -> Detector:
    """Read a payload and make every check.

    Args:
        raw: what `encode` wrote.
        height_max: highest tree to accept; `HEIGHT_OPT_IN_MAX` for those who have the memory.

    Raises:
        MalformedDetector: with the code of the first check that failed.
    """
    if len(raw) > detector_checks.RAW_BYTES_MAX:
        raise MalformedDetector(Malformation.TOO_LARGE, f"{len(raw)} bytes")
    try:
        detector = _decoder.decode(raw)
    except msgspec.ValidationError as error:
        raise MalformedDetector(Malformation.SHAPE, str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        # msgspec 0.22 lets bad UTF-8 in a text escape as what it is.
        raise MalformedDetector(Malformation.NOT_MSGPACK, str(error)) from error
    detector_checks.check(detector, height_max)
    beside_checks.check(detector, height_max)
    return detector
