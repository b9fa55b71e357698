"""`Site` over HTTP, by Starlette and Uvicorn. Needs `heatpool-client[web]`.

In: a site, an address. Out: a server until SIGTERM or Ctrl-C. Guarantee: a body is read up to its
cap; the library's blocking calls run in threads, so a slow pool stops no other request; nothing of
a request is logged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from heatpool_client.faults import ClientError, Fault
from heatpool_client.web.guard import COOKIE, SESSION_S_MAX
from heatpool_client.web.routes import BODY_BYTES_MAX, Answered, Asked, Site

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp

GZIP_BYTES_MIN: Final = 512
CONNECTIONS_MAX: Final = 64  # a household and its panels
IDLE_S_MAX: Final = 10


def application(site: Site) -> ASGIApp:
    """The site as an ASGI application.

    Raises:
        ClientError: `extra_missing`.
    """
    try:
        from starlette.applications import Starlette  # noqa: PLC0415 - an extra
        from starlette.concurrency import run_in_threadpool  # noqa: PLC0415 - an extra
        from starlette.middleware import Middleware  # noqa: PLC0415 - an extra
        from starlette.middleware.gzip import GZipMiddleware  # noqa: PLC0415 - an extra
        from starlette.responses import PlainTextResponse  # noqa: PLC0415 - an extra
        from starlette.routing import Route  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ClientError(Fault.EXTRA_MISSING, "web") from error

    async def serve(request: Request) -> Response:
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > BODY_BYTES_MAX:
                return PlainTextResponse("too large", 413, headers={"connection": "close"})
        asked = Asked(
            method=request.method,
            path=request.url.path,
            query=request.url.query,
            headers={name.lower(): value for name, value in request.headers.items()},
            cookie=request.cookies.get(COOKIE),
            body=body,
        )
        return _response(await run_in_threadpool(site.answer, asked))

    methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
    return Starlette(
        routes=[Route("/{path:path}", serve, methods=methods)],
        middleware=[Middleware(GZipMiddleware, minimum_size=GZIP_BYTES_MIN)],
    )


def run(site: Site, host: str, port: int) -> None:
    """Serve until SIGTERM or Ctrl-C.

    Raises:
        ClientError: `extra_missing`.
    """
    app = application(site)
    try:
        import uvicorn  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ClientError(Fault.EXTRA_MISSING, "web") from error

    uvicorn.run(
        app,
        host=host,
        port=port,
        access_log=False,
        log_level="warning",
        server_header=False,
        proxy_headers=False,
        limit_concurrency=CONNECTIONS_MAX,
        timeout_keep_alive=IDLE_S_MAX,
        timeout_graceful_shutdown=IDLE_S_MAX,
    )


def _response(answered: Answered) -> Response:
    from starlette.responses import Response, StreamingResponse  # noqa: PLC0415 - an extra

    body = answered.body
    if isinstance(body, bytes):
        response = Response(body, answered.status, answered.headers, answered.media)
    else:
        response = StreamingResponse(body, answered.status, answered.headers, answered.media)
    if answered.session:
        response.set_cookie(
            COOKIE, answered.session, int(SESSION_S_MAX), httponly=True, samesite="strict"
        )
    elif answered.session is not None:
        response.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return response
