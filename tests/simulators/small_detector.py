"""A small detector with every part of the chain, built in plain Python, and a home to score.

One mode with two conditioners, a quadratic reference and three targets (one ratio), a channel
against the fleet and one against the home, two forests. For tests of the payload and its meaning
that must not need the trainer.
"""

from __future__ import annotations

import random
from array import array
from itertools import product

import msgspec

from heatpool_contract.detector import (
    Channel,
    Condition,
    Conditioner,
    Derived,
    Detector,
    Field,
    Forest,
    Mode,
    OffsetRule,
    RarityStep,
    RateLimit,
    SelfTest,
    Source,
    SteadyRule,
    Structure,
    Target,
)
from heatpool_contract.detector_checks import ENGINE, SELF_TESTS_MIN
from heatpool_contract.scoring import Scorer

TREES, HEIGHT, WINDOW = 12, 5, 400
MINUTE_MS = 60_000
START_MS = 1_760_000_000_000
TERMS = ((-1, -1), (0, -1), (1, -1), (0, 0), (0, 1), (1, 1))
COP = (4.0, 0.8, -0.9, 0.05, 0.0, 0.1)
PRESSURE = (3.0, 1.2, 0.1, 0.0, 0.0, 0.0)
SPREAD = (5.0, 0.2, 0.4, 0.0, 0.0, 0.0)


def small(state: str = "released") -> Detector:
    """The detector, with self-tests that hold."""
    chance = random.Random(1)
    structures = (_structure(chance), _structure(chance))
    bare = Detector(
        engine=ENGINE,
        model="aero_slm",
        state="released" if state == "released" else "learning",
        homes=20,
        calibration_homes=20,
        trained_from_ms=START_MS,
        trained_to_ms=START_MS + 1,
        interval_ms=MINUTE_MS,
        spacing_ms_min=MINUTE_MS // 2,
        gap_ms_max=10 * MINUTE_MS,
        stride_ms=5 * MINUTE_MS,
        fields=_fields(),
        derived=(
            Derived(
                name="spread",
                operation="difference",
                left="flow",
                right="return",
                unit="K",
                label_en="Spread",
                label_de="Spreizung",
            ),
        ),
        modes=(
            Mode(
                name="defrost",
                label_en="defrost",
                label_de="Abtauen",
                conditions=(Condition(field="status", low=8),),
            ),
            _heating(structures, chance),
        ),
        structures=structures,
        offset=OffsetRule(span_ms_min=120 * MINUTE_MS, readings_min=60, block_readings=10),
        self_tests=(),
    )
    return msgspec.structs.replace(bare, self_tests=_self_tests(bare))


def reading(
    minute: int, *, cop: float = 1.0, pressure: float = 0.0, status: float = 1.0
) -> dict[str, float]:
    """What a home sends in a minute: 8 % better than the reference, and noise.

    Args:
        minute: since the start.
        cop: factor of a fault.
        pressure: shift of a fault.
        status: operating mode.
    """
    chance = random.Random(minute)
    outdoor = 5.0 + 4.0 * ((minute % 300) / 150.0 - 1.0)
    flow = 35.0 + 3.0 * ((minute % 170) / 85.0 - 1.0)
    u, v = outdoor / 5.0 - 1.0, flow / 5.0 - 7.0
    terms = (1.0, u, v, u * u, u * v, v * v)
    expected = [
        sum(c * t for c, t in zip(one, terms, strict=True)) for one in (COP, PRESSURE, SPREAD)
    ]
    return {
        "T_a": outdoor,
        "flow": flow,
        "return": flow - expected[2] + chance.gauss(0.0, 0.05),
        "cop": expected[0] * 1.08 * cop + chance.gauss(0.0, 0.05),
        "p_low": (expected[1] + pressure + chance.gauss(0.0, 0.02)) * 100.0,
        "hertz": 50.0,
        "status": status,
    }


def _fields() -> tuple[Field, ...]:
    def field(name: str, low: float, high: float, *sources: Source, unit: str = "") -> Field:
        return Field(
            name=name,
            unit=unit,
            low=low,
            high=high,
            sources=sources or (Source(name=name),),
            label_en=name,
            label_de=f"{name}-de",
        )

    cop = msgspec.structs.replace(
        field("cop", 0.0, 12.0), valid_when=(Condition(field="hertz", low=5.0),)
    )
    outdoor = (Source(name="temp_outdoor"), Source(name="T_a"))
    return (
        field("status", 0, 15),
        field("hertz", 0, 130, unit="Hz"),
        cop,
        field("flow", 0, 80, unit="°C"),
        field("return", 0, 80, unit="°C"),
        field("outdoor", -40, 50, *outdoor, unit="°C"),
        field("pressure", 0.5, 45, Source(name="p_low", scale=0.01), unit="bar"),
    )


