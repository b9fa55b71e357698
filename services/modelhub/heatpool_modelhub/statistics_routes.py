"""Routes of statistics over homes, and of a home's place among them.

In: requests with a token. Out: answers of `community`. Guarantee: a request costs one look-up, and
for the ranking three queries of one home's daily values; the own figure is shown to its owner
alone.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from litestar import HttpMethod, route
from litestar.response.base import ASGIResponse  # noqa: TC002 - Litestar reads annotations

from heatpool_chassis.victoria import StoreError
from heatpool_contract.community import COP, METRICS, WINDOW_DAYS
from heatpool_contract.refusals import Refusal
from heatpool_modelhub.answering import RefusedError, answer
from heatpool_modelhub.asking import Asked, Ports, signer_of
from heatpool_modelhub.parameters import model_of, parse, read
from heatpool_modelhub.rollup import own_cop

if TYPE_CHECKING:
    from litestar.handlers import HTTPRouteHandler

    from heatpool_chassis.victoria import Victoria
    from heatpool_modelhub.community import Community
    from heatpool_modelhub.hub import Hub

CACHE: Final = "private, max-age=3600"  # snapshots are made once a day
RETRY_AFTER_S: Final = 60
_READ: Final = [HttpMethod.GET, HttpMethod.HEAD]
_KNOWN: Final = ("model", "metrics", "window")


def statistics_routes(
    hub: Hub, ports: Ports, community: Community, store: Victoria | None
) -> list[HTTPRouteHandler]:
    """`community/averages` and `community/ranking`."""

    @route("/api/v1/community/averages", http_method=_READ)
    async def averages(request: Asked) -> ASGIResponse:
        """Statistics of one model over homes."""
        ports.loggers.require(request.headers.get("authorization"))
        given = read(request.scope["query_string"], _KNOWN)
        model = model_of(given.get("model", ""))
        if model is None:
            raise RefusedError(Refusal.MODEL_INVALID)
        metrics = tuple(dict.fromkeys((given.get("metrics") or ",".join(METRICS)).split(",")))
        if not set(metrics) <= set(METRICS):
            raise RefusedError(Refusal.METRIC_UNKNOWN)
        window = _window(given.get("window"))
        return answer(community.averages(model, metrics, window), cache=CACHE)

    @route("/api/v1/community/ranking", http_method=_READ)
    async def ranking(request: Asked) -> ASGIResponse:
        """Where an installation stands among those of its model."""
        ports.loggers.require(request.headers.get("authorization"))
        query = request.scope["query_string"]
        asked, window = parse(query), _window(read(query, ("window",)).get("window"))
        signer = await signer_of(request, asked.installation, hub, ports)
        model = hub.model_of(asked, signer, ports.clock())
        if store is None:
            raise RefusedError(Refusal.STORE_UNAVAILABLE, retry_after_s=RETRY_AFTER_S)
        queries = own_cop(model, hub.pseudonym(asked.installation), WINDOW_DAYS[window])
        try:
            answers = await asyncio.gather(*(store.query(one, ports.clock()) for one in queries))
        except StoreError as error:
            raise RefusedError(Refusal.STORE_UNAVAILABLE, retry_after_s=RETRY_AFTER_S) from error
        heat, electricity, mean = [
            [float(point.value[1]) for point in points] for points in answers
        ]
        own = heat[0] / electricity[0] if heat and electricity and electricity[0] > 0 else None
        own = mean[0] if own is None and mean else own
        if own is None or not METRICS[COP].low <= own <= METRICS[COP].high:
            raise RefusedError(Refusal.STATISTICS_SUPPRESSED)
        return answer(community.ranking(model, window, own), cache=CACHE)

    return [averages, ranking]


def _window(text: str | None) -> str:
    window = text or "7d"
    if window not in WINDOW_DAYS:
        raise RefusedError(Refusal.WINDOW_UNKNOWN)
    return window
