"""Every reason not to believe the channels beside the residuals; and old payloads."""

from __future__ import annotations

import math
from array import array
from typing import TYPE_CHECKING

import msgspec
import pytest
from simulators.small_detector import small
from simulators.watched_detector import watched

from heatpool_contract.detector import Condition, Detector, decode, encode
from heatpool_contract.detector_checks import Malformation, MalformedDetector
from heatpool_contract.self_testing import self_test
from heatpool_contract.watches import Proof

if TYPE_CHECKING:
    from collections.abc import Callable

SOUND = watched()


def _cycle(detector: Detector, /, **changes: object) -> Detector:
    assert detector.cycle is not None
    return msgspec.structs.replace(
        detector, cycle=msgspec.structs.replace(detector.cycle, **changes)
    )


def _cycle_rule(detector: Detector, **changes: object) -> Detector:
    assert detector.cycle is not None
    return _cycle(detector, rule=msgspec.structs.replace(detector.cycle.rule, **changes))


def _days(detector: Detector, **changes: object) -> Detector:
    assert detector.cycle is not None
    return _cycle(detector, detector=msgspec.structs.replace(detector.cycle.detector, **changes))


def _rule(detector: Detector, place: int = 0, **changes: object) -> Detector:
    changed = [*detector.rules]
    changed[place] = msgspec.structs.replace(changed[place], **changes)
    return msgspec.structs.replace(detector, rules=tuple(changed))


def _wear(detector: Detector, **changes: object) -> Detector:
    assert detector.wear is not None
    return msgspec.structs.replace(detector, wear=msgspec.structs.replace(detector.wear, **changes))


def _worn(detector: Detector, **changes: object) -> Detector:
    assert detector.wear is not None
    first, *others = detector.wear.targets
    return _wear(detector, targets=(msgspec.structs.replace(first, **changes), *others))


def _proof(proof: Proof, time: float) -> Proof:
    inputs = array("d", proof.inputs)
    inputs[0] = time
    return msgspec.structs.replace(proof, inputs=inputs.tobytes())


GHOST = (Condition(field="ghost"),)
FLAWS: list[tuple[str, Malformation, Callable[[Detector], Detector]]] = [
    ("days with days", Malformation.CYCLE, lambda d: _days(d, cycle=d.cycle)),
    ("days with rules", Malformation.CYCLE, lambda d: _days(d, rules=d.rules)),
    ("no words", Malformation.CYCLE, lambda d: _cycle_rule(d, features=())),
    ("never running", Malformation.CYCLE, lambda d: _cycle_rule(d, running=())),
    ("running by a ghost", Malformation.UNKNOWN_FIELD, lambda d: _cycle_rule(d, running=GHOST)),
    ("outdoor ghost", Malformation.UNKNOWN_FIELD, lambda d: _cycle_rule(d, outdoor="ghost")),
    ("power ghost", Malformation.UNKNOWN_FIELD, lambda d: _cycle_rule(d, power="ghost")),
    (
        "days of fields of a reading",
        Malformation.UNKNOWN_FIELD,
        lambda d: _days(d, fields=(*d.cycle.detector.fields, d.fields[0])) if d.cycle else d,
    ),
    ("days untested", Malformation.SELF_TEST, lambda d: _days(d, self_tests=())),
    (
        "usual range inverted",
        Malformation.RANGE,
        lambda d: _cycle_rule(
            d,
            features=(msgspec.structs.replace(d.cycle.rule.features[0], residual_low=9.0),)
            if d.cycle
            else (),
        ),
    ),
    (
        "no proof of days",
        Malformation.SELF_TEST,
        lambda d: _cycle_rule(d, proof=Proof(inputs=b"", outputs=b"")),
    ),
    (
        "proof at no time",
        Malformation.NOT_FINITE,
        lambda d: _cycle_rule(d, proof=_proof(d.cycle.rule.proof, math.nan)) if d.cycle else d,
    ),
    (
        "proof before time",
        Malformation.NOT_FINITE,
        lambda d: _rule(d, proof=_proof(d.rules[0].proof, -1.0)),
    ),
    ("rule twice", Malformation.NAME_TWICE, lambda d: _rule(d, name=d.rules[1].name)),
    ("rule of a ghost", Malformation.UNKNOWN_FIELD, lambda d: _rule(d, wrong=GHOST)),
    ("rule in a ghost", Malformation.UNKNOWN_FIELD, lambda d: _rule(d, context=GHOST)),
    ("rule shows a ghost", Malformation.UNKNOWN_FIELD, lambda d: _rule(d, shows=("ghost",))),
    ("rule that holds nothing", Malformation.RULE, lambda d: _rule(d, wrong=())),
    ("rule that follows nothing", Malformation.RULE, lambda d: _rule(d, 1, field=None)),
    ("more raised than tried", Malformation.RANGE, lambda d: _rule(d, homes_raised=21)),
    ("no limit", Malformation.NOT_FINITE, lambda d: _rule(d, 2, drop=math.nan)),
    ("wear of a ghost", Malformation.UNKNOWN_FIELD, lambda d: _worn(d, field="ghost")),
    ("wear without size", Malformation.SCALE, lambda d: _worn(d, change_min=0.0)),
    ("wear without certainty", Malformation.SCALE, lambda d: _wear(d, z_min=0.0)),
    (
        "wear twice",
        Malformation.NAME_TWICE,
        lambda d: _worn(d, field="pressure"),
    ),
    ("years of wear", Malformation.SHAPE, lambda d: _wear(d, days_max=91)),
]


