"""What became of a request: asked of the pool when somebody wants to know.

In: a receipt. Out: `Receipt`. Guarantee: only asks; an older pool that has no receipts is told
apart from a receipt that is none of its own only by its code.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

from heatpool_client.connection import STATUS_ERROR, Unreachable, refusal
from heatpool_client.faults import ClientError, Fault
from heatpool_client.retry import is_worth_repeating

if TYPE_CHECKING:
    from heatpool_client.pool import Pool

PATH: Final = "/api/v1/receipt/{}"
_RECEIPT: Final = re.compile(r"[A-Za-z0-9_=-]{1,128}")


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """`answers.ReceiptAnswer`, open for further words."""

    state: str
    """`queued`, `stored` or `dead_lettered`."""
    records: int = 0
    messages: int = 0
    queued: int = 0
    stored: int = 0
    dead_lettered: int = 0
    reasons: list[str] = []
    """Why messages ended as dead letters."""


def follow(pool: Pool, receipt: str) -> Receipt:
    """Ask what became of the request with this receipt.

    Raises:
        Unreachable: not now.
        Refused: the pool does not know it.
        ClientError: no consent, `receipt_invalid`, `answer_garbled`.
    """
    if not _RECEIPT.fullmatch(receipt):
        raise ClientError(Fault.RECEIPT_INVALID, receipt)
    edge = pool.edge()
    answer = edge.ask("GET", PATH.format(receipt))
    if is_worth_repeating(answer.status):
        raise Unreachable(f"status {answer.status}, {refusal(answer).problem.code}")
    if answer.status >= STATUS_ERROR:
        raise refusal(answer)
    try:
        return msgspec.json.decode(answer.body, type=Receipt)
    except ValueError as error:
        raise ClientError(Fault.ANSWER_GARBLED, edge.base_url, error) from error
