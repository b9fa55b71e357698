"""PURE: the registry's sums -> how the pool grew and which models may be named.

In: sums by model, the census before. Out: the next one. Guarantee (docs/decisions/0810): a model
with fewer than k homes is not named, its homes are among the others; a figure stands until three
homes came or went, also across the time in which it was not shown; running it twice for one day
changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from heatpool_contract.census import DAYS_MAX, Census, CensusDay, CensusModel
from heatpool_modelhub.replies import coarse
from heatpool_modelhub.statistics import CHANGE_MIN, N_STEP

if TYPE_CHECKING:
    from collections.abc import Mapping

    from heatpool_modelhub.eligibility import Pool
    from heatpool_modelhub.statistics import Rules

EMPTY: Final = Census(days=(), models=(), others=0)


def next_census(last: Census, day: int, pools: Mapping[str, Pool], rules: Rules) -> Census:
    """What is published from `day` on."""
    homes, samples = (
        sum(pool.installations for pool in pools.values()),
        sum(pool.samples for pool in pools.values()),
    )
    before = {one.model: one for one in last.models}
    models = tuple(
        one
        for model, pool in sorted(pools.items())
        if (one := _model(before.get(model), model, pool.installations, rules)) is not None
    )
    named = {one.model for one in models if one.is_shown}
    others = sum(pool.installations for model, pool in pools.items() if model not in named)
    today = CensusDay(day=day, homes=homes, points=coarse(samples))
    days = (*(one for one in last.days if one.day < day), today)
    return Census(days=days[-DAYS_MAX:], models=models, others=_stand(last.others, others))


def shown_homes(counted: int) -> int:
    """What is published of a count of homes."""
    return counted // N_STEP * N_STEP


def _model(before: CensusModel | None, model: str, homes: int, rules: Rules) -> CensusModel | None:
    if homes < rules.homes_min:
        # Its count is kept, but not shown: the next one is compared with what was seen last.
        return before and CensusModel(model=model, homes=before.homes, is_shown=False)
    if before is None:
        return CensusModel(model=model, homes=homes, is_shown=True)
    stands = _stand(before.homes, homes)
    is_shown = before.is_shown or stands == homes
    return CensusModel(model=model, homes=stands, is_shown=is_shown)


def _stand(before: int, now: int) -> int:
    return before if abs(now - before) < CHANGE_MIN else now
