"""Hard rules of a release: which of the catalogue's the homes can be held to, and which keep peace.

In: recipes, values of every home. Out: rules with what became of them. Guaranteed: a rule that is
raised in more healthy homes than its budget allows is left out and reported; it is run with the
client's own code, compiled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from heatpool_contract.detector import Condition
from heatpool_contract.watches import Proof, Rule
from heatpool_trainer import features, proofs
from heatpool_trainer.cycle_design import available
from heatpool_trainer.plan import RuleReport
from heatpool_trainer.rules_rows import raised_rows

if TYPE_CHECKING:
    from collections.abc import Sequence
    from collections.abc import Set as AbstractSet

    from heatpool_trainer.features import Values
    from heatpool_trainer.native import Bools
    from heatpool_trainer.survey import Survey
    from heatpool_trainer.watch_recipes import RuleRecipe

PEAK_QUANTILE: Final = 0.9  # of homes: one broken machine must not set what the model reaches


class Outlined(msgspec.Struct, frozen=True):
    """A rule that the homes can answer, and its budget."""

    rule: Rule
    homes_share_max: float


def outlines(
    recipes: Sequence[RuleRecipe], known: AbstractSet[str], surveys: Sequence[Survey]
) -> tuple[Outlined, ...]:
    """The rules that the homes' sensors can answer."""
    found = []
    for recipe in recipes:
        context = available(recipe.context, known)
        wrong = available(recipe.wrong, known)
        if recipe.peak_of is not None:
            wrong = _above_peak(recipe.peak_of, recipe.peak_factor, known, surveys)
        followed = recipe.field is None or recipe.field in known
        if context is None or wrong is None or not followed:
            continue
        rule = Rule(
            name=recipe.name,
            kind=recipe.kind,
            context=context,
            wrong=wrong,
            field=recipe.field,
            drop=recipe.drop,
            lasting_ms=recipe.lasting * 1_000,
            hold_ms=recipe.hold * 1_000,
            shows=tuple(name for name in recipe.shows if name in known),
            text_en=recipe.text_en,
            text_de=recipe.text_de,
            homes=0,
            homes_raised=0,
            proof=Proof(inputs=b"", outputs=b""),
        )
        found.append(Outlined(rule, recipe.homes_share_max))
    return tuple(found)


def raised_in(rule: Rule, found: Values, gap_ms: int) -> Bools:
    """Where a rule is raised."""
    size = found.timestamps_ms.size
    relevant = features.holds(rule.context, found.columns, size)
    wrong = features.holds(rule.wrong, found.columns, size).astype(np.float64)
    for condition in rule.wrong:
        wrong[np.isnan(found.columns[condition.field])] = -1.0
    values = np.full(size, np.nan) if rule.field is None else found.columns[rule.field]
    inputs = np.column_stack(
        [found.timestamps_ms.astype(np.float64), relevant.astype(np.float64), wrong, values]
    )
    return raised_rows(rule, inputs, float(gap_ms))


def finish(
    outlined: Sequence[Outlined], homes: Sequence[AbstractSet[str]], gap_ms: int
) -> tuple[tuple[Rule, ...], tuple[RuleReport, ...]]:
    """The rules to release, with proofs, and the report on all.

    Args:
        outlined: all rules that the homes can answer.
        homes: of each, the names of the rules it breaks.
        gap_ms: of the detector.
    """
    kept, reports = [], []
    for one in outlined:
        name, raised = one.rule.name, sum(one.rule.name in home for home in homes)
        healthy = bool(homes) and raised <= one.homes_share_max * len(homes)
        reports.append(
            RuleReport(rule=name, homes=len(homes), homes_raised=raised, released=healthy)
        )
        if healthy:
            proof = proofs.rule_proof(one.rule, gap_ms)
            kept.append(
                msgspec.structs.replace(
                    one.rule, homes=len(homes), homes_raised=raised, proof=proof
                )
            )
    return tuple(kept), tuple(reports)


def _above_peak(
    sensor: str, factor: float, known: AbstractSet[str], surveys: Sequence[Survey]
) -> tuple[Condition, ...] | None:
    peaks = sorted(
        max(one.peak for one in survey.sources[sensor])
        for survey in surveys
        if sensor in survey.sources and any(one.coverage > 0.0 for one in survey.sources[sensor])
    )
    if sensor not in known or not peaks:
        return None
    usual = peaks[int(PEAK_QUANTILE * (len(peaks) - 1))]
    return (Condition(field=sensor, low=factor * usual),)
