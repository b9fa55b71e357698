"""What makes the channels beside the residuals believable: days, hard rules, wear.

In: a `Detector` whose own chain was checked. Out: nothing, or `MalformedDetector`. Guaranteed: no
number in them can make a scorer fail, and the detector of the days has no channels beside it.
"""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Final

from heatpool_contract import cycles, detector_checks, rules
from heatpool_contract.detector_checks import Malformation, floats, known_fields, require
from heatpool_contract.self_testing import CYCLE_INPUTS, RULE_INPUTS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from heatpool_contract.detector import Cycle, Detector
    from heatpool_contract.watches import Proof, Rule, WearRule

PROOF_ROWS_MAX: Final = 5_000  # three days of readings a minute
PROOF_ROWS_MIN: Final = 32
_F8: Final = 8


def check(detector: Detector, height_max: int) -> None:
    """Hold the channels beside against every rule.

    Raises:
        MalformedDetector: with the code of the first check that failed.
    """
    known = known_fields(detector)
    if detector.cycle is not None:
        _check_cycle(detector.cycle, known, height_max)
    names = [rule.name for rule in detector.rules]
    require(len(set(names)) == len(names), Malformation.NAME_TWICE, "rules")
    for rule in detector.rules:
        _check_rule(rule, known)
    if detector.wear is not None:
        _check_wear(detector, detector.wear)


def _check_cycle(cycle: Cycle, known: frozenset[str], height_max: int) -> None:
    rule, days = cycle.rule, cycle.detector
    alone = days.cycle is None and not days.rules and days.wear is None and not days.derived
    require(alone, Malformation.CYCLE, "channels beside the days'")
    detector_checks.check(days, height_max)
    named = {field.name for field in days.fields}
    require(named <= set(cycles.FEATURES), Malformation.UNKNOWN_FIELD, "feature of a day")
    targets = {target.field for mode in days.modes for target in mode.targets}
    said = [feature.name for feature in rule.features]
    require(sorted(said) == sorted(targets), Malformation.CYCLE, "features without words")
    conditions = (*rule.running, *rule.defrosting, *rule.watering)
    used = {one.field for one in conditions} | {rule.outdoor}
    used |= {one for one in (rule.power, rule.compressor_power) if one is not None}
    _check_known(used, known)
    require(bool(rule.running), Malformation.CYCLE, "running")
    for feature in rule.features:
        fits = feature.residual_low <= feature.residual_high
        require(fits, Malformation.RANGE, feature.name)
    _check_proof("cycle", rule.proof, CYCLE_INPUTS)
    whole = len(rule.proof.outputs) % (_F8 * len(cycles.FEATURES)) == 0
    require(whole, Malformation.SELF_TEST, "cycle")


def _check_rule(rule: Rule, known: frozenset[str]) -> None:
    used = {one.field for one in (*rule.context, *rule.wrong)} | {*rule.shows}
    _check_known(used | ({rule.field} if rule.field is not None else set()), known)
    complete = bool(rule.wrong) if rule.kind == "holds" else rule.field is not None
    require(complete, Malformation.RULE, rule.name)
    require(rule.kind in rules.KINDS, Malformation.RULE, rule.name)
    require(rule.homes_raised <= rule.homes, Malformation.RANGE, rule.name)
    _check_proof(rule.name, rule.proof, RULE_INPUTS)


def _check_wear(detector: Detector, wear: WearRule) -> None:
    targets = {(mode.name, one.field) for mode in detector.modes for one in mode.targets}
    followed = [(one.mode, one.field) for one in wear.targets]
    require(targets.issuperset(followed), Malformation.UNKNOWN_FIELD, "wear")
    require(len(set(followed)) == len(followed), Malformation.NAME_TWICE, "wear")
    positive = wear.z_min > 0 and all(one.change_min > 0 for one in wear.targets)
    require(positive, Malformation.SCALE, "wear")


def _check_proof(name: str, proof: Proof, width: int) -> None:
    rows = len(proof.inputs) // (_F8 * width)
    fits = len(proof.inputs) == rows * _F8 * width and len(proof.outputs) % _F8 == 0
    fits = fits and PROOF_ROWS_MIN <= rows <= PROOF_ROWS_MAX
    require(fits, Malformation.SELF_TEST, name)
    times_ms = floats(proof.inputs)[::width]
    real = all(isfinite(time) and 0.0 <= time < detector_checks.EXACT for time in times_ms)
    require(real, Malformation.NOT_FINITE, f"times of {name}")


def _check_known(used: Iterable[str], known: frozenset[str]) -> None:
    missing = set(used) - known
    require(not missing, Malformation.UNKNOWN_FIELD, ", ".join(sorted(missing)))
