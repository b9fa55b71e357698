"""`/schema`: the API's document and a page to read it, all from this process.

In: nothing. Out: the OpenAPI document, Scalar's page and its script. Guarantee: the page loads
nothing from elsewhere, and its policy forbids it to (Content-Security-Policy).
"""

from __future__ import annotations

from importlib import metadata, resources
from typing import TYPE_CHECKING, Final

from litestar import Response, get

from heatpool_ingest import openapi

if TYPE_CHECKING:
    from litestar.handlers import HTTPRouteHandler

_SCRIPT: Final = "scalar-api-reference-1.46.4.js.gz"
"""dist/browser/standalone.js of npm's @scalar/api-reference (MIT), `gzip -9n`."""
_PAGE: Final = b"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>heatpool: the edge</title>
<meta name="viewport" content="width=device-width, initial-scale=1"></head>
<body><script id="api-reference" data-url="/schema/openapi.json"
data-configuration='{"withDefaultFonts":false,"telemetry":false}'></script>
<script src="/schema/scalar.js"></script></body></html>
"""
_POLICY: Final = (
    "default-src 'none'; script-src 'self' 'unsafe-eval'; style-src 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self' data:; connect-src 'self'"
)
_CACHE: Final = {"Cache-Control": "public, max-age=86400"}


def routes() -> list[HTTPRouteHandler]:
    """The three routes."""
    document = openapi.document(metadata.version("heatpool-ingest"))
    script = (resources.files("heatpool_ingest") / "static" / _SCRIPT).read_bytes()

    @get("/schema", media_type="text/html")
    async def page() -> Response[bytes]:
        return Response(
            _PAGE,
            media_type="text/html; charset=utf-8",
            headers={"Content-Security-Policy": _POLICY},
        )

    @get("/schema/openapi.json", media_type="application/json")
    async def schema() -> Response[bytes]:
        return Response(document, media_type="application/json", headers=_CACHE)

    @get("/schema/scalar.js", media_type="text/javascript")
    async def scalar() -> Response[bytes]:
        return Response(
            script,
            media_type="text/javascript",
            headers={"Content-Encoding": "gzip", **_CACHE},
        )

    return [page, schema, scalar]
