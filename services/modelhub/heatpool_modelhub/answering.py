"""Values -> HTTP answers: the one way in which the hub says yes or no.

In: an answer Struct or a refusal. Out: an ASGI response. Guarantee: every refusal is a problem
document (RFC 9457) with its stable code, every answer says how long it may be kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from litestar import Response
from litestar.response.base import ASGIResponse

from heatpool_contract.answers import MEDIA_PROBLEM, problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from litestar.types import Receive, Send

    from heatpool_contract.refusals import Refusal

NO_STORE: Final = "no-store"
MEDIA_JSON: Final = "application/json"
_CHUNK_BYTES: Final = 256 * 1024
"""What a slow download holds in its socket's buffer beside the shared file."""
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
    return ASGIResponse(
        body=_encoder.encode(value),
        status_code=status,
        media_type=MEDIA_JSON,
        headers={"cache-control": cache},
    )


def refuse(refused: RefusedError) -> Response[bytes]:
    """The problem document of a refusal."""
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
    return Response(
        _encoder.encode(document),
        status_code=document.status,
        media_type=MEDIA_PROBLEM,
        headers=headers,
    )


class FileResponse(ASGIResponse):
    """A slice of a file in memory, sent in chunks, so that a slow reader holds little of it."""

    def __init__(
        self, data: memoryview, *, status: int, headers: dict[str, str], is_head: bool
    ) -> None:
        super().__init__(
            is_head_response=is_head,
            status_code=status,
            media_type="application/octet-stream",
            content_length=len(data),
            headers=headers,
        )
        self.data = data

    async def send_body(self, send: Send, receive: Receive) -> None:  # noqa: ARG002 - Litestar's
        """Emit the slice; `send` waits while the socket is full."""
        for at in range(0, max(len(self.data), 1), _CHUNK_BYTES):
            chunk = self.data[at : at + _CHUNK_BYTES]
            await send(
                {
                    "type": "http.response.body",
                    "body": bytes(chunk),
                    "more_body": at + _CHUNK_BYTES < len(self.data),
                }
            )
