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

from heatpool_contract.answers import KeysAnswer
from heatpool_contract.grants import REGISTRATION_BYTES_MAX, RegistrationRequest, read_registration
from heatpool_contract.refusals import Refusal
from heatpool_contract.rejects import Reject, SealRefused
from heatpool_modelhub.access import note_code, observed
from heatpool_modelhub.answering import (
    RefusedError,
    answer,
    json,
    refuse,
)
from heatpool_modelhub.asking import (
    Asked,
    Ports,
    address_of,
    arrival,
    installation_of,
    signer_of,
)
from heatpool_modelhub.downloads import PATH, Downloads
from heatpool_modelhub.parameters import parse

if TYPE_CHECKING:
    from litestar.handlers import HTTPRouteHandler
    from structlog.stdlib import BoundLogger
    from uvicorn._types import ASGI3Application

    from heatpool_chassis.metrics import ModelhubMetrics
    from heatpool_contract.identity import InstallationId
    from heatpool_modelhub.hub import Hub

POOL_CACHE: Final = "public, max-age=60"  # the figures move slowly, and dashboards poll
TRUST_CACHE: Final = "public, max-age=86400, immutable"
_READ: Final = [HttpMethod.GET, HttpMethod.HEAD]
_STATUS_CODES: Final = {
    404: Refusal.NOT_FOUND,
    405: Refusal.METHOD_NOT_ALLOWED,
    413: Refusal.BODY_TOO_LARGE,
}
_PROOFS: Final = frozenset({Reject.KEY_PROOF})


def create_app(
    hub: Hub,
    ports: Ports,
    more: list[HTTPRouteHandler],
    metrics: ModelhubMetrics,
    log: BoundLogger,
) -> ASGI3Application:
    """The hub as ASGI application; `more` are the routes of other modules."""
    downloads = Downloads(hub, ports)
    app = Litestar(
        before_request=ports.visit,
        route_handlers=[*_logger_routes(hub, ports, downloads), *_other_routes(hub, ports), *more],
        exception_handlers={RefusedError: _on_refused, HTTPException: _on_http, 500: _on_bug},
        openapi_config=None,
        logging_config=None,
        request_max_body_size=2 * REGISTRATION_BYTES_MAX,
    )
    # Litestar and uvicorn describe the same ASGI with different types.
    return observed(downloads.before(cast("ASGI3Application", app)), metrics, log)


def _logger_routes(hub: Hub, ports: Ports, downloads: Downloads) -> list[HTTPRouteHandler]:
    @route("/api/v1/model/check", http_method=_READ)
    async def check(request: Asked) -> ASGIResponse:
        """May this installation have the model, is there a newer one, and its key."""
        if "authorization" in request.headers:  # loggers may send it; wrong is wrong
            ports.loggers.require(request.headers["authorization"])
        asked = parse(request.scope["query_string"])
        signer = await signer_of(request, asked.installation, hub, ports)
        return answer(hub.check(asked, signer, ports.clock()))

    @route(PATH, http_method=_READ)
    async def download(request: Asked) -> ASGIResponse:
        """The sealed file, for who ends the path with a slash; the others never come here."""
        return await downloads.fetch(await arrival(request))

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


def _on_bug(_request: Asked, error: Exception) -> Response[bytes]:
    raise error  # `access` answers


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
