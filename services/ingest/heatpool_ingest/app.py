"""The HTTP side of the edge: routes, and the one table from error to answer.

In: requests of loggers. Out: `SubmitAnswer` or a problem document with a stable code. Guarantee:
no input leads to a 500; nothing of a body, an id or a token is logged; the log line of a request
has the masked address, and therefore never the installation.
"""

from __future__ import annotations

import hmac
import time
from typing import TYPE_CHECKING, Final

import msgspec
from litestar import Litestar, Request, Response, get, post
from litestar.exceptions import ClientException, HTTPException
from litestar.status_codes import HTTP_200_OK

from heatpool_chassis.addresses import masked
from heatpool_contract.answers import MEDIA_PROBLEM, SubmitAnswer, problem
from heatpool_contract.refusals import Refusal
from heatpool_contract.telemetry import BODY_BYTES_MAX
from heatpool_ingest.admission import RequestRefusedError
from heatpool_ingest.inflate import ENCODINGS
from heatpool_ingest.preparation import Prepared, prepare
from heatpool_ingest.publishing import PublishUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from litestar.datastructures import State
    from structlog.stdlib import BoundLogger

    from heatpool_chassis.lifecycle import Lifecycle
    from heatpool_chassis.metrics import IngestMetrics
    from heatpool_contract.answers import Tally
    from heatpool_ingest.publishing import Publisher, Stored
    from heatpool_ingest.settings import Settings

SUBMIT_PATH: Final = "/api/v1/submit"
RETRY_AFTER_S: Final = 5
_JSON: Final = "application/json"
_STATUS_CODES: Final = {
    404: Refusal.NOT_FOUND,
    405: Refusal.METHOD_NOT_ALLOWED,
    413: Refusal.BODY_TOO_LARGE,
}
_BEARER: Final = "bearer "


class Edge:
    """One running edge: what the routes share."""

    def __init__(
        self,
        settings: Settings,
        life: Lifecycle,
        metrics: IngestMetrics,
        publisher: Publisher,
        log: BoundLogger,
    ) -> None:
        self.life = life
        self.metrics = metrics
        self.log = log
        self._publisher = publisher
        self._tokens = [token.encode() for token in settings.tokens]
        self._pseudonym_key = settings.pseudonym_key.encode()

    def authorise(self, authorization: str | None) -> None:
        """Raise unless the header carries a valid token. Takes the same time for all of them."""
        if not authorization or not authorization.lower().startswith(_BEARER):
            raise RequestRefusedError(Refusal.TOKEN_MISSING)
        given = authorization[len(_BEARER) :].strip().encode("utf-8", "surrogateescape")
        if not given:
            raise RequestRefusedError(Refusal.TOKEN_MISSING)
        if not any([hmac.compare_digest(given, token) for token in self._tokens]):  # noqa: C419 - all of them, always
            raise RequestRefusedError(Refusal.TOKEN_WRONG)

    async def submit(self, request: Request[object, object, State]) -> SubmitAnswer:
        """The whole way of one submission."""
        self.authorise(request.headers.get("authorization"))
        encoding = request.headers.get("content-encoding", "").strip().lower()
        if encoding not in ENCODINGS:
            raise RequestRefusedError(Refusal.ENCODING_UNSUPPORTED)
        if self.life.stopping.is_set():
            raise RequestRefusedError(Refusal.STOPPING)
        body = await _read(request)
        with self.metrics.stage_seconds.labels("prepare").time():
            prepared = prepare(body, encoding, time.time(), self._pseudonym_key)
        self.metrics.body_bytes.observe(prepared.body_bytes)
        stored: Stored | None = None
        if prepared.payloads:
            with self.metrics.stage_seconds.labels("publish").time():
                stored = await self._publisher.publish(prepared)
        self._count(prepared, stored)
        return _answer(prepared, stored)

    def _count(self, prepared: Prepared, stored: Stored | None) -> None:
        outcome = "duplicate" if stored and stored.duplicate else "accepted"
        self.metrics.records.labels(outcome).inc(prepared.records)
        self.metrics.samples.labels(outcome).inc(prepared.samples)
        for tally in prepared.rejections:
            self.metrics.records.labels(tally.reason).inc(tally.count)
        for tally in prepared.values_dropped:
            self.metrics.samples.labels(tally.reason).inc(tally.count)


