"""What every route needs: ports, and who asks how often.

In: a Litestar request. Out: the key that signed it. Guarantee: tokens, signatures and limits are
asked for in one place and in one order.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import msgspec
from litestar import Request
from litestar.datastructures import State

from heatpool_contract import identity, requests
from heatpool_contract.refusals import Refusal
from heatpool_modelhub.answering import RefusedError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from heatpool_contract.grants import RegistrationRequest
    from heatpool_contract.identity import InstallationId, Pseudonym
    from heatpool_modelhub.binding import Bound
    from heatpool_modelhub.hub import Hub
    from heatpool_modelhub.limits import Limits
    from heatpool_modelhub.tokens import Tokens
    from heatpool_modelhub.trust_files import TrustFiles

Asked = Request[object, object, State]
_API: Final = b"/api/"
_UNLIMITED: Final = ("/health", "/health/ready")  # asked by machines of the operator


class Ports:
    """What the routes need beside the hub: who may ask how often, the clock, the writer of keys."""

    def __init__(
        self,
        loggers: Tokens,
        operators: Tokens,
        limits: Limits,
        clock: Callable[[], float],
        bind: Callable[[Pseudonym, RegistrationRequest, int], Awaitable[Bound]],
        trust: TrustFiles,
    ) -> None:
        self.loggers = loggers
        self.operators = operators
        self.limits = limits
        self.clock = clock
        self.bind = bind
        self.trust = trust

    async def visit(self, request: Asked) -> None:
        """Charge the address of a request; async, for Litestar runs others in a thread.

        Raises:
            RefusedError: `rate_exceeded`.
        """
        if request.scope["path"] not in _UNLIMITED:
            self.limits.visit(address_of(request), self.clock())


def address_of(request: Asked) -> str | None:
    """Of the client, as the front says; for limits and never for anything that is kept."""
    client = request.client
    return client.host if client else None


async def signer_of(
    request: Asked, installation: InstallationId, hub: Hub, ports: Ports
) -> bytes | None:
    """The key that signed the request, if one did; charges the installation.

    Raises:
        RefusedError: `signature_*`, `rate_exceeded`.
    """
    return identify(await arrival(request), installation, hub, ports)


async def arrival(request: Asked) -> Arrived:
    """The request, with its body unless it can have none."""
    return Arrived(
        method=request.method,
        raw_path=request.scope.get("raw_path") or request.scope["path"].encode(),
        query=request.scope["query_string"],
        body=b"" if request.method in {"GET", "HEAD"} else await request.body(),
        headers=request.headers,
        address=address_of(request),
    )


class Arrived(msgspec.Struct, frozen=True, kw_only=True):
    """A request without its framework. Names of `headers` are in lower case."""

    method: str
    raw_path: bytes
    query: bytes
    body: bytes = b""
    headers: Mapping[str, str]
    address: str | None


def identify(
    arrived: Arrived, installation: InstallationId, hub: Hub, ports: Ports
) -> bytes | None:
    """See `signer_of`.

    Raises:
        RefusedError: `signature_*`, `rate_exceeded`.
    """
    now_s = ports.clock()
    signed = requests.Asked(
        method=arrived.method,
        path=arrived.raw_path[max(arrived.raw_path.find(_API), 0) :].decode("latin-1"),
        query=arrived.query,
        body=arrived.body,
        installation=installation,
    )
    signer = hub.signatures.signer(arrived.headers, signed, now_s)
    name = hub.pseudonym(installation)
    is_own = hub.signatures.owns(signer, installation, hub.registry.find(name))
    ports.limits.ask(name, arrived.address, now_s, is_own=is_own)
    return signer


def installation_of(text: str) -> InstallationId:
    """The id in a path.

    Raises:
        RefusedError: `installation_id_invalid`.
    """
    known = identity.installation_id(text)
    if known is None:
        raise RefusedError(Refusal.INSTALLATION_ID_INVALID)
    return known
