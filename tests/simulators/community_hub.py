"""The simulated hub with what a pool says about many homes, and gives back of one."""

from __future__ import annotations

from typing import Final

from simulators.hub import Hub, Reply, Seen, json, refusal
from simulators.publisher import MODEL, NOW_S

from heatpool_contract.answers import (
    AverageAnswer,
    AveragesAnswer,
    PoolStatus,
    RankingAnswer,
)
from heatpool_contract.refusals import Refusal

EXPORT: Final = b"timestamp,cop_current\n1795219200,3.5\n"


def _average(unit: str, *five: float) -> AverageAnswer:
    low, p25, median, p75, high = five
    return AverageAnswer(
        unit=unit, n=25, avg=median, min=low, p25=p25, median=median, p75=p75, max=high
    )


class CommunityHub(Hub):
    """Knows 25 homes. `few`: so few that it says nothing of them."""

    few = False

    def answer(self, seen: Seen) -> Reply:
        """Statistics and export, else as a hub."""
        routes = {
            "/api/v1/community/averages": self._averages,
            "/api/v1/community/ranking": self._ranking,
            "/api/v1/pool/status": self._pool,
        }
        if self.scripted or (seen.path not in routes and not seen.path.endswith("/export")):
            return super().answer(seen)
        self.requests.append(seen)
        if seen.path.endswith("/export"):
            return Reply(200, EXPORT, {"content-type": "text/csv"})
        if self.few and seen.path != "/api/v1/pool/status":
            return refusal(Refusal.STATISTICS_SUPPRESSED)
        return routes[seen.path](seen)

    def _averages(self, seen: Seen) -> Reply:
        return json(
            AveragesAnswer(
                model=MODEL,
                window=seen.query["window"],
                metrics={
                    "cop": _average("", 2.9, 3.6, 4.1, 4.5, 5.2),
                    "temp_flow": _average("°C", 28.0, 33.5, 36.0, 39.5, 48.0),
                    "temp_outdoor": _average("°C", -1.0, 3.5, 5.5, 7.0, 11.0),
                },
                suppressed=["temp_dhw"],
                timestamp=NOW_S - 3600.0,
            )
        )

    def _ranking(self, seen: Seen) -> Reply:
        return json(
            RankingAnswer(
                model=MODEL,
                window=seen.query["window"],
                cop=4.4,
                percentile=75,
                n=25,
                badge="silver",
                text="Better than 75 % of at least 25 homes.",
                text_de="Besser als 75 % von mindestens 25 Häusern.",
                timestamp=NOW_S - 3600.0,
            )
        )

    def _pool(self, _seen: Seen) -> Reply:
        return json(
            PoolStatus(
                total_installations=52,
                total_data_points=84_000_000,
                models_available=[MODEL],
                data_sufficient=True,
                message="Enough data.",
                message_de="Genug Daten.",
                timestamp=float(NOW_S),
            )
        )
