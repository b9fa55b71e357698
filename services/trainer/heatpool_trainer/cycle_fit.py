"""Training the second channel: a detector whose readings are the days of the homes.

In: the rows of `cycle_rows` of all homes. Out: a `Cycle`, or nothing. Guaranteed: what holds for
the first channel (equal weight and mass for every home, thresholds by homes that the scoring model
has not seen), and an alarm budget of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from heatpool_contract import cycles
from heatpool_contract.detector import (
    Channel,
    Conditioner,
    Cycle,
    Detector,
    Field,
    Mode,
    OffsetRule,
    Source,
)
from heatpool_contract.watches import CycleFeature, CycleRule, Proof
from heatpool_trainer import cross_fit, features, forest, reference_models
from heatpool_trainer.calibrate import UNREACHABLE
from heatpool_trainer.design import EVERYWHERE, Design, ModeDesign
from heatpool_trainer.plan import ChannelReport
from heatpool_trainer.proofs import cycle_proof
from heatpool_trainer.self_tests import self_tests

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from heatpool_contract.detector import Condition
    from heatpool_trainer.cross_fit import HomeInputs
    from heatpool_trainer.plan import TrainingPlan
    from heatpool_trainer.readings import HomeSeries
    from heatpool_trainer.watch_recipes import Alternatives, CycleRecipe

MODE: Final = "cycle"
LIMIT: Final = 1e6  # of a feature: none is larger, and none is an error code
COVERAGE_MIN: Final = 0.2  # of a home's days must show a feature: frost is not always
HOURS_A_DAY: Final = 24
USUAL: Final = (0.05, 0.95)


class Finished(msgspec.Struct, frozen=True, kw_only=True):
    """The channel and how it came about."""

    cycle: Cycle
    channels: tuple[ChannelReport, ...]


def outline(recipe: CycleRecipe, known: AbstractSet[str]) -> CycleRule | None:
    """What the homes' sensors tell of their days; None if they do not."""
    running = available(recipe.running, known)
    if running is None or recipe.outdoor not in known:
        return None
    return CycleRule(
        running=running,
        defrosting=available(recipe.defrosting, known) or (),
        watering=available(recipe.watering, known) or (),
        outdoor=recipe.outdoor,
        power=recipe.power if recipe.power in known else None,
        compressor_power=recipe.compressor_power if recipe.compressor_power in known else None,
        features=(),
        proof=Proof(inputs=b"", outputs=b""),
    )


def available(alternatives: Alternatives, known: AbstractSet[str]) -> tuple[Condition, ...] | None:
    """The first alternative whose fields the homes have."""
    return next((one for one in alternatives if all(c.field in known for c in one)), None)


def train(
    recipe: CycleRecipe,
    rule: CycleRule,
    days: Mapping[str, HomeSeries],
    main: Detector,
    plan: TrainingPlan,
) -> Finished | None:
    """Fit and calibrate the channel of the days.

    Args:
        recipe: words and timing.
        rule: which values tell what the machine does.
        days: by home.
        main: the detector that this channel stands beside; learning, it makes this one learning.
        plan: sizes and minima.
    """
    names = sorted(name for name, one in days.items() if one.timestamps_ms.size)
    chosen = _usable(recipe, [days[name] for name in names])
    if len(names) < plan.folds or not chosen:
        return None
    plan = msgspec.structs.replace(plan, trees=plan.cycle_trees, height=plan.cycle_height)
    design = _design(recipe, chosen, main)
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
    inputs = [
        cross_fit.home_inputs(models, found[name], k % plan.folds, plan.vectors_per_home_max)
        for k, name in enumerate(names)
    ]
    return _finished(recipe, rule, models[-1], design, inputs, main, plan)


def _finished(  # noqa: PLR0913, PLR0917 - all that was made so far
    recipe: CycleRecipe,
    rule: CycleRule,
    detector: Detector,
    design: Design,
    inputs: Sequence[HomeInputs],
    main: Detector,
    plan: TrainingPlan,
) -> Finished | None:
    (mode,), blanks = detector.modes, design.modes[0].blanks
    structures = tuple(
        forest.structure(len(mode.targets), plan.trees, plan.height, seed) for seed in plan.seeds
    )
    trees = cross_fit.Trees(structures, tuple(range(len(structures))))
    channels, reports, alarming = [], [], False
    for blank in blanks:
        budget = plan.cycle_episodes_per_week_max / len(blanks)
        one = cross_fit.finish(inputs, 0, mode, blank, trees, plan, budget)
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


def _usable(recipe: CycleRecipe, days: Sequence[HomeSeries]) -> list[int]:
    """Places in the recipe of the features that most homes show and that vary."""
    chosen = []
    for place, feature in enumerate(recipe.features):
        columns = [one.columns[feature.name] for one in days]
        shown = [np.isfinite(one).mean() >= COVERAGE_MIN for one in columns]
        pooled = np.concatenate([np.empty(0), *columns])
        pooled = pooled[np.isfinite(pooled)]
        if 2 * sum(shown) >= len(shown) > 0 and pooled.size and np.ptp(pooled) > 0.0:
            chosen.append(place)
    return chosen


def _design(recipe: CycleRecipe, chosen: Sequence[int], main: Detector) -> Design:
    unit = dict(zip(cycles.FEATURES, cycles.UNITS, strict=True))
    outdoor = cycles.FEATURES[0]
    labels = {outdoor: (recipe.outdoor_label_en, recipe.outdoor_label_de)}
    for place in chosen:
        one = recipe.features[place]
        labels[one.name] = (one.label_en, one.label_de)
    fields = tuple(
        Field(
            name=name,
            unit=unit[name],
            low=-LIMIT,
            high=LIMIT,
            sources=(Source(name=name),),
            label_en=english,
            label_de=german,
        )
        for name, (english, german) in labels.items()
    )
    mode = Mode(
        name=MODE,
        label_en="last 24 hours",
        label_de="letzte 24 Stunden",
        conditioners=(Conditioner(field=outdoor, low=-EVERYWHERE, high=EVERYWHERE),),
        mean_age_ms_max=recipe.age_max * 1_000,
    )
    blanks = tuple(_blank(kind, recipe) for kind in ("home", "fleet"))
    targets = sorted((recipe.features[place].name, "difference") for place in chosen)
    skeleton = msgspec.structs.replace(
        main,
        interval_ms=int(cycles.HOUR_MS),
        spacing_ms_min=0,
        gap_ms_max=recipe.age_max * 1_000,
        stride_ms=0,
        fields=fields,
        derived=(),
        modes=(mode,),
        structures=(),
        offset=OffsetRule(
            span_ms_min=recipe.offset_span * 1_000,
            readings_min=recipe.offset_hours,
            block_readings=HOURS_A_DAY,
        ),
        self_tests=(),
        cycle=None,
        rules=(),
        wear=None,
    )
    plan = ModeDesign(
        conditioners=(outdoor,),
        targets=tuple((name, "difference") for name, _ in targets),
        blanks=blanks,
    )
    return Design(profile=MODE, skeleton=skeleton, modes=(plan,))


def _blank(kind: str, recipe: CycleRecipe) -> Channel:
    return Channel(
        name=kind,
        relative_to="home" if kind == "home" else "fleet",
        imputed=(),
        centre=(),
        whitening=(),
        median=(),
        scale=(),
        squash=recipe.squash,
        forests=(),
        smoothing_ms=recipe.smoothing * 1_000,
        threshold=UNREACHABLE,
        debounce_ms=recipe.debounce * 1_000,
    )


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
