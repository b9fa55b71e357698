"""Routes that everybody may ask: the page, its assets, the overview behind it, badges.

In: requests without a token. Out: bytes that are made once and kept. Guarantee: an overview is
computed at most once in five minutes and window, however many ask; none of it names a home.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from litestar import HttpMethod, route
from litestar.params import FromPath  # noqa: TC002 - Litestar reads annotations at run time
from litestar.response.base import ASGIResponse  # noqa: TC002 - Litestar reads annotations

from heatpool_contract.community import WINDOW_DAYS
from heatpool_contract.pages import LANGUAGES, Language, chosen
from heatpool_contract.refusals import Refusal
from heatpool_modelhub.answering import RefusedError
from heatpool_modelhub.asking import Asked  # noqa: TC001 - Litestar reads annotations
from heatpool_modelhub.badges import FIGURES, SECONDS, badge, svg
from heatpool_modelhub.overview import STEP_S, Overviews
from heatpool_modelhub.parameters import read
from heatpool_modelhub.published import EVERYONE, Published, publish, send
from heatpool_modelhub.site import JSON, Site

if TYPE_CHECKING:
    from collections.abc import Callable

    from litestar.handlers import HTTPRouteHandler

    from heatpool_modelhub.asking import Ports

CACHE: Final = f"public, max-age={STEP_S}"
BADGE_CACHE: Final = f"public, max-age={SECONDS}"
WINDOW: Final = "7d"
SVG: Final = "image/svg+xml; charset=utf-8"
_READ: Final = [HttpMethod.GET, HttpMethod.HEAD]


class Kept:
    """Bodies of the present step of five minutes, by name."""

    def __init__(self) -> None:
        self._step = -1
        self._bodies: dict[str, Published] = {}

    def get(self, name: str, now_s: float, make: Callable[[float], Published]) -> Published:
        """The body of `name`; names are few, and fixed by the routes."""
        step = int(now_s // STEP_S)
        if step != self._step:
            self._step, self._bodies = step, {}
        if name not in self._bodies:
            self._bodies[name] = make(float(step * STEP_S))
        return self._bodies[name]


def public_routes(overviews: Overviews, site: Site, ports: Ports) -> list[HTTPRouteHandler]:
    """`/`, `/static/`, `pool/overview`, `badge/`."""
    return [*_site_routes(site), *_figure_routes(overviews, site, ports)]


def _site_routes(site: Site) -> list[HTTPRouteHandler]:
    @route("/", http_method=_READ)
    async def page(request: Asked) -> ASGIResponse:
        """The pool for people, in the browser's language or that of `?lang=`."""
        language = _language(request, request.headers.get("accept-language", ""))
        return send(request, site.html[language])

    @route("/static/{name:str}", http_method=_READ)
    async def static(request: Asked, name: FromPath[str]) -> ASGIResponse:
        """What the page is made of."""
        found = site.assets.get(name)
        if found is None:
            raise RefusedError(Refusal.NOT_FOUND)
        return send(request, found)

    return [page, static]


def _figure_routes(overviews: Overviews, site: Site, ports: Ports) -> list[HTTPRouteHandler]:
    kept = Kept()

    @route("/api/v1/pool/overview", http_method=_READ)
    async def pool_overview(request: Asked) -> ASGIResponse:
        """The pool for programs."""
        window = read(request.scope["query_string"], ("window",)).get("window") or WINDOW
        if window not in WINDOW_DAYS:
            raise RefusedError(Refusal.WINDOW_UNKNOWN)

        def make(now_s: float) -> Published:
            body = msgspec.json.encode(overviews.overview(window, now_s))
            return publish(body, JSON, CACHE, EVERYONE)

        return send(request, kept.get(window, ports.clock(), make))

    @route("/api/v1/badge/{name:str}", http_method=_READ)
    async def badges(request: Asked, name: FromPath[str]) -> ASGIResponse:
        """One figure for a README, as shields' JSON or as an image."""
        figure = next((one for one in FIGURES if name in {f"{one}.json", f"{one}.svg"}), None)
        if figure is None:
            raise RefusedError(Refusal.NOT_FOUND)
        language = _language(request, "")

        def make(now_s: float) -> Published:
            label = site.words[language][f"public.badge.{figure}"]
            shown = badge(figure, overviews.totals(now_s), label, language)
            if name.endswith(".json"):
                return publish(msgspec.json.encode(shown), JSON, BADGE_CACHE, EVERYONE)
            alone = ("content-security-policy", "default-src 'none'; sandbox")
            shared = ("cross-origin-resource-policy", "cross-origin")
            return publish(svg(shown).encode(), SVG, BADGE_CACHE, EVERYONE, alone, shared)

        return send(request, kept.get(f"{name} {language}", ports.clock(), make))

    return [pool_overview, badges]


def _language(request: Asked, accepted: str) -> Language:
    asked = read(request.scope["query_string"], ("lang",)).get("lang")
    return chosen(asked if asked in LANGUAGES else None, accepted)
