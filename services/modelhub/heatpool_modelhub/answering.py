"""Values -> HTTP answers: the one way in which the hub says yes or no.

In: an answer Struct or a refusal. Out: an ASGI response. Guarantee: every refusal is a problem
document (RFC 9457) with its stable code, every answer says how long it may be kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

import msgspec
from litestar import Response
from litestar.response.base import ASGIResponse

from heatpool_contract.answers import MEDIA_PROBLEM, problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from litestar.types import Receive, Scope, Send

    from heatpool_contract.refusals import Refusal

NO_STORE: Final = "no-store"
MEDIA_JSON: Final = b"application/json"
_encoder = msgspec.json.Encoder()


class RefusedError(Exception):
    """A request that is answered with a problem document."""

    def __init__(
        self,
        refusal: Refusal,
        detail: str | None = None,
        *,
        detail_de: str | None = None,
        limit: int | None = None,
        retry_after_s: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(refusal)
        self.refusal = refusal
        self.detail = detail
        self.detail_de = detail_de
        self.limit = limit
        self.retry_after_s = retry_after_s
        self.headers = dict(headers or {})


def answer(value: msgspec.Struct, status: int = 200, cache: str = NO_STORE) -> ASGIResponse:
    """A Struct as JSON."""
    return json(_encoder.encode(value), status, cache)


def json(body: bytes, status: int, cache: str) -> ASGIResponse:
    """Encoded JSON."""
    headers = [
        (b"content-type", MEDIA_JSON),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", cache.encode()),
    ]
    return Reply(status, headers, body)


def refuse(refused: RefusedError) -> Response[bytes]:
    """The problem document of a refusal, for Litestar's exception handlers."""
    status, headers, body = _document(refused)
    return Response(body, status_code=status, media_type=MEDIA_PROBLEM, headers=headers)


def refusal(refused: RefusedError) -> Reply:
    """The same, as it is sent."""
    status, headers, body = _document(refused)
    headers |= {"content-type": MEDIA_PROBLEM, "content-length": str(len(body))}
    pairs = [(name.lower().encode(), text.encode()) for name, text in headers.items()]
    return Reply(status, pairs, body)


def _document(refused: RefusedError) -> tuple[int, dict[str, str], bytes]:
    document = problem(
        refused.refusal,
        detail=refused.detail,
        detail_de=refused.detail_de,
        limit=refused.limit,
        retry_after_s=refused.retry_after_s,
    )
    headers = {"cache-control": NO_STORE, **refused.headers}
    if refused.retry_after_s is not None:
        headers["retry-after"] = str(refused.retry_after_s)
    return document.status, headers, _encoder.encode(document)


class Reply(ASGIResponse):
    """Status, headers and body as they are sent, without what Litestar would make of them.

    A file's slice is handed over whole and uncopied: uvloop writes what the socket takes and keeps
    a reference for the rest, so that slow readers share one file. `HEAD` is `access`'s.
    """

    def __init__(  # no super(): it would parse and copy what is ready
        self, status: int, headers: list[tuple[bytes, bytes]], body: bytes | memoryview
    ) -> None:
        self._status = status
        self._headers = headers
        # ASGI's types know bytes alone; the transport takes both.
        self._body = cast("bytes", body)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Send it."""
        await send(
            {"type": "http.response.start", "status": self._status, "headers": self._headers}
        )
        await send({"type": "http.response.body", "body": self._body, "more_body": False})
