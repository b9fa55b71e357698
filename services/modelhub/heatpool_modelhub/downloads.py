"""The file of a release, past the framework: the one route whose every microsecond counts.

In: a request for `PATH`. Out: the file, a part of it, 304, or a problem document. Guarantee: what
is asked of a request is what every other route asks (`asking`, `access`); only routing, request
objects and response building are left out (docs/decisions/0408).
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final, cast

from heatpool_contract.refusals import Refusal
from heatpool_modelhub.access import note_code
from heatpool_modelhub.answering import RefusedError, Reply, refusal
from heatpool_modelhub.asking import Arrived, identify
from heatpool_modelhub.parameters import parse
from heatpool_modelhub.ranges import Part, Unsatisfiable, Whole, is_known, select

if TYPE_CHECKING:
    from litestar.types import Receive, Send
    from litestar.types import Scope as LitestarScope
    from uvicorn._types import (
        ASGI3Application,
        ASGIReceiveCallable,
        ASGISendCallable,
        HTTPScope,
        Scope,
    )

    from heatpool_modelhub.asking import Ports
    from heatpool_modelhub.hub import Download, Hub

PATH: Final = "/api/v1/model/download"
NAMED_MAX: Final = 512  # releases whose headers are kept ready: a kilobyte each
METHODS: Final = frozenset({"GET", "HEAD"})
FILE_CACHE: Final = b"private, no-cache, no-transform"


class Downloads:
    """The route, and its way past the framework."""

    def __init__(self, hub: Hub, ports: Ports) -> None:
        self._hub = hub
        self._ports = ports

    async def fetch(self, arrived: Arrived) -> Reply:
        """What answers a request whose address was charged.

        Raises:
            RefusedError: whatever stands in the way of a file.
        """
        self._ports.loggers.require(arrived.headers.get("authorization"))
        asked = parse(arrived.query)
        signer = identify(arrived, asked.installation, self._hub, self._ports)
        return _file(arrived, await self._hub.download(asked, signer, self._ports.clock()))

    def before(self, app: ASGI3Application) -> ASGI3Application:
        """`app`, but for reads of `PATH`: other methods and spellings stay with the framework."""

        async def serve(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
            if scope["type"] == "http" and scope["path"] == PATH and scope["method"] in METHODS:
                reply = await self._answer(scope)
                # Litestar and uvicorn describe the same ASGI with different types.
                await reply(
                    cast("LitestarScope", scope), cast("Receive", receive), cast("Send", send)
                )
            else:
                await app(scope, receive, send)

        return serve

    async def _answer(self, scope: HTTPScope) -> Reply:
        client = scope["client"]
        address = client[0] if client else None
        scope["path_template"] = PATH  # type: ignore[typeddict-unknown-key]  # as Litestar does
        # Of a header that comes twice the first one counts, as for the other routes.
        headers = {
            name.decode("latin-1"): value.decode("latin-1")
            for name, value in reversed(list(scope["headers"]))
        }
        arrived = Arrived(
            method=scope["method"],
            raw_path=scope["raw_path"],
            query=scope["query_string"],
            headers=headers,
            address=address,
        )
        try:
            self._ports.limits.visit(address, self._ports.clock())
            return await self.fetch(arrived)
        except RefusedError as error:
            note_code(cast("LitestarScope", scope), error.refusal)
            return refusal(error)


def _file(arrived: Arrived, download: Download) -> Reply:
    """RFC 9110: the condition first, then the range; a range is for `GET` alone."""
    release, size = download.release, len(download.data)
    etag = f'"{release.model_hash}"'
    headers = [(b"etag", etag.encode()), (b"cache-control", FILE_CACHE)]
    if is_known(arrived.headers.get("if-none-match"), etag):
        return Reply(304, headers, b"")
    wanted = arrived.headers.get("range") if arrived.method == "GET" else None
    match select(wanted, arrived.headers.get("if-range"), etag, size):
        case Whole():
            start, stop, status = 0, size, 200
        case Part(start, stop):
            status = 206
            headers.append((b"content-range", b"bytes %d-%d/%d" % (start, stop - 1, size)))
        case Unsatisfiable():
            raise RefusedError(
                Refusal.RANGE_NOT_SATISFIABLE, headers={"content-range": f"bytes */{size}"}
            )
    headers.append((b"content-length", b"%d" % (stop - start)))
    headers += _headers(release.model_hash, download.model, release.seq, download.name)
    return Reply(status, headers, memoryview(download.data)[start:stop])


@lru_cache(maxsize=NAMED_MAX)
def _headers(model_hash: str, model: str, seq: int, name: str) -> tuple[tuple[bytes, bytes], ...]:
    """What all answers with bytes of a release have in common."""
    return (
        (b"content-type", b"application/octet-stream"),
        (b"accept-ranges", b"bytes"),
        (b"content-disposition", f'attachment; filename="{model}-{seq}.hpm"'.encode()),
        (b"x-model-hash", model_hash.encode()),
        (b"x-model-name", name.encode()),
    )
