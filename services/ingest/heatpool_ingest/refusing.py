"""The one table from what went wrong to what is answered.

In: an exception of the edge, the request's headers. Out: `Answer`. Guarantee: every refusal is a
problem document with a stable code; who is told to come again is told when.
"""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from heatpool_contract.answers import MEDIA_PROBLEM, problem
from heatpool_contract.refusals import Refusal
from heatpool_ingest.admission import RequestRefusedError
from heatpool_ingest.lanes import LaneFullError
from heatpool_ingest.pressure import attempt_of, retry_after_s
from heatpool_ingest.publishing import PublishUnavailableError
from heatpool_ingest.reading import HungUpError
from heatpool_ingest.workers import WorkerLostError

if TYPE_CHECKING:
    from collections.abc import Mapping

NOT_TAKEN: Final = (
    RequestRefusedError,
    PublishUnavailableError,
    LaneFullError,
    WorkerLostError,
    HungUpError,
)
RETRY_ATTEMPT: Final = "retry-attempt"
_COME_AGAIN: Final = frozenset(
    {
        Refusal.BUS_UNAVAILABLE,
        Refusal.OVERLOADED,
        Refusal.QUOTA_EXCEEDED,
        Refusal.STOPPING,
        Refusal.TOKEN_ATTEMPTS_TOO_MANY,
    }
)


class Answer(NamedTuple):
    """What is sent back."""

    status: int
    media_type: str
    body: bytes
    headers: dict[str, str]


def refusal_of(error: Exception) -> RequestRefusedError:
    """What is said of an error out of `NOT_TAKEN`."""
    match error:
        case RequestRefusedError():
            return error
        case PublishUnavailableError() | WorkerLostError():
            return RequestRefusedError(Refusal.BUS_UNAVAILABLE)
        case LaneFullError():
            return RequestRefusedError(Refusal.OVERLOADED)
        case _:  # the logger hung up in the middle of its body
            return RequestRefusedError(Refusal.BAD_REQUEST)


def refuse(refused: RequestRefusedError, request: Mapping[str, str]) -> Answer:
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
    return Answer(document.status, MEDIA_PROBLEM, msgspec.json.encode(document), headers)
