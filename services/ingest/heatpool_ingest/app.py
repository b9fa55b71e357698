"""The HTTP side of the edge: routes, and the one table from error to answer.

In: requests of loggers. Out: `SubmitAnswer`, `ReceiptAnswer` or a problem document with a stable
code. Guarantee: no input leads to a 500; nothing of a body, an id or a token is logged; the log
line of a request has the masked address, and therefore never the installation.
"""

from __future__ import annotations

import math
import random
import time
from typing import TYPE_CHECKING, Final

import msgspec
from litestar import Litestar, Request, Response, get, post
from litestar.datastructures import State
from litestar.exceptions import ClientException, HTTPException
from litestar.status_codes import HTTP_200_OK

from heatpool_chassis.addresses import masked
from heatpool_contract.answers import MEDIA_PROBLEM, problem
from heatpool_contract.refusals import Refusal
from heatpool_ingest import documentation
from heatpool_ingest.admission import RequestRefusedError
from heatpool_ingest.edge import Arrival
from heatpool_ingest.lanes import LaneFullError
from heatpool_ingest.pressure import attempt_of, retry_after_s
from heatpool_ingest.publishing import PublishUnavailableError
from heatpool_ingest.workers import WorkerLostError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from structlog.stdlib import BoundLogger

    from heatpool_ingest.edge import Edge, Outcome

SUBMIT_PATH: Final = "/api/v1/submit"
RECEIPT_PATH: Final = "/api/v1/receipt/{receipt:str}"
RETRY_ATTEMPT: Final = "retry-attempt"
_JSON: Final = "application/json"
_STATUS_CODES: Final = {
    404: Refusal.NOT_FOUND,
    405: Refusal.METHOD_NOT_ALLOWED,
    413: Refusal.BODY_TOO_LARGE,
}
_COME_AGAIN: Final = frozenset(
    {
        Refusal.BUS_UNAVAILABLE,
        Refusal.OVERLOADED,
        Refusal.QUOTA_EXCEEDED,
        Refusal.STOPPING,
        Refusal.TOKEN_ATTEMPTS_TOO_MANY,
    }
)
_LENGTH_DIGITS_MAX: Final = 18

AnyRequest = Request[object, object, State]


def create_app(edge: Edge, log: BoundLogger) -> Litestar:
    """The edge as ASGI application."""

    @post(SUBMIT_PATH, status_code=HTTP_200_OK, media_type=_JSON, request_max_body_size=None)
    async def submit(request: AnyRequest) -> Response[bytes]:
        """Take a batch of records of one installation."""
        started = time.perf_counter()
        code, outcome, arrival = "ok", None, _arrival(request)
        try:
            outcome = await edge.submit(arrival)
            code = "duplicate" if outcome.answer.duplicate else "ok"
            return Response(msgspec.json.encode(outcome.answer), media_type=_JSON)
        except (
            RequestRefusedError,
            PublishUnavailableError,
            LaneFullError,
            WorkerLostError,
            ClientException,
        ) as error:
            refused = refusal_of(error)
            code = refused.refusal
            if isinstance(error, PublishUnavailableError | WorkerLostError):
                log.warning("not_stored", kind=type(error).__name__, reason=str(error))
            return refuse(refused, arrival.headers)
        finally:
            took_s = time.perf_counter() - started
            lane = arrival.lane.name.lower()
            edge.metrics.requests.labels(SUBMIT_PATH, code).inc()
            edge.metrics.request_seconds.labels(SUBMIT_PATH, lane).observe(took_s)
            log.info(
                "submit",
                code=code,
                address=masked(arrival.address),
                lane=lane,
                took_ms=round(took_s * 1000, 1),
                **_counts(outcome),
            )

    @get(RECEIPT_PATH, media_type=_JSON)
    async def receipt(request: AnyRequest) -> Response[bytes]:
        """What became of a submission."""
        code, arrival = "ok", _arrival(request)
        try:
            edge.authorise(arrival.headers.get("authorization"), arrival.address)
            answer = edge.receipt(str(request.path_params["receipt"]))
            return Response(msgspec.json.encode(answer), media_type=_JSON)
        except RequestRefusedError as refused:
            code = refused.refusal
            return refuse(refused, arrival.headers)
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
        return refuse(RequestRefusedError(code), request.headers)

    return Litestar(
        route_handlers=[submit, receipt, health, ready, *documentation.routes()],
        exception_handlers={HTTPException: on_http_error},
        openapi_config=None,
        logging_config=None,
    )


def refusal_of(error: Exception) -> RequestRefusedError:
    """The one table from what may go wrong to what is said of it."""
    match error:
        case RequestRefusedError():
            return error
        case PublishUnavailableError() | WorkerLostError():
            return RequestRefusedError(Refusal.BUS_UNAVAILABLE)
        case LaneFullError():
            return RequestRefusedError(Refusal.OVERLOADED)
        case _:  # the logger hung up in the middle of its body
            return RequestRefusedError(Refusal.BAD_REQUEST)


def refuse(refused: RequestRefusedError, request: Mapping[str, str]) -> Response[bytes]:
    """The problem document of a refusal, in answer to a request with these headers."""
    wait_s: int | None = None
    if refused.refusal in _COME_AGAIN:
        chance = random.random()  # noqa: S311 - spreads clients, keeps no secret
        wait_s = retry_after_s(attempt_of(request.get(RETRY_ATTEMPT)), chance)
        wait_s = max(wait_s, math.ceil((refused.retry_after_s or 0) * (1 + chance / 4)))
    document = problem(
        refused.refusal, detail=refused.detail, limit=refused.limit, retry_after_s=wait_s
    )
    headers = {} if wait_s is None else {"Retry-After": str(wait_s)}
    if refused.refusal is Refusal.TOKEN_MISSING:
        headers["WWW-Authenticate"] = "Bearer"
    return Response(
        msgspec.json.encode(document),
        status_code=document.status,
        media_type=MEDIA_PROBLEM,
        headers=headers,
    )


def _arrival(request: AnyRequest) -> Arrival:
    declared = request.headers.get("content-length", "")
    known = declared.isascii() and declared.isdigit() and len(declared) <= _LENGTH_DIGITS_MAX
    return Arrival(
        headers=request.headers,
        address=request.client.host if request.client else None,
        parts=request.stream(),
        body_bytes=int(declared) if known else None,
    )


def _counts(outcome: Outcome | None) -> dict[str, int]:
    if outcome is None:
        return {}
    answer = outcome.answer
    return {
        "records": answer.processed,
        "rejected": answer.rejected,
        "samples": answer.samples,
        "dropped": sum(tally.count for tally in answer.values_dropped),
        "bytes": outcome.body_bytes,
    }
