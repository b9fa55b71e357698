"""Training the second channel: a detector whose readings are the days of the homes.

In: the rows of `cycle_rows` of all homes. Out: a `Cycle`, or nothing. Guaranteed: what holds for
the first channel (equal weight and mass for every home, thresholds by homes that the scoring model
has not seen), and an alarm budget of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from heatpool_contract.detector import (
    Cycle,
    Detector,
    Mode,
)
from heatpool_contract.watches import CycleFeature, CycleRule
from heatpool_trainer import cross_fit, cycle_design, features, forest, reference_models
from heatpool_trainer.calibrate import UNREACHABLE
from heatpool_trainer.plan import ChannelReport
from heatpool_trainer.proofs import cycle_proof
from heatpool_trainer.self_tests import SEED, self_tests

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from heatpool_trainer.crew import Crew
    from heatpool_trainer.cross_fit import HomeInputs
    from heatpool_trainer.design import Design
    from heatpool_trainer.native import Floats
    from heatpool_trainer.plan import TrainingPlan
    from heatpool_trainer.readings import HomeSeries
    from heatpool_trainer.watch_recipes import CycleRecipe

USUAL: Final = (0.05, 0.95)


class Finished(msgspec.Struct, frozen=True, kw_only=True):
    """The channel and how it came about."""

    cycle: Cycle
    channels: tuple[ChannelReport, ...]


def train(
    recipe: CycleRecipe,
    rule: CycleRule,
    days: Mapping[str, HomeSeries],
    main: Detector,
    plan: TrainingPlan,
    crew: Crew,
) -> Finished | None:
    """Fit and calibrate the channel of the days.

    Args:
        recipe: words and timing.
        rule: which values tell what the machine does.
        days: by home.
        main: the detector that this channel stands beside; learning, it makes this one learning.
        plan: sizes and minima.
        crew: works on several folds at once.
    """
    names = sorted(name for name, one in days.items() if one.timestamps_ms.size)
    chosen = cycle_design.usable(recipe, [days[name] for name in names])
    if len(names) < plan.folds or not chosen:
        return None
    plan = msgspec.structs.replace(
        plan,
        trees=plan.cycle_trees,
        height=plan.cycle_height,
    )
    design = cycle_design.design_of(recipe, chosen, main)
    bare = reference_models.with_placeholders(design)
    found = {name: features.values(bare, days[name]) for name in names}
    samples = [
        reference_models.sample(bare, found[name], plan.samples_per_home_max) for name in names
    ]
    skeleton = reference_models.covered(bare, samples)
    models = [
        reference_models.fit_references(
            skeleton, design, [one for k, one in enumerate(samples) if k % plan.folds != fold]
        )
        for fold in range(plan.folds + 1)
    ]
    floors = {one.name: one.floor for one in recipe.features}
    sizes = np.array([floors[name] for name, _ in design.modes[0].targets])
    floored = [
        _floored(cross_fit.home_inputs(models, found[name], k % plan.folds, plan), sizes, k)
        for k, name in enumerate(names)
    ]
    return _finished(recipe, rule, models[-1], design, floored, main, plan, crew)


def _finished(  # noqa: PLR0913, PLR0917 - all that was made so far
    recipe: CycleRecipe,
    rule: CycleRule,
    detector: Detector,
    design: Design,
    inputs: Sequence[HomeInputs],
    main: Detector,
    plan: TrainingPlan,
    crew: Crew,
) -> Finished | None:
    (mode,), blanks = detector.modes, design.modes[0].blanks
    structures = tuple(
        forest.structure(len(mode.targets), plan.trees, plan.height, seed) for seed in plan.seeds
    )
    trees = cross_fit.Trees(structures, tuple(range(len(structures))))
    channels, reports, alarming = [], [], False
    for blank in blanks:
        budget = plan.cycle_episodes_per_week_max / len(blanks)
        one = cross_fit.finish(inputs, 0, mode, blank, trees, plan, budget, crew)
        if one is None:
            continue
        seen = one.calibration
        enough = main.state == "released" and seen.homes >= plan.calibration_homes_min
        enough = enough and seen.pump_weeks >= plan.calibration_weeks_min
        alarming = alarming or enough
        threshold = seen.threshold if enough or main.state == "learning" else UNREACHABLE
        channels.append(msgspec.structs.replace(one.channel, threshold=threshold))
        reports.append(
            ChannelReport(
                mode=mode.name,
                channel=blank.name,
                vectors=one.vectors,
                homes=one.homes,
                threshold=threshold,
                calibration_homes=seen.homes,
                pump_weeks=seen.pump_weeks,
                episodes=seen.episodes,
            )
        )
    if not channels:
        return None
    detector = msgspec.structs.replace(
        detector,
        modes=(msgspec.structs.replace(mode, channels=tuple(channels)),),
        structures=structures,
        homes=len(inputs),
        calibration_homes=max(one.calibration_homes for one in reports),
        state="released" if alarming else "learning",
    )
    detector = msgspec.structs.replace(detector, self_tests=self_tests(detector))
    rule = msgspec.structs.replace(
        rule, features=_words(recipe, mode, inputs), proof=cycle_proof(main.gap_ms_max)
    )
    return Finished(cycle=Cycle(rule=rule, detector=detector), channels=tuple(reports))


def _floored(home: HomeInputs, sizes: Floats, place: int) -> HomeInputs:
    """A home whose vectors for training vary by no less than what is worth an owner's attention.

    Those of its own fold are left alone: they calibrate.
    """
    random = np.random.default_rng((SEED, place))
    inputs = []
    for number, modes in enumerate(home.inputs):
        changed = {}
        for kind, seen in modes[0].items():
            noise = random.normal(0.0, sizes, seen.vectors.shape)
            vectors = seen.vectors if number == home.fold else seen.vectors + noise
            changed[kind] = cross_fit.Inputs(seen.timestamps_ms, vectors)
        inputs.append([changed])
    return msgspec.structs.replace(home, inputs=inputs)


def _words(
    recipe: CycleRecipe, mode: Mode, homes: Sequence[HomeInputs]
) -> tuple[CycleFeature, ...]:
    """Sentences of the features, and how far healthy days lie from what is expected of them."""
    known = {one.name: one for one in recipe.features}
    own = [one.inputs[one.fold][0]["home"].vectors for one in homes]
    if not any(len(one) for one in own):
        own = [one.inputs[one.fold][0]["fleet"].vectors for one in homes]
    pooled = np.concatenate(own)
    words = []
    for column, target in enumerate(mode.targets):
        values = pooled[:, column]
        values = values[np.isfinite(values)]
        low, high = np.quantile(values, USUAL) if values.size else (0.0, 0.0)
        words.append(
            CycleFeature(
                name=target.field,
                text_en=known[target.field].text_en,
                text_de=known[target.field].text_de,
                residual_low=float(low),
                residual_high=float(high),
            )
        )
    return tuple(words)
