"""Whether this machine computes what the trainer computed, to the last bit.

In: a checked detector. Out: nothing, or what differs. Guaranteed: every channel is tried, the days
and the hard rules by whole sequences of readings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from heatpool_contract import cycles, rules
from heatpool_contract.detector_checks import floats
from heatpool_contract.scoring import Scorer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from heatpool_contract.detector import Detector
    from heatpool_contract.watches import Proof, Rule

CYCLE_INPUTS: Final = 7
"""Columns of a cycle rule's proof: time, then the inputs of `cycles.advance`."""
RULE_INPUTS: Final = 4
"""Columns of a hard rule's proof: time, relevant, wrong, value."""


def self_test(detector: Detector) -> str | None:
    """Run the payload's test vectors here.

    Returns:
        None if everything is the expected one bit for bit, else what differs, for people.
    """
    gap_ms = float(detector.gap_ms_max)
    different = _scores(detector)
    if detector.cycle is not None:
        proof = detector.cycle.rule.proof
        found = cycle_outputs(_rows(proof.inputs, CYCLE_INPUTS), gap_ms)
        different = different or _differs("cycle", found, proof)
        different = different or self_test(detector.cycle.detector)
    for rule in detector.rules:
        outputs = rule_outputs(rule, _rows(rule.proof.inputs, RULE_INPUTS), gap_ms)
        different = different or _differs(rule.name, outputs, rule.proof)
    return different


def cycle_outputs(rows: Sequence[Sequence[float]], gap_ms: float) -> list[float]:
    """The features of every hour that ends in a sequence of readings, one after the other."""
    memory, out = cycles.initial(), [0.0] * len(cycles.FEATURES)
    found: list[float] = []
    for now_ms, running, defrosting, watering, outdoor, power, compressor in rows:
        if cycles.advance(
            memory, out, now_ms, running, defrosting, watering, outdoor, power, compressor, gap_ms
        ):
            found += out
    return found


def rule_outputs(rule: Rule, rows: Sequence[Sequence[float]], gap_ms: float) -> list[float]:
    """1 for every reading after which a rule is raised, else 0."""
    memory, kind = rules.initial(), rules.KINDS[rule.kind]
    lasting_ms, hold_ms = float(rule.lasting_ms), float(rule.hold_ms)
    return [
        float(
            rules.advance(
                memory, kind, now_ms, relevant, wrong, value, lasting_ms, hold_ms, gap_ms, rule.drop
            )
        )
        for now_ms, relevant, wrong, value in rows
    ]


def _scores(detector: Detector) -> str | None:
    scorer = Scorer(detector)
    for test in detector.self_tests:
        inputs, scores = floats(test.vectors), floats(test.scores)
        width = len(inputs) // len(scores)
        for number, expected in enumerate(scores):
            vector = inputs[number * width : (number + 1) * width]
            try:
                score = scorer.score_vector(test.mode, test.channel, vector)
            except KeyError as error:
                return f"{test.mode}.{test.channel}[{number}]: {error}"
            if score != expected:
                return f"{test.mode}.{test.channel}[{number}]: {score!r}, not {expected!r}"
    return None


def _rows(raw: bytes, width: int) -> list[Sequence[float]]:
    values = floats(raw)
    return [values[start : start + width] for start in range(0, len(values), width)]


def _differs(name: str, found: Sequence[float], proof: Proof) -> str | None:
    expected = floats(proof.outputs)
    if len(found) != len(expected):
        return f"{name}: {len(found)} outputs, not {len(expected)}"
    for place, (own, wanted) in enumerate(zip(found, expected, strict=True)):
        both_missing = own != own and wanted != wanted  # noqa: PLR0124 - NaN
        if own != wanted and not both_missing:
            return f"{name}[{place}]: {own!r}, not {wanted!r}"
    return None
