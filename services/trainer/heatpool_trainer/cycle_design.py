"""From sensors to the skeleton of the detector of the days; nothing fitted yet.

In: the recipe, what the homes measure, their days. Out: the rule that tells what a machine is
doing; a `Design` whose fields are features of the last 24 hours. Guaranteed: decided by most homes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from heatpool_contract import cycles
from heatpool_contract.detector import Channel, Conditioner, Field, Mode, OffsetRule, Source
from heatpool_contract.watches import CycleRule, Proof
from heatpool_trainer.calibrate import UNREACHABLE
from heatpool_trainer.design import EVERYWHERE, Design, ModeDesign

if TYPE_CHECKING:
    from collections.abc import Sequence
    from collections.abc import Set as AbstractSet

    from heatpool_contract.detector import Condition, Detector
    from heatpool_trainer.readings import HomeSeries
    from heatpool_trainer.watch_recipes import Alternatives, CycleRecipe

MODE: Final = "cycle"
LIMIT: Final = 1e6  # of a feature: none is larger, and none is an error code
COVERAGE_MIN: Final = 0.2  # of a home's days must show a feature: frost is not always
HOURS_A_DAY: Final = 24


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


def usable(recipe: CycleRecipe, days: Sequence[HomeSeries]) -> list[int]:
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


def design_of(recipe: CycleRecipe, chosen: Sequence[int], main: Detector) -> Design:
    """The skeleton, with the chosen features as targets against the day's outdoor temperature."""
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
