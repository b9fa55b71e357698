"""The HTTP side of the hub: routes, and the one table from error to answer.

In: requests of loggers and operators. Out: answers of `hub`, files, problem documents (RFC 9457).
Guarantee: no input leads to a 500; `HEAD` works wherever `GET` does; every answer says how long it
may be kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from litestar import HttpMethod, Litestar, Response, put, route
from litestar.exceptions import HTTPException, InternalServerException
from litestar.params import FromPath  # noqa: TC002 - Litestar reads annotations at run time
from litestar.response.base import ASGIResponse  # noqa: TC002 - Litestar reads annotations

from heatpool_contract.answers import MEDIA_PROBLEM, KeysAnswer
from heatpool_contract.grants import REGISTRATION_BYTES_MAX, RegistrationRequest, read_registration
from heatpool_contract.refusals import Refusal
from heatpool_contract.rejects import Reject, SealRefused
from heatpool_modelhub.access import note_code, observed
from heatpool_modelhub.answering import (
    NO_STORE,
    RefusedError,
    Reply,
    answer,
    json,
    refuse,
)
from heatpool_modelhub.asking import (
    Asked,
    Ports,
    address_of,
    installation_of,
    signer_of,
)
from heatpool_modelhub.parameters import parse
from heatpool_modelhub.ranges import Part, Unsatisfiable, Whole, is_known, select

if TYPE_CHECKING:
    from litestar.handlers import HTTPRouteHandler
    from structlog.stdlib import BoundLogger
    from uvicorn._types import ASGI3Application

    from heatpool_chassis.metrics import ModelhubMetrics
    from heatpool_contract.identity import InstallationId
    from heatpool_modelhub.hub import Download, Hub

POOL_CACHE: Final = "public, max-age=60"  # the figures move slowly, and dashboards poll
TRUST_CACHE: Final = "public, max-age=86400, immutable"
FILE_CACHE: Final = b"private, no-cache, no-transform"
_READ: Final = [HttpMethod.GET, HttpMethod.HEAD]
_STATUS_CODES: Final = {
    404: Refusal.NOT_FOUND,
    405: Refusal.METHOD_NOT_ALLOWED,
    413: Refusal.BODY_TOO_LARGE,
}
_BUG: Final = (
    b'{"type":"about:blank","title":"internal error","status":500,'
    b'"detail":"This is our fault and was recorded.",'
    b'"detail_de":"Das ist unser Fehler und wurde aufgezeichnet."}'
)
_PROOFS: Final = frozenset({Reject.KEY_PROOF})


def create_app(
    hub: Hub,
    ports: Ports,
    more: list[HTTPRouteHandler],
    metrics: ModelhubMetrics,
    log: BoundLogger,
) -> ASGI3Application:
    """The hub as ASGI application; `more` are the routes of other modules."""

    def on_bug(_request: Asked, error: Exception) -> Response[bytes]:
        log.error("bug", exc_info=error)
        return Response(
            _BUG, status_code=500, media_type=MEDIA_PROBLEM, headers={"cache-control": NO_STORE}
        )

    app = Litestar(
        before_request=ports.visit,
        route_handlers=[*_logger_routes(hub, ports), *_other_routes(hub, ports), *more],
        exception_handlers={RefusedError: _on_refused, HTTPException: _on_http, 500: on_bug},
        openapi_config=None,
        logging_config=None,
        request_max_body_size=2 * REGISTRATION_BYTES_MAX,
    )
    # Litestar and uvicorn describe the same ASGI with different types.
    return observed(cast("ASGI3Application", app), metrics, log)


def _logger_routes(hub: Hub, ports: Ports) -> list[HTTPRouteHandler]:
    @route("/api/v1/model/check", http_method=_READ)
    async def check(request: Asked) -> ASGIResponse:
        """May this installation have the model, is there a newer one, and its key."""
        if "authorization" in request.headers:  # loggers may send it; wrong is wrong
            ports.loggers.require(request.headers["authorization"])
        asked = parse(request.scope["query_string"])
        signer = await signer_of(request, asked.installation, hub, ports)
        return answer(hub.check(asked, signer, ports.clock()))

    @route("/api/v1/model/download", http_method=_READ)
    async def download(request: Asked) -> ASGIResponse:
        """The sealed file."""
        ports.loggers.require(request.headers.get("authorization"))
        asked = parse(request.scope["query_string"])
        signer = await signer_of(request, asked.installation, hub, ports)
        return _file(request, await hub.download(asked, signer, ports.clock()))

    @put("/api/v1/installations/{installation:str}/keys")
    async def keys(request: Asked, installation: FromPath[str]) -> ASGIResponse:
        """Register the public keys of an installation."""
        ports.loggers.require(request.headers.get("authorization"))
        known = installation_of(installation)
        ports.limits.register(address_of(request), ports.clock())
        try:
            body = await request.body()
        except InternalServerException as error:  # Litestar's name for a client that hung up
            raise RefusedError(Refusal.BAD_REQUEST) from error
        wanted = _registration(body, known)
        now_ms = int(ports.clock() * 1000)
        status = await ports.bind(hub.pseudonym(known), wanted, now_ms)
        return answer(KeysAnswer(status=status), 201 if status == "bound" else 200)

    return [check, download, keys]


def _other_routes(hub: Hub, ports: Ports) -> list[HTTPRouteHandler]:
    @route("/api/v1/pool/status", http_method=_READ)
    async def pool_status() -> ASGIResponse:
        """How far the pool is; public."""
        return answer(hub.pool_status(ports.clock()), cache=POOL_CACHE)

    @route("/api/v1/trust/{version:int}", http_method=_READ)
    async def trust(version: FromPath[int]) -> ASGIResponse:
        """The signed trust file of a version: one that exists never changes."""
        found = ports.trust.find(version)
        if found is None:
            raise RefusedError(Refusal.NOT_FOUND)
        return json(found, 200, TRUST_CACHE)

    @route("/api/v1/models", http_method=_READ)
    async def models(request: Asked) -> ASGIResponse:
        """All releases, for operators."""
        ports.operators.require(request.headers.get("authorization"))
        return answer(hub.models())

    @route("/api/v1/status", http_method=_READ)
    async def status(request: Asked) -> ASGIResponse:
        """Figures, for operators."""
        ports.operators.require(request.headers.get("authorization"))
        return answer(hub.status(ports.clock()))

    @route("/health", http_method=_READ)
    async def health() -> ASGIResponse:
        """Whether the process runs."""
        code, body = hub.life.health(readiness=False)
        return answer(body, code)

    @route("/health/ready", http_method=_READ)
    async def ready() -> ASGIResponse:
        """Whether requests may come."""
        code, body = hub.life.health(readiness=True)
        return answer(body, code)

    return [pool_status, trust, models, status, health, ready]


def _file(request: Asked, download: Download) -> ASGIResponse:
    """RFC 9110: the condition first, then the range; a range is for `GET` alone."""
    release, size = download.release, len(download.data)
    etag = f'"{release.model_hash}"'
    headers = [(b"etag", etag.encode()), (b"cache-control", FILE_CACHE)]
    if is_known(request.headers.get("if-none-match"), etag):
        return Reply(304, headers, b"")
    wanted = request.headers.get("range") if request.method == HttpMethod.GET else None
    match select(wanted, request.headers.get("if-range"), etag, size):
        case Whole():
            start, stop, status = 0, size, 200
        case Part(start, stop):
            status = 206
            headers.append((b"content-range", b"bytes %d-%d/%d" % (start, stop - 1, size)))
        case Unsatisfiable():
            raise RefusedError(
                Refusal.RANGE_NOT_SATISFIABLE, headers={"content-range": f"bytes */{size}"}
            )
    headers += [
        (b"content-type", b"application/octet-stream"),
        (b"accept-ranges", b"bytes"),
        (b"content-length", b"%d" % (stop - start)),
        (
            b"content-disposition",
            f'attachment; filename="{download.model}-{release.seq}.hpm"'.encode(),
        ),
        (b"x-model-hash", release.model_hash.encode()),
        (b"x-model-name", download.name.encode()),
    ]
    return Reply(status, headers, memoryview(download.data)[start:stop])


def _registration(body: bytes, installation: InstallationId) -> RegistrationRequest:
    try:
        return read_registration(body, installation)
    except RecursionError as error:
        raise RefusedError(Refusal.KEY_INVALID, "the body is nested too deeply") from error
    except SealRefused as refused:
        if refused.code in _PROOFS:
            raise RefusedError(Refusal.KEY_PROOF_INVALID) from refused
        raise RefusedError(Refusal.KEY_INVALID, f"not taken: {refused}") from refused


def _on_refused(request: Asked, error: RefusedError) -> Response[bytes]:
    note_code(request.scope, error.refusal)
    return refuse(error)


def _on_http(request: Asked, error: HTTPException) -> Response[bytes]:
    """What Litestar itself refuses: paths, methods, sizes, bodies that end too early."""
    refusal = _STATUS_CODES.get(error.status_code, Refusal.BAD_REQUEST)
    limit = 2 * REGISTRATION_BYTES_MAX if refusal is Refusal.BODY_TOO_LARGE else None
    return _on_refused(
        request,
        RefusedError(
            refusal,
            detail=f"The body is larger than {limit} bytes." if limit else None,
            detail_de=f"Der Inhalt ist größer als {limit} Bytes." if limit else None,
            limit=limit,
            headers=error.headers,
        ),
    )