async def _read(request: Request[object, object, State]) -> bytes:
    """The body as sent, never more of it than a body may have."""
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > BODY_BYTES_MAX:
            raise RequestRefusedError(Refusal.BODY_TOO_LARGE, limit=BODY_BYTES_MAX)
        parts.append(part)
    return b"".join(parts)


def _answer(prepared: Prepared, stored: Stored | None) -> SubmitAnswer:
    return SubmitAnswer(
        processed=prepared.records,
        rejected=_sum(prepared.rejections),
        rejections=prepared.rejections,
        values_dropped=prepared.values_dropped,
        samples=prepared.samples,
        duplicate=stored.duplicate if stored else False,
        receipt=f"{stored.seq_first}-{stored.seq_last}" if stored else None,
    )


def _sum(tallies: Iterable[Tally]) -> int:
    return sum(tally.count for tally in tallies)


def create_app(edge: Edge) -> Litestar:
    """The edge as ASGI application."""

    @post(SUBMIT_PATH, status_code=HTTP_200_OK, media_type=_JSON, request_max_body_size=None)
    async def submit(request: Request[object, object, State]) -> Response[bytes]:
        """Take a batch of records of one installation."""
        started = time.perf_counter()
        code, address = "ok", request.client.host if request.client else None
        try:
            answer = await edge.submit(request)
            code = "duplicate" if answer.duplicate else "ok"
            return Response(msgspec.json.encode(answer), media_type=_JSON)
        except RequestRefusedError as refused:
            code = refused.refusal
            return refuse(refused.refusal, detail=refused.detail, limit=refused.limit)
        except PublishUnavailableError as error:
            code = Refusal.BUS_UNAVAILABLE
            edge.log.warning("publish_failed", reason=str(error))
            return refuse(Refusal.BUS_UNAVAILABLE)
        except ClientException:  # the logger hung up in the middle of its body
            code = Refusal.BAD_REQUEST
            return refuse(Refusal.BAD_REQUEST)
        finally:
            edge.metrics.requests.labels(SUBMIT_PATH, code).inc()
            took_ms = round((time.perf_counter() - started) * 1000, 1)
            edge.log.info("submit", code=code, address=masked(address), took_ms=took_ms)

    @get("/health", media_type=_JSON)
    async def health() -> Response[bytes]:
        status, body = edge.life.health(readiness=False)
        return Response(msgspec.json.encode(body), status_code=status, media_type=_JSON)

    @get("/health/ready", media_type=_JSON)
    async def ready() -> Response[bytes]:
        status, body = edge.life.health(readiness=True)
        return Response(msgspec.json.encode(body), status_code=status, media_type=_JSON)

    def on_http_error(
        _request: Request[object, object, State], error: HTTPException
    ) -> Response[bytes]:
        return refuse(_STATUS_CODES.get(error.status_code, Refusal.BAD_REQUEST))

    return Litestar(
        route_handlers=[submit, health, ready],
        exception_handlers={HTTPException: on_http_error},
        openapi_config=None,
        logging_config=None,
    )


def refuse(
    refusal: Refusal, *, detail: str | None = None, limit: int | None = None
) -> Response[bytes]:
    """The problem document of a refusal."""
    retry_after_s = (
        RETRY_AFTER_S if refusal in (Refusal.BUS_UNAVAILABLE, Refusal.STOPPING) else None
    )
    document = problem(refusal, detail=detail, limit=limit, retry_after_s=retry_after_s)
    headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}
    if refusal is Refusal.TOKEN_MISSING:
        headers["WWW-Authenticate"] = "Bearer"
    return Response(
        msgspec.json.encode(document),
        status_code=document.status,
        media_type=MEDIA_PROBLEM,
        headers=headers,
    )
