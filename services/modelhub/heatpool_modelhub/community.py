"""KV `COMMUNITY` -> answers about averages and about a home's place among others.

In: snapshots and their changes (`following`), a home's own daily values. Out: answers. Guarantee:
what is suppressed in the snapshot is in no answer; a home sees its own figures and a percentile,
never another home's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import msgspec

from heatpool_contract import census, community
from heatpool_contract.answers import AverageAnswer, AveragesAnswer, RankingAnswer
from heatpool_contract.census import CENSUS_KEY
from heatpool_contract.community import COP, METRICS, ROLLUP_KEY, Snapshot
from heatpool_contract.refusals import Refusal
from heatpool_contract.registry import DAY_MS
from heatpool_contract.subjects import KV_COMMUNITY
from heatpool_modelhub.answering import RefusedError
from heatpool_modelhub.census import EMPTY
from heatpool_modelhub.statistics import percentile

if TYPE_CHECKING:
    from collections.abc import Iterable

    from heatpool_chassis.metrics import ModelhubMetrics

SNAPSHOTS_MAX: Final = 100_000  # thousands of models, three windows, nine metrics
BADGES: Final[tuple[tuple[int, Literal["gold", "silver", "bronze"]], ...]] = (
    (90, "gold"),
    (75, "silver"),
    (50, "bronze"),
)


class Community:
    """A view of the bucket, see `following.View`."""

    def __init__(self, metrics: ModelhubMetrics) -> None:
        self.census = EMPTY
        """How the pool grew and which models may be named."""
        self._metrics = metrics
        self._snapshots: dict[str, Snapshot] = {}
        self._unseen: set[str] = set()

    def averages(self, model: str, metrics: tuple[str, ...], window: str) -> AveragesAnswer:
        """Statistics of a model (slug) over homes.

        Raises:
            RefusedError: `statistics_suppressed`, of all that was asked for.
        """
        shown, newest = self.shown(model, window, metrics)
        if newest is None:
            raise RefusedError(Refusal.STATISTICS_SUPPRESSED)
        return AveragesAnswer(
            model=model,
            window=window,
            metrics=shown,
            suppressed=sorted(set(metrics) - set(shown)),
            timestamp=(newest + 1) * DAY_MS / 1000,
        )

    def shown(
        self, model: str, window: str, metrics: Iterable[str] = METRICS
    ) -> tuple[dict[str, AverageAnswer], int | None]:
        """What is published of a model (slug), and the newest day in it; None: nothing is."""
        found = {name: self._find(model, window, name) for name in metrics}
        shown = {name: one for name, one in found.items() if one and one.stats}
        newest = max((one.day for one in shown.values()), default=None)
        return {name: _average(one, name) for name, one in shown.items()}, newest

    def ranking(self, model: str, window: str, own: float) -> RankingAnswer:
        """Place of a home with this COP.

        Raises:
            RefusedError: `statistics_suppressed`.
        """
        snapshot = self._find(model, window, COP)
        percent = percentile(snapshot, own) if snapshot else None
        if snapshot is None or snapshot.stats is None or percent is None:
            raise RefusedError(Refusal.STATISTICS_SUPPRESSED)
        return RankingAnswer(
            model=model,
            window=window,
            cop=round(own, METRICS[COP].decimals),
            percentile=percent,
            n=snapshot.stats.n,
            badge=next((badge for least, badge in BADGES if percent >= least), None),
            text=f"Better than {percent} % of the homes with this model.",
            text_de=f"Besser als {percent} % der Anlagen mit diesem Modell.",
            timestamp=(snapshot.day + 1) * DAY_MS / 1000,
        )

    def begin(self) -> None:
        """See `following.View`."""
        self._unseen = set(self._snapshots)

    def apply(self, key: str, value: bytes | None) -> None:
        """See `following.View`."""
        self._unseen.discard(key)
        if key == ROLLUP_KEY:
            return
        if key == CENSUS_KEY:
            self._count(value)
            return
        if value is None:
            self._snapshots.pop(key, None)
            return
        try:
            snapshot = community.decode(value)
        except community.MalformedSnapshotError:
            self._metrics.malformed.labels(KV_COMMUNITY).inc()
            return
        if key not in self._snapshots and len(self._snapshots) >= SNAPSHOTS_MAX:
            self._metrics.overflow.labels(KV_COMMUNITY).inc()
            return
        quantiles = snapshot.quantiles if snapshot.metric == COP else ()
        self._snapshots[key] = msgspec.structs.replace(snapshot, members="", quantiles=quantiles)

    def complete(self) -> None:
        """See `following.View`."""
        for key in self._unseen:
            self._snapshots.pop(key, None)
        self._unseen = set()

    def _count(self, value: bytes | None) -> None:
        try:
            self.census = EMPTY if value is None else census.decode(value)
        except census.MalformedCensusError:
            self._metrics.malformed.labels(KV_COMMUNITY).inc()

    def _find(self, model: str, window: str, metric: str) -> Snapshot | None:
        return self._snapshots.get(community.snapshot_key(model, window, metric))


def _average(snapshot: Snapshot, metric: str) -> AverageAnswer:
    stats = snapshot.stats
    assert stats is not None  # noqa: S101 - looked at by the caller
    return AverageAnswer(
        unit=METRICS[metric].unit,
        n=stats.n,
        avg=stats.avg,
        min=stats.p5,
        max=stats.p95,
        median=stats.median,
        p25=stats.p25,
        p75=stats.p75,
    )
