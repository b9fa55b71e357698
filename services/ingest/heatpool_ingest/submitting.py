"""`POST /api/v1/submit` on the bare protocol.

In: a request of a logger. Out: `SubmitAnswer` or a problem document. Guarantee: no input leads to
a 500; every request is counted and has one line in the log, which has the masked address and
therefore never the installation, and nothing of a body, an id or a token.

The framework's request and response objects would cost as much as decoding ten records does, and
a structured log line as much as making the answer (docs/decisions/0204).
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import msgspec
from litestar.status_codes import HTTP_200_OK
from msgspec import UNSET, UnsetType

from heatpool_chassis.addresses import masked
from heatpool_chassis.logs import Lines
from heatpool_contract.refusals import Refusal
from heatpool_ingest.admission import RequestRefusedError
from heatpool_ingest.edge import Arrival
from heatpool_ingest.publishing import PublishUnavailableError
from heatpool_ingest.refusing import NOT_TAKEN, RETRY_ATTEMPT, Answer, refusal_of, refuse
from heatpool_ingest.workers import WorkerLostError

if TYPE_CHECKING:
    from litestar.types import HTTPScope, Receive, Send
    from structlog.stdlib import BoundLogger

    from heatpool_ingest.edge import Edge, Outcome

SUBMIT_PATH: Final = "/api/v1/submit"
_JSON: Final = "application/json"
_WANTED: Final = frozenset(
    name.encode()
    for name in (
        "authorization",
        "content-encoding",
        "content-length",
        "traceparent",
        RETRY_ATTEMPT,
    )
)
_LENGTH_DIGITS_MAX: Final = 18
_LABELS_MAX: Final = 256  # codes and lanes; there are fewer


class Line(msgspec.Struct, kw_only=True):
    """The log line of a submission; its texts are words of ours and a masked address."""

    service: str
    code: str
    address: str
    lane: str
    took_ms: float
    records: int | UnsetType = UNSET
    rejected: int | UnsetType = UNSET
    samples: int | UnsetType = UNSET
    dropped: int | UnsetType = UNSET
    bytes: int | UnsetType = UNSET
    event: str = "submit"
    level: str = "info"
    timestamp: datetime


class Submit:
    """The route."""

    def __init__(self, edge: Edge, log: BoundLogger) -> None:
        self._edge = edge
        self._log = log
        self._lines = Lines()
        self._requests = lru_cache(_LABELS_MAX)(edge.metrics.requests.labels)
        self._seconds = lru_cache(_LABELS_MAX)(edge.metrics.request_seconds.labels)

    async def __call__(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        """Take a batch of records of one installation."""
        arrival = arrival_of(scope, receive)
        if scope["method"] == "POST":
            answer = await self._submitted(arrival)
        else:
            self._requests("other", Refusal.METHOD_NOT_ALLOWED).inc()
            answer = refuse(RequestRefusedError(Refusal.METHOD_NOT_ALLOWED), arrival.headers)
            answer = answer._replace(headers={"Allow": "POST"})
        await _send(send, answer)

    async def _submitted(self, arrival: Arrival) -> Answer:
        """Answer, count and log one submission."""
        started_s = time.perf_counter()
        code, outcome = "ok", None
        try:
            outcome = await self._edge.submit(arrival)
            code = "duplicate" if outcome.answer.duplicate else "ok"
            return Answer(HTTP_200_OK, _JSON, msgspec.json.encode(outcome.answer), {})
        except NOT_TAKEN as error:
            refused = refusal_of(error)
            code = refused.refusal
            if isinstance(error, PublishUnavailableError | WorkerLostError):
                self._log.warning("not_stored", kind=type(error).__name__, reason=str(error))
            return refuse(refused, arrival.headers)
        finally:
            self._note(arrival, code, outcome, time.perf_counter() - started_s)

    def _note(self, arrival: Arrival, code: str, outcome: Outcome | None, took_s: float) -> None:
        lane = arrival.lane.name.lower()
        self._requests(SUBMIT_PATH, code).inc()
        self._seconds(SUBMIT_PATH, lane).observe(took_s)
        line = Line(
            service=self._edge.life.service,
            code=code,
            address=masked(arrival.address),
            lane=lane,
            took_ms=round(took_s * 1000, 1),
            timestamp=datetime.now(UTC),
        )
        if outcome is not None:
            answer = outcome.answer
            line.records = answer.processed
            line.rejected = answer.rejected
            line.samples = answer.samples
            line.dropped = sum([tally.count for tally in answer.values_dropped])
            line.bytes = outcome.body_bytes
        self._lines.add(line)


def arrival_of(scope: HTTPScope, receive: Receive) -> Arrival:
    """What is known of a request before its body is read."""
    headers = {
        name.decode("latin-1"): value.decode("latin-1")
        for name, value in scope["headers"]
        if name in _WANTED
    }
    declared = headers.get("content-length", "")
    known = declared.isascii() and declared.isdigit() and len(declared) <= _LENGTH_DIGITS_MAX
    client = scope["client"]
    return Arrival(
        headers=headers,
        address=client[0] if client else None,
        receive=receive,
        body_bytes=int(declared) if known else None,
    )


async def _send(send: Send, answer: Answer) -> None:
    headers = [
        (b"content-type", answer.media_type.encode()),
        (b"content-length", str(len(answer.body)).encode()),
        *((name.lower().encode(), value.encode()) for name, value in answer.headers.items()),
    ]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body, "more_body": False})