def test_what_was_encoded_comes_back() -> None:
    """All channels survive the way through bytes."""
    assert decode(encode(SOUND)) == SOUND


def test_a_release_without_these_channels_is_the_bytes_it_was() -> None:
    """No key of theirs: an older client reads it, and its hash does not change."""
    keys = set(msgspec.msgpack.decode(encode(small())))

    assert not keys & {"cycle", "rules", "wear"}
    assert keys < set(Detector.__struct_fields__)


@pytest.mark.parametrize(
    ("code", "spoil"), [flaw[1:] for flaw in FLAWS], ids=[flaw[0] for flaw in FLAWS]
)
def test_one_flaw_is_refused_with_its_code(
    code: Malformation, spoil: Callable[[Detector], Detector]
) -> None:
    """Every check has a payload that fails it alone."""
    with pytest.raises(MalformedDetector) as refusal:
        decode(encode(spoil(SOUND)))

    assert refusal.value.code == code


def test_the_proofs_are_reproduced() -> None:
    """What a client does before it activates a payload."""
    assert self_test(SOUND) is None


@pytest.mark.parametrize(
    "spoil",
    [
        lambda d: _cycle_rule(d, proof=_turned(d.cycle.rule.proof)),
        lambda d: _rule(d, 0, proof=_turned(d.rules[0].proof)),
        lambda d: _rule(d, 2, proof=_turned(d.rules[2].proof)),
        lambda d: _rule(d, 1, lasting_ms=60_000),
        lambda d: _days(
            d,
            self_tests=(
                msgspec.structs.replace(
                    d.cycle.detector.self_tests[0],
                    scores=d.cycle.detector.self_tests[0].scores[::-1],
                ),
            ),
        ),
    ],
    ids=["days", "holds", "falling", "stuck", "scores of days"],
)
def test_a_machine_that_differs_here_is_noticed(spoil: Callable[[Detector], Detector]) -> None:
    """One bit in a proof, or a rule that means something else."""
    assert self_test(spoil(SOUND)) is not None


def _turned(proof: Proof) -> Proof:
    outputs = array("d", proof.outputs)
    place = next(k for k in range(len(outputs) - 1, -1, -1) if not math.isnan(outputs[k]))
    outputs[place] = math.nextafter(outputs[place], 9e9)
    return msgspec.structs.replace(proof, outputs=outputs.tobytes())