def _heating(structures: tuple[Structure, ...], chance: random.Random) -> Mode:
    def target(field: str, coefficients: tuple[float, ...], middle: float) -> Target:
        return Target(
            field=field,
            residual="ratio" if field == "cop" else "difference",
            reference_min=0.2 if field == "cop" else 0.0,
            coefficients=coefficients,
            home_penalty=(0.5, 1.0, 1.0, 2.0, 2.0, 2.0),
            usual=(middle * 0.8, middle, middle * 1.2),
        )

    def channel(name: str, squash: float) -> Channel:
        return Channel(
            name=name,
            relative_to="home" if name == "home" else "fleet",
            imputed=(0.0, 0.0, 0.0),
            centre=(0.0, 0.0, 0.01),
            whitening=(25.0, 2.0, 0.0, 2.0, 15.0, 0.0, 0.0, 0.0, 8.0),
            median=(0.1, 0.0, -0.1),
            scale=(1.1, 1.0, 0.9),
            squash=squash,
            forests=tuple(
                Forest(structure=index, window_size=WINDOW, r_mass=_masses(one, chance))
                for index, one in enumerate(structures)
            ),
            smoothing_ms=20 * MINUTE_MS,
            threshold=0.42,
            debounce_ms=10 * MINUTE_MS,
            rarity=(RarityStep(score=0.3, weeks=0.5), RarityStep(score=0.4, weeks=20.0)),
        )

    return Mode(
        name="heating",
        label_en="heating",
        label_de="Heizen",
        conditions=(Condition(field="status", low=1, high=1),),
        steady=SteadyRule(
            settle_ms=10 * MINUTE_MS,
            running=(Condition(field="hertz", low=5.0),),
            rates=(RateLimit(field="hertz", per_minute_max=3.0),),
        ),
        conditioners=(
            Conditioner(field="outdoor", low=0.0, high=10.0),
            Conditioner(field="flow", low=30.0, high=40.0),
        ),
        terms=TERMS,
        targets=(
            target("cop", COP, 4.0),
            target("pressure", PRESSURE, 3.0),
            target("spread", SPREAD, 5.0),
        ),
        mean_readings=20,
        mean_readings_min=10,
        mean_age_ms_max=6 * 60 * MINUTE_MS,
        channels=(channel("home", 8.0), channel("fleet", 8.0)),
    )


def _structure(chance: random.Random) -> Structure:
    """Trees with splits inside of the box that the splits above leave."""
    feature, threshold = bytearray(), array("d")
    inner = 2**HEIGHT - 1
    for _ in range(TREES):
        boxes = [[(0.0, 1.0)] * 3]
        for node in range(inner):
            box = boxes[node]
            on = chance.randrange(3)
            low, high = box[on]
            at = low + (high - low) * chance.uniform(0.15, 0.85)
            feature.append(on)
            threshold.append(at)
            boxes.extend(
                [side if axis == on else box[axis] for axis in range(3)]
                for side in ((low, at), (at, high))
            )
    return Structure(
        trees=TREES,
        height=HEIGHT,
        features=3,
        feature=bytes(feature),
        threshold=threshold.tobytes(),
    )


def _masses(structure: Structure, chance: random.Random) -> bytes:
    """Masses of normal vectors around the middle, counted as river counts them."""
    inner, size = 2**HEIGHT - 1, 2 ** (HEIGHT + 1) - 1
    threshold = array("d", structure.threshold)
    masses = array("I", [0] * (TREES * size))
    for _, tree in product(range(WINDOW), range(TREES)):
        vector = [0.5 + chance.gauss(0.0, 0.05) for _ in range(3)]
        node = 0
        masses[tree * size] += 1
        for _ in range(HEIGHT):
            split = tree * inner + node
            node = 2 * node + 1 + (vector[structure.feature[split]] >= threshold[split])
            masses[tree * size + node] += 1
    return masses.tobytes()


def _self_tests(detector: Detector) -> tuple[SelfTest, ...]:
    scorer, chance = Scorer(detector), random.Random(2)
    tests = []
    for channel in ("home", "fleet"):
        inputs, scores = array("d"), array("d")
        for _ in range(SELF_TESTS_MIN):
            vector = [chance.uniform(0, 10), chance.uniform(30, 40)]
            vector += [chance.gauss(4, 1), chance.gauss(3, 1), chance.gauss(5, 1)]
            inputs.extend(vector)
            scores.append(scorer.score_vector("heating", channel, vector))
        tests.append(
            SelfTest(
                mode="heating", channel=channel, vectors=inputs.tobytes(), scores=scores.tobytes()
            )
        )
    return tuple(tests)
