"""The channels beside the residuals, trained: days, hard rules, wear.

In: of every home a look, which depends on the home alone; residuals under the models that have not
seen it. Out: the detector with these channels, and what is to be said of them. Guaranteed: a look
is small (24 rows a day, the names of rules); the first channel is left as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from heatpool_contract.detector import Detector, Field, encode
from heatpool_contract.detector_checks import known_fields
from heatpool_contract.watches import CycleRule
from heatpool_trainer import cycle_design, cycle_fit, features, rules_fit, wear_fit
from heatpool_trainer.cycle_rows import day_rows
from heatpool_trainer.readings import HomeSeries
from heatpool_trainer.rules_fit import Outlined

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from heatpool_trainer.catalogue import Catalogue
    from heatpool_trainer.crew import Crew
    from heatpool_trainer.features import Values
    from heatpool_trainer.plan import Candidate, TrainingPlan
    from heatpool_trainer.shelf import AnyInputs
    from heatpool_trainer.survey import Survey


class Outline(msgspec.Struct, frozen=True, kw_only=True):
    """What the homes' sensors can answer."""

    gap_ms: int
    days: CycleRule | None
    rules: tuple[Outlined, ...]
    followed: tuple[Field, ...]
    """Fields that rules follow; cleaning blanks what is stuck, which such a rule is to see."""


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """What these channels see of one home."""

    days: HomeSeries | None
    raised: frozenset[str]
    """Names of the rules that the home breaks."""


def outline(catalogue: Catalogue, skeleton: Detector, surveys: Sequence[Survey]) -> Outline:
    """Find out what the homes' sensors can answer."""
    known, recipe = known_fields(skeleton), catalogue.cycle
    rules = rules_fit.outlines(catalogue.rules, known, surveys)
    return Outline(
        gap_ms=skeleton.gap_ms_max,
        days=None if recipe is None else cycle_design.outline(recipe, known),
        rules=rules,
        followed=tuple(
            field for field in skeleton.fields if any(one.rule.field == field.name for one in rules)
        ),
    )


def look(plan: Outline, found: Values, raw: HomeSeries) -> Look:
    """Look at one home.

    Args:
        plan: what to look at.
        found: its values.
        raw: its readings before they were cleaned, at the same times.
    """
    sent = {field.name: features.sent(field, raw) for field in plan.followed}
    uncleaned = msgspec.structs.replace(found, columns=found.columns | sent)
    return Look(
        days=None if plan.days is None else day_rows(raw.home, plan.days, found, plan.gap_ms),
        raised=frozenset(
            one.rule.name
            for one in plan.rules
            if rules_fit.raised_in(one.rule, uncleaned, plan.gap_ms).any()
        ),
    )


def added(  # noqa: PLR0913, PLR0917 - the channels are the meeting point of all of this
    candidate: Candidate,
    catalogue: Catalogue,
    outlined: Outline,
    looks: Mapping[str, Look],
    homes: Sequence[AnyInputs],
    plan: TrainingPlan,
    crew: Crew,
) -> Candidate:
    """The candidate with these channels, and how they came about.

    Args:
        candidate: whose detector has its state.
        catalogue: recipes.
        outlined: what the homes can answer.
        looks: by home.
        homes: under all models, in canonical order.
        plan: sizes and budgets.
        crew: works on several folds at once.
    """
    detector, days, worn = candidate.detector, None, wear_fit.Limits(None, 0)
    if catalogue.cycle is not None and outlined.days is not None:
        by_home = {name: one.days for name, one in looks.items() if one.days is not None}
        days = cycle_fit.train(catalogue.cycle, outlined.days, by_home, detector, plan, crew)
    raised = [one.raised for one in looks.values()]
    rules, reports = rules_fit.finish(outlined.rules, raised, outlined.gap_ms)
    if catalogue.wear is not None:
        worn = wear_fit.limits(catalogue.wear, detector, homes)
    detector = msgspec.structs.replace(
        detector, cycle=None if days is None else days.cycle, rules=rules, wear=worn.rule
    )
    report = msgspec.structs.replace(
        candidate.report,
        cycle=() if days is None else days.channels,
        rules=reports,
        wear_homes=worn.homes,
    )
    return msgspec.structs.replace(
        candidate, detector=detector, payload=encode(detector), report=report
    )
