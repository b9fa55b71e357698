"""What everybody may see of the pool, as one Struct. No HTTP.

In: the views of registry, releases and `COMMUNITY`, a window, now. Out: `PoolOverview`, `Totals`.
Guarantee: reads memory alone, hence works while the store is down; a model that the census does not
show is named nowhere, neither with its release nor with its statistics; nothing moves more often
than every five minutes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from heatpool_contract.community import WINDOW_DAYS
from heatpool_contract.overview import (
    Freshness,
    GrowthDay,
    HomesOfModel,
    HomesPerModel,
    ModelStatistics,
    PoolOverview,
    Release,
    Releases,
    Statement,
    Statistics,
    Totals,
)
from heatpool_contract.registry import DAY_MS
from heatpool_modelhub.census import shown_homes
from heatpool_modelhub.eligibility import suffices
from heatpool_modelhub.replies import coarse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from heatpool_contract.census import Census
    from heatpool_contract.overview import Fresh
    from heatpool_contract.pages import Language
    from heatpool_contract.release import ReleasePointer
    from heatpool_modelhub.community import Community
    from heatpool_modelhub.hub import Hub

STEP_S: Final = 300
MODELS_MAX: Final = 100  # the largest; about 150 KB with all their statistics
COLLECTED: Final = ("readings", "model", "version", "id", "keys")
NOT_COLLECTED: Final = ("address", "name", "place", "text", "account", "tracking")
_DAY_S: Final = DAY_MS // 1000
_AGES: Final[tuple[tuple[int, Fresh], ...]] = (
    (3600, "hour"),
    (_DAY_S, "day"),
    (7 * _DAY_S, "week"),
)


class Overviews:
    """Makes overviews from the hub's memory."""

    def __init__(
        self,
        hub: Hub,
        community: Community,
        homes_min: int,
        words: Mapping[Language, dict[str, str]],
    ) -> None:
        """`words` are the catalogues by language."""
        self._hub = hub
        self._community = community
        self._homes_min = homes_min
        self._statements = [
            [
                Statement(code=code, text=words["en"][key], text_de=words["de"][key])
                for code in codes
                for key in (f"public.{kind}.{code}",)
            ]
            for kind, codes in (("collected", COLLECTED), ("not_collected", NOT_COLLECTED))
        ]

    def totals(self, now_s: float) -> Totals:
        """What there is.

        Raises:
            RefusedError: `bus_unavailable`, the registry was not read yet.
        """
        return self._totals(len(self._hub.pool_status(now_s).models_available))

    def overview(self, window: str, now_s: float) -> PoolOverview:
        """Everything, as of now.

        Raises:
            RefusedError: `bus_unavailable`.
        """
        hub, census = self._hub, self._community.census
        status = hub.pool_status(now_s)
        pointers = [one for one in hub.releases.visible() if one.current.expires_ms > now_s * 1000]
        names = {one.model: one.name for one in pointers}
        homes = _homes(census, names, self._homes_min)
        statistics, newest_day = self._statistics(homes, window)
        collected, not_collected = self._statements
        return PoolOverview(
            totals=self._totals(len(status.models_available)),
            message=status.message,
            message_de=status.message_de,
            growth=[
                GrowthDay(timestamp=_end_s(one.day), homes=one.homes, data_points=one.points)
                for one in census.days
            ],
            homes_per_model=homes,
            releases=_releases(pointers, {one.model for one in homes.models}, now_s),
            freshness=self._freshness(census, newest_day, now_s),
            statistics=statistics,
            collected=collected,
            not_collected=not_collected,
            timestamp=now_s,
        )

    def _totals(self, models: int) -> Totals:
        pool, policy = self._hub.registry.pool(None), self._hub.policy
        return Totals(
            homes=pool.installations,
            homes_required=policy.installations_min,
            data_points=coarse(pool.samples),
            data_points_required=policy.data_points_min,
            models=models,
            data_sufficient=suffices(pool, policy),
        )

    def _statistics(self, homes: HomesPerModel, window: str) -> tuple[Statistics, int | None]:
        models, days = [], []
        for one in homes.models:
            metrics, newest = self._community.shown(one.model, window)
            if newest is not None:
                models.append(ModelStatistics(model=one.model, name=one.name, metrics=metrics))
                days.append(newest)
        shown = Statistics(
            window=window, windows=list(WINDOW_DAYS), homes_min=self._homes_min, models=models
        )
        return shown, max(days, default=None)

    def _freshness(self, census: Census, newest_day: int | None, now_s: float) -> Freshness:
        newest: Fresh = "unknown"
        within: int | None = None
        registry = self._hub.registry
        if registry.pool(None).installations >= self._homes_min:
            newest, within = _age(now_s - registry.newest_ms / 1000)
        return Freshness(
            newest=newest,
            newest_age_s_max=within,
            counted=_end_s(census.days[-1].day) if census.days else None,
            statistics=None if newest_day is None else _end_s(newest_day),
        )


def _age(age_s: float) -> tuple[Fresh, int | None]:
    for limit_s, word in _AGES:
        if age_s < limit_s:
            return word, limit_s
    return "older", None


def _homes(census: Census, names: Mapping[str, str], homes_min: int) -> HomesPerModel:
    shown = sorted(
        (one for one in census.models if one.is_shown), key=lambda one: (-one.homes, one.model)
    )
    rest = sum(one.homes for one in shown[MODELS_MAX:])
    models = [
        HomesOfModel(
            model=one.model, name=names.get(one.model, one.model), homes=shown_homes(one.homes)
        )
        for one in shown[:MODELS_MAX]
    ]
    return HomesPerModel(
        homes_min=homes_min, models=models, others=shown_homes(census.others + rest)
    )


def _releases(pointers: list[ReleasePointer], named: set[str], now_s: float) -> Releases:
    models = [
        Release(
            model=one.model,
            name=one.name,
            version=one.current.version,
            state=one.current.state if one.canary_share >= 1 else "trial",
            created=one.current.created_ms / 1000,
            age_days=max(0, int(now_s - one.current.created_ms / 1000) // _DAY_S),
        )
        for one in pointers
        if one.model in named
    ]
    return Releases(models=models, others=len(pointers) - len(models))


def _end_s(day: int) -> float:
    return float((day + 1) * _DAY_S)
