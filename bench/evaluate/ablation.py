"""Every design choice taken out once: what it is worth on the fleet.

In: the recordings. Out: `AblationResult`, one `FleetResult` a variant. Guarantee: every variant is
the production chain, trained on the same homes and judged on the same plays; a variant changes
catalogue or plan where that suffices, else one function within a context. What is judged here
decides nothing: it is every third block of the reported homes' winter.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from evaluate import fleet, recordings, store
from evaluate.altered import altered
from evaluate.fleet import FleetResult
from heatpool_trainer import channel_fit, forest, reference_fit, reference_models
from heatpool_trainer.catalogue import Catalogue, ModeRecipe, TargetRecipe, load_catalogue
from heatpool_trainer.plan import TrainingPlan

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from heatpool_contract.detector import Forest, Structure
    from heatpool_trainer.native import Floats, Integers

EVERY: Final = 3
RIVER_WINDOW: Final = 250
PLAN: Final = TrainingPlan(model=fleet.MODEL)
SQUASH: Final = 32.0


class AblationResult(msgspec.Struct, frozen=True):
    """One result a variant."""

    variants: tuple[FleetResult, ...]


class Variant(msgspec.Struct, frozen=True):
    """How the chain is changed."""

    title: str
    catalogue: Catalogue
    plan: TrainingPlan = PLAN
    context: Callable[[], contextlib.AbstractContextManager[None]] = contextlib.nullcontext


def variants() -> list[Variant]:
    """The chain as it ships first, then one change each."""
    shipped = load_catalogue()
    return [
        Variant("as shipped", shipped),
        Variant("raw readings, no reference", _raw(shipped)),
        Variant("no own normal of the home", _profile(shipped, home_channel=False)),
        Variant("no whitening", shipped, context=_constant(channel_fit, "SHRINKAGE", 1.0)),
        Variant("single readings, no mean", _modes(shipped, mean=60.0)),
        Variant("T2 of the same features instead of trees", shipped, context=_t2),
        Variant("own normal learnt in the first days only", shipped,
                plan=msgspec.structs.replace(PLAN, learnings_max=1)),
        Variant("own normal trusted in any weather", _profile(shipped, offset_doubt=0.0)),
        Variant("odd homes counted by episodes", shipped,
                plan=msgspec.structs.replace(PLAN, fleet_homes_share_max=1.0)),
        Variant("trees of river's window, 250", shipped, context=_last_window),
        Variant("trees cut close to the data", _profile(shipped, squash=2.0)),
        Variant("no home effect in the reference", shipped, context=_no_home_effect),
        Variant("no compressor speed among the conditions", _conditions(shipped, 2)),
        Variant("heating and hot water as one mode", _one_mode(shipped)),
        Variant("unsteady readings too", _modes(shipped, settle=0.0, rates=())),
        Variant("no smoothing of scores", _modes(shipped, smoothing=60.0)),
        Variant("one forest of 100 trees", shipped,
                plan=msgspec.structs.replace(PLAN, seeds=(1,))),
        Variant("whitening with little shrinkage", shipped,
                context=_constant(channel_fit, "SHRINKAGE", 0.05)),
    ]  # fmt: skip  # one variant a line


def titles() -> list[str]:
    """Of all variants, in order."""
    return [one.title for one in variants()]


def evaluate(folder: Path, done: Callable[[str], Path]) -> AblationResult:
    """All variants; each is kept as soon as it is there, so that a run goes on where it ended."""
    results = []
    for variant in variants():
        path = done(variant.title)
        result = store.load_result(path, FleetResult)
        if result is None:
            with altered(forest, "structure", functools.cache(forest.structure)), variant.context():
                found = fleet.train(folder, variant.catalogue, variant.plan, None)
                result = fleet.judge(
                    folder, variant.title, found.payload, (recordings.WINTER,), EVERY
                )
            store.save_result(path, result)
        results.append(result)
    return AblationResult(tuple(results))


def _profile(catalogue: Catalogue, **changes: object) -> Catalogue:
    first, *rest = catalogue.profiles
    changed = msgspec.structs.replace(first, **changes)
    return msgspec.structs.replace(catalogue, profiles=(changed, *rest))


def _modes(catalogue: Catalogue, **changes: object) -> Catalogue:
    """Change all modes that are scored."""
    modes = tuple(
        msgspec.structs.replace(mode, **changes) if mode.targets else mode
        for mode in catalogue.profiles[0].modes
    )
    return _profile(catalogue, modes=modes)


def _conditions(catalogue: Catalogue, number: int) -> Catalogue:
    modes = tuple(
        msgspec.structs.replace(mode, conditioners=mode.conditioners[:number])
        for mode in catalogue.profiles[0].modes
    )
    return _profile(catalogue, modes=modes)


def _one_mode(catalogue: Catalogue) -> Catalogue:
    """Hot water is taken for heating."""
    modes = {mode.name: mode for mode in catalogue.profiles[0].modes}
    (condition,) = modes["heating"].conditions[0]
    widened = msgspec.structs.replace(condition, high=7.0)
    heating = msgspec.structs.replace(modes["heating"], conditions=((widened,),))
    kept = (modes["defrost"], heating, modes["standby"])
    return _profile(catalogue, modes=kept)


def _raw(catalogue: Catalogue) -> Catalogue:
    """Targets and conditioners as they are measured, against their own mean."""

    def raw(mode: ModeRecipe) -> ModeRecipe:
        conditions = tuple(
            TargetRecipe(fields=names, residual="difference") for names in mode.conditioners
        )
        targets = tuple(msgspec.structs.replace(one, residual="difference") for one in mode.targets)
        return msgspec.structs.replace(mode, conditioners=(), targets=targets + conditions)

    modes = tuple(raw(mode) if mode.targets else mode for mode in catalogue.profiles[0].modes)
    return _profile(catalogue, modes=modes, home_channel=False)


def _constant(
    module: object, name: str, value: float
) -> Callable[[], contextlib.AbstractContextManager[None]]:
    return functools.partial(altered, module, name, value)  # type: ignore[arg-type]


def _no_home_effect() -> contextlib.AbstractContextManager[None]:
    def pooled(
        bases: Sequence[Floats], values: Sequence[Floats], residual: str
    ) -> tuple[tuple[float, ...], float]:
        together = [np.concatenate(bases)], [np.concatenate(values)]
        return reference_fit.fit(*together, residual)  # type: ignore[arg-type]

    return altered(reference_models, "fit", pooled)


def _last_window() -> contextlib.AbstractContextManager[None]:
    counted = forest.count_masses

    def last(trees: Structure, vectors: Floats) -> Integers:
        return counted(trees, vectors[-RIVER_WINDOW:])

    return altered(forest, "count_masses", last)


@contextlib.contextmanager
def _t2() -> Iterator[None]:
    def scores(
        structures: Sequence[Structure], forests: Sequence[Forest], vectors: Floats
    ) -> Floats:
        del structures, forests
        away = np.abs(2.0 * vectors - 1.0)
        z = SQUASH * away / np.maximum(1.0 - away, 1e-9)  # the squash undone
        t2: Floats = (z * z).sum(axis=1)
        return t2 / (100.0 + t2)  # within [0, 1), as thresholds are

    with altered(forest, "scores", scores):
        yield
