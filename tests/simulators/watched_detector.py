"""The small detector with the other channels beside it: days, hard rules, wear; and its machine.

For tests of the payload and its meaning that must not need the trainer.
"""

from __future__ import annotations

import math
import random
from array import array

import msgspec
from simulators.small_detector import MINUTE_MS, START_MS, small

from heatpool_contract import cycles
from heatpool_contract.detector import (
    Channel,
    Condition,
    Conditioner,
    Cycle,
    Detector,
    Field,
    Forest,
    Mode,
    OffsetRule,
    SelfTest,
    Source,
    Structure,
    Target,
)
from heatpool_contract.detector_checks import SELF_TESTS_MIN
from heatpool_contract.scoring import Scorer
from heatpool_contract.self_testing import cycle_outputs, rule_outputs
from heatpool_contract.watches import (
    CycleFeature,
    CycleRule,
    Proof,
    Rule,
    WearRule,
    WearTarget,
)

HOUR_MS = 60 * MINUTE_MS
NOTHING = Proof(inputs=b"", outputs=b"")


def watched(state: str = "released") -> Detector:
    """The detector, with proofs that hold."""
    main = small(state)
    rules = (
        _rule("hertz_high", "holds", wrong=(Condition(field="hertz", low=100.0),)),
        _rule("pressure_stuck", "stuck", field="pressure"),
        _rule("flow_falls", "falling", field="flow", drop=3.0),
    )
    gap_ms = float(main.gap_ms_max)
    return msgspec.structs.replace(
        main,
        cycle=Cycle(rule=_cycle_rule(gap_ms), detector=_days(main)),
        rules=tuple(
            msgspec.structs.replace(rule, proof=_rule_proof(rule, gap_ms)) for rule in rules
        ),
        wear=WearRule(
            sample_ms=30 * MINUTE_MS,
            samples_min=2,
            days_max=60,
            block_days=2,
            blocks_min=6,
            z_min=3.0,
            days_confirmed=2,
            targets=(
                WearTarget(mode="heating", field="cop", worse="down", change_min=0.05),
                WearTarget(mode="heating", field="pressure", worse="both", change_min=0.1),
            ),
        ),
    )


def days_of(
    hours: float, on_minutes: int, off_minutes: int, first_minute: int = 0
) -> list[tuple[int, dict[str, float]]]:
    """A machine that runs and rests in turns, 2 degrees outside; a reading a minute."""
    readings = []
    for minute in range(first_minute, first_minute + int(hours * 60)):
        on = minute % (on_minutes + off_minutes) < on_minutes
        sent = {"hertz": 50.0 * on, "status": float(on), "temp_outdoor": 2.0, "flow": 35.0}
        readings.append((START_MS + minute * MINUTE_MS, sent))
    return readings


def _cycle_rule(gap_ms: float) -> CycleRule:
    chance = random.Random(4)
    rows, now_ms = [], 0.0
    for _ in range(900):
        now_ms += chance.choice((1, 2, 3, 4)) * 60_000.0 + (gap_ms if chance.random() < 0.01 else 0)
        on = float(chance.random() < 0.6)
        quantities = [chance.choice((2.0, 1.1, math.nan)) for _ in range(3)]
        rows.append([now_ms, on, on * (chance.random() < 0.1), on * (chance.random() < 0.2)])
        rows[-1] += quantities
    return CycleRule(
        running=(Condition(field="hertz", low=5.0),),
        defrosting=(Condition(field="status", low=8.0),),
        outdoor="outdoor",
        features=(
            CycleFeature(
                name="cycle_starts",
                text_en="{own} compressor starts an hour, usual {low} to {high}",
                text_de="{own} Verdichterstarts je Stunde, üblich {low} bis {high}",
                residual_low=-0.5,
                residual_high=0.3,
            ),
        ),
        proof=_proof(rows, cycle_outputs(rows, gap_ms)),
    )


def _rule(
    name: str,
    kind: str,
    wrong: tuple[Condition, ...] = (),
    field: str | None = None,
    drop: float = 0.0,
) -> Rule:
    return Rule(
        name=name,
        kind="holds" if kind == "holds" else "stuck" if kind == "stuck" else "falling",
        context=(Condition(field="hertz", low=5.0),),
        wrong=wrong,
        field=field,
        drop=drop,
        lasting_ms=30 * MINUTE_MS,
        hold_ms=20 * MINUTE_MS,
        shows=("hertz",),
        text_en=f"{name} is broken",
        text_de=f"{name} ist verletzt",
        homes=20,
        homes_raised=0,
        proof=NOTHING,
    )


def _rule_proof(rule: Rule, gap_ms: float) -> Proof:
    chance = random.Random(5)
    rows, value = [], 40.0
    for step in range(200):
        value -= chance.choice((0.0, 0.0, 0.3))
        rows.append(
            [
                step * 120_000.0,
                float(step % 50 > 4),
                float(step % 40 < 25),
                value if step % 7 else math.nan,
            ]
        )
    return _proof(rows, rule_outputs(rule, rows, gap_ms))


def _proof(rows: list[list[float]], outputs: list[float]) -> Proof:
    inputs = array("d", [value for row in rows for value in row])
    return Proof(inputs=inputs.tobytes(), outputs=array("d", outputs).tobytes())


def _days(main: Detector) -> Detector:
    """Days with more than about one start an hour above the reference are unlike all others."""

    def field(name: str) -> Field:
        return Field(
            name=name,
            unit=dict(zip(cycles.FEATURES, cycles.UNITS, strict=True))[name],
            low=-1e6,
            high=1e6,
            sources=(Source(name=name),),
            label_en=name,
            label_de=name,
        )

    channel = Channel(
        name="fleet",
        relative_to="fleet",
        imputed=(0.0,),
        centre=(0.0,),
        whitening=(1.0,),
        median=(0.0,),
        scale=(1.0,),
        squash=1.0,
        forests=(Forest(structure=0, window_size=100, r_mass=array("I", [100, 100, 0]).tobytes()),),
        smoothing_ms=0,
        threshold=0.5,
        debounce_ms=0,
    )
    mode = Mode(
        name="cycle",
        label_en="last 24 hours",
        label_de="letzte 24 Stunden",
        conditioners=(Conditioner(field="cycle_outdoor", low=-10.0, high=20.0),),
        targets=(
            Target(
                field="cycle_starts",
                residual="difference",
                coefficients=(0.5,),
                usual=(0.1, 0.5, 0.9),
            ),
        ),
        channels=(channel,),
    )
    bare = msgspec.structs.replace(
        main,
        interval_ms=HOUR_MS,
        spacing_ms_min=0,
        gap_ms_max=24 * HOUR_MS,
        stride_ms=0,
        fields=(field("cycle_outdoor"), field("cycle_starts")),
        derived=(),
        modes=(mode,),
        structures=(
            Structure(
                trees=1,
                height=1,
                features=1,
                feature=bytes([0]),
                threshold=array("d", [0.75]).tobytes(),
            ),
        ),
        offset=OffsetRule(span_ms_min=0, readings_min=0, block_readings=1),
        self_tests=(),
    )
    scorer = Scorer(bare)
    inputs = [value for number in range(SELF_TESTS_MIN) for value in (2.0, number * 0.1)]
    scores = [
        scorer.score_vector("cycle", "fleet", inputs[2 * number : 2 * number + 2])
        for number in range(SELF_TESTS_MIN)
    ]
    test = SelfTest(
        mode="cycle",
        channel="fleet",
        vectors=array("d", inputs).tobytes(),
        scores=array("d", scores).tobytes(),
    )
    return msgspec.structs.replace(bare, self_tests=(test,))
