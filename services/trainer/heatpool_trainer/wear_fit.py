"""How much change over weeks is season and sensor: the limits of wear, from healthy homes.

In: residuals of every home under the model that has not seen it. Out: a `WearRule`, or nothing
while too few homes have been seen for long enough. Guaranteed: trends are computed by the client's
own code on samples that the client would take.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from heatpool_contract import wear
from heatpool_contract.watches import WearRule, WearTarget

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from heatpool_contract.detector import Detector
    from heatpool_trainer.cross_fit import Inputs
    from heatpool_trainer.shelf import AnyInputs
    from heatpool_trainer.watch_recipes import WearRecipe

HEALTHY_QUANTILE: Final = 0.9  # of homes: one that wears must not set what is healthy
MARGIN: Final = 2.0  # times that: a season is longer than a training window
HOMES_MAX: Final = 200  # are enough for a quantile


class Limits(msgspec.Struct, frozen=True):
    """The rule, if enough homes are behind it, and how many that were."""

    rule: WearRule | None
    homes: int


def limits(recipe: WearRecipe, detector: Detector, homes: Sequence[AnyInputs]) -> Limits:
    """Set the limits of every residual of the recipe that the detector has."""
    floors = {one.name: one for one in recipe.fields}
    targets = []
    seen = 0
    for index, mode in enumerate(detector.modes):
        names = [one.field for one in mode.targets]
        followed = [name for name in names if name in floors]
        if mode.name not in recipe.modes or not mode.channels or not followed:
            continue
        rule = _rule(recipe, [_target(mode.name, floors[name].name, recipe) for name in followed])
        changes: dict[str, list[float]] = {name: [] for name in followed}
        for home in homes[:HOMES_MAX]:
            state = followed_home(rule, mode.name, names, home.seen(home.fold, index, "fleet"))
            for name, trend in zip(followed, state.trends, strict=False):
                if trend is not None:
                    changes[name].append(abs(trend.change))
        seen = max(seen, *(len(one) for one in changes.values()))
        for name in followed:
            if len(changes[name]) >= recipe.homes_min:
                usual = float(np.quantile(changes[name], HEALTHY_QUANTILE))
                targets.append(
                    WearTarget(
                        mode=mode.name,
                        field=name,
                        worse=floors[name].worse,
                        change_min=max(floors[name].change_min, MARGIN * usual),
                    )
                )
    return Limits(_rule(recipe, targets) if targets else None, seen)


def followed_home(rule: WearRule, mode: str, names: Sequence[str], seen: Inputs) -> wear.WearState:
    """A home's wear after a recording, as the client would remember it."""
    state = wear.WearState()
    for _ in followed(state, rule, mode, names, seen):
        pass
    return state


def followed(
    state: wear.WearState, rule: WearRule, mode: str, names: Sequence[str], seen: Inputs
) -> Iterator[int]:
    """Take a recording into `state`; the moments at which a day ended."""
    for now_ms, vector in zip(seen.timestamps_ms.tolist(), seen.vectors.tolist(), strict=True):
        if now_ms - state.sampled_ms >= rule.sample_ms:
            row = [None if value != value else value for value in vector]  # noqa: PLR0124 - NaN
            if wear.take(state, rule, mode, names, now_ms, row):
                yield now_ms


def _rule(recipe: WearRecipe, targets: Sequence[WearTarget]) -> WearRule:
    return WearRule(
        sample_ms=recipe.sample * 1_000,
        samples_min=recipe.samples_min,
        days_max=recipe.days_max,
        block_days=recipe.block_days,
        blocks_min=recipe.blocks_min,
        z_min=recipe.z_min,
        days_confirmed=recipe.days_confirmed,
        targets=tuple(targets),
    )


def _target(mode: str, field: str, recipe: WearRecipe) -> WearTarget:
    floor = next(one for one in recipe.fields if one.name == field)
    return WearTarget(mode=mode, field=field, worse=floor.worse, change_min=floor.change_min)
