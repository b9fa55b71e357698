"""The channels beside the residuals, trained: days, hard rules, wear.

In: every home's values and residuals, as the first channel is trained. Out: the detector with these
channels, and what is to be said of them. Guaranteed: one home in memory at a time, but for 24 rows
of a day; the first channel is left as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from heatpool_contract.detector import Detector
from heatpool_contract.detector_checks import known_fields
from heatpool_trainer import cycle_design, cycle_fit, rules_fit, wear_fit
from heatpool_trainer.cycle_rows import day_rows
from heatpool_trainer.plan import ChannelReport, RuleReport

if TYPE_CHECKING:
    from collections.abc import Sequence

    from heatpool_trainer.catalogue import Catalogue
    from heatpool_trainer.cross_fit import HomeInputs
    from heatpool_trainer.features import Values
    from heatpool_trainer.plan import TrainingPlan
    from heatpool_trainer.readings import HomeSeries
    from heatpool_trainer.survey import Survey


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """The detector with its other channels, and how they came about."""

    detector: Detector
    cycle: tuple[ChannelReport, ...] = ()
    rules: tuple[RuleReport, ...] = ()
    wear_homes: int = 0


class Besides:
    """Collects what the other channels need of every home."""

    def __init__(self, catalogue: Catalogue, skeleton: Detector, surveys: Sequence[Survey]) -> None:
        """Find out what the homes' sensors can answer."""
        self._recipes = catalogue
        self._gap_ms = skeleton.gap_ms_max
        known = known_fields(skeleton)
        recipe = catalogue.cycle
        self._rule = None if recipe is None else cycle_design.outline(recipe, known)
        self._days: dict[str, HomeSeries] = {}
        self._trials = rules_fit.outlines(catalogue.rules, known, surveys)

    def take(self, home: str, found: Values) -> None:
        """Take a home's values."""
        if self._rule is not None:
            self._days[home] = day_rows(home, self._rule, found, self._gap_ms)
        for trial in self._trials:
            rules_fit.try_home(trial, found, self._gap_ms)

    def finish(self, detector: Detector, homes: Sequence[HomeInputs], plan: TrainingPlan) -> Said:
        """Add the channels to a finished detector.

        Args:
            detector: with its state.
            homes: under all models, in canonical order.
            plan: sizes and budgets.
        """
        recipe = self._recipes.cycle
        days = None
        if recipe is not None and self._rule is not None:
            days = cycle_fit.train(recipe, self._rule, self._days, detector, plan)
        rules, reports = rules_fit.finish(self._trials, self._gap_ms)
        worn = wear_fit.Limits(None, 0)
        if self._recipes.wear is not None:
            worn = wear_fit.limits(self._recipes.wear, detector, homes)
        return Said(
            detector=msgspec.structs.replace(
                detector,
                cycle=None if days is None else days.cycle,
                rules=rules,
                wear=worn.rule,
            ),
            cycle=() if days is None else days.channels,
            rules=reports,
            wear_homes=worn.homes,
        )
