"""Around every request: its log line, its metrics, the headers that all answers have.

In: an ASGI application. Out: one that is observed. Guarantee: the log line has route template,
code, time and masked address, hence never an installation or a query; a request for the headers
alone gets no body; a WebSocket gets no connection; a bug of ours is logged, counted and said.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from heatpool_chassis.addresses import masked
from heatpool_contract.answers import MEDIA_PROBLEM

if TYPE_CHECKING:
    from litestar.types import Scope as LitestarScope
    from prometheus_client import Counter, Histogram
    from structlog.stdlib import BoundLogger
    from uvicorn._types import (
        ASGI3Application,
        ASGIReceiveCallable,
        ASGISendCallable,
        ASGISendEvent,
        HTTPScope,
        Scope,
    )

    from heatpool_chassis.metrics import ModelhubMetrics

UNMATCHED: Final = "unmatched"
_QUIET: Final = frozenset({"/health", "/health/ready"})  # asked every few seconds by machines
_BUG: Final = (
    b'{"type":"about:blank","title":"internal error","status":500,'
    b'"detail":"This is our fault and was recorded.",'
    b'"detail_de":"Das ist unser Fehler und wurde aufgezeichnet."}'
)
_CODES: Final = {206: "partial", 304: "not_modified"}


def note_code(scope: LitestarScope, code: str) -> None:
    """Say under which code the request of `scope` is counted."""
    scope["state"]["code"] = code


def observed(app: ASGI3Application, metrics: ModelhubMetrics, log: BoundLogger) -> ASGI3Application:
    """`app` with log, metrics and common headers."""
    counted = Counted(metrics)

    async def serve(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000, "reason": None})
        elif scope["type"] == "http":
            sending = _Sending(send, headers_only=scope["method"] == "HEAD")
            scope["state"] = {**scope.get("state", {})}
            started = time.perf_counter()
            try:
                await app(scope, receive, sending)
            except Exception:  # the hub lives on
                if sending.status:  # too late to say anything; the server cuts the connection
                    raise
                log.exception("bug")
                scope["state"]["code"] = "bug"
                await _send_bug(sending)
            finally:
                took_s = time.perf_counter() - started
                _record(scope, sending.status, took_s, counted, log)
        else:
            await app(scope, receive, send)

    return serve


class Counted:
    """Requests by route and code. What labels lead to is kept: finding it is dearer than adding.

    Routes are templates and codes are ours, hence both are few.
    """

    def __init__(self, metrics: ModelhubMetrics) -> None:
        self._metrics = metrics
        self._known: dict[tuple[str, str], tuple[Counter, Histogram]] = {}

    def add(self, route: str, code: str, took_s: float) -> None:
        """One more."""
        known = self._known.get((route, code))
        if known is None:
            seconds = self._metrics.request_seconds.labels(route)
            known = self._known[route, code] = self._metrics.requests.labels(route, code), seconds
        known[0].inc()
        known[1].observe(took_s)


class _Sending:
    """Passes messages on, with the headers that all have and without a body where none may be."""

    def __init__(self, send: ASGISendCallable, *, headers_only: bool) -> None:
        self.status = 0
        self._send = send
        self._headers_only = headers_only

    async def __call__(self, message: ASGISendEvent) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message["headers"], (b"x-content-type-options", b"nosniff")]
        elif message["type"] == "http.response.body" and self._headers_only:
            message["body"] = b""
        await self._send(message)


async def _send_bug(send: _Sending) -> None:
    headers = [
        (b"content-type", MEDIA_PROBLEM.encode()),
        (b"content-length", b"%d" % len(_BUG)),
        (b"cache-control", b"no-store"),
    ]
    await send(
        {"type": "http.response.start", "status": 500, "headers": headers, "trailers": False}
    )
    await send({"type": "http.response.body", "body": _BUG, "more_body": False})


def _record(
    scope: HTTPScope, status: int, took_s: float, counted: Counted, log: BoundLogger
) -> None:
    route = str(scope.get("path_template") or UNMATCHED)
    code = scope["state"].get("code") or _CODES.get(status, "ok" if status else "broken_off")
    counted.add(route, code, took_s)
    if route in _QUIET:
        return
    client = scope["client"]
    log.info(
        "request",
        route=route,
        code=code,
        status=status,
        took_ms=round(took_s * 1000, 1),
        address=masked(client[0] if client else None),
    )
