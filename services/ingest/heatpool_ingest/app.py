"""The HTTP side of the edge: its routes.

In: requests of loggers. Out: `SubmitAnswer` (`submitting`), `ReceiptAnswer` or a problem document
with a stable code. Guarantee: no input leads to a 500; nothing of an id or a token is logged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from litestar import Litestar, Request, Response, asgi, get
from litestar.datastructures import State
from litestar.enums import ScopeType
from litestar.exceptions import HTTPException
from litestar.types import HTTPScope, Receive, Send  # noqa: TC002 - read by the framework

from heatpool_chassis.addresses import masked
from heatpool_contract.refusals import Refusal
from heatpool_ingest import documentation
from heatpool_ingest.admission import RequestRefusedError
from heatpool_ingest.refusing import Answer, refuse
from heatpool_ingest.submitting import SUBMIT_PATH, Submit, arrival_of

if TYPE_CHECKING:
    from litestar.types import ASGIApp, Scope
    from structlog.stdlib import BoundLogger

    from heatpool_ingest.edge import Edge

RECEIPT_PATH: Final = "/api/v1/receipt/{receipt:str}"
_JSON: Final = "application/json"
_STATUS_CODES: Final = {
    404: Refusal.NOT_FOUND,
    405: Refusal.METHOD_NOT_ALLOWED,
    413: Refusal.BODY_TOO_LARGE,
}

AnyRequest = Request[object, object, State]


def create_app(edge: Edge, log: BoundLogger) -> ASGIApp:
    """The edge as ASGI application."""
    submit = Submit(edge, log)

    @asgi(SUBMIT_PATH, copy_scope=False)
    async def submit_otherwise(scope: HTTPScope, receive: Receive, send: Send) -> None:
        """The same under its other spellings, `/api/v1//submit/`."""
        await submit(scope, receive, send)

    @get(RECEIPT_PATH, media_type=_JSON)
    async def receipt(request: AnyRequest) -> Response[bytes]:
        """What became of a submission."""
        code, arrival = "ok", arrival_of(request.scope, request.receive)
        try:
            edge.authorise(arrival.headers.get("authorization"), arrival.address)
            answer = edge.receipt(str(request.path_params["receipt"]))
            return Response(msgspec.json.encode(answer), media_type=_JSON)
        except RequestRefusedError as refused:
            code = refused.refusal
            return _response(refuse(refused, arrival.headers))
        finally:
            edge.metrics.requests.labels(RECEIPT_PATH, code).inc()
            log.info("receipt", code=code, address=masked(arrival.address))

    @get("/health", media_type=_JSON)
    async def health() -> Response[bytes]:
        status, body = edge.life.health(readiness=False)
        return Response(msgspec.json.encode(body), status_code=status, media_type=_JSON)

    @get("/health/ready", media_type=_JSON)
    async def ready() -> Response[bytes]:
        status, body = edge.life.health(readiness=True)
        return Response(msgspec.json.encode(body), status_code=status, media_type=_JSON)

    def on_http_error(request: AnyRequest, error: HTTPException) -> Response[bytes]:
        code = _STATUS_CODES.get(error.status_code, Refusal.BAD_REQUEST)
        edge.metrics.requests.labels("other", code).inc()
        answer = refuse(RequestRefusedError(code), request.headers)
        if error.headers and "allow" in error.headers:
            answer = answer._replace(headers={"Allow": error.headers["allow"]})
        return _response(answer)

    routes = Litestar(
        route_handlers=[submit_otherwise, receipt, health, ready, *documentation.routes()],
        exception_handlers={HTTPException: on_http_error},
        openapi_config=None,
        logging_config=None,
    )

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        """Past the framework on the one way that thousands a second take."""
        if scope["type"] == ScopeType.HTTP and scope["path"] == SUBMIT_PATH:
            await submit(scope, receive, send)
        else:
            await routes(scope, receive, send)

    return app


def _response(answer: Answer) -> Response[bytes]:
    return Response(
        answer.body,
        status_code=answer.status,
        media_type=answer.media_type,
        headers=answer.headers,
    )
