"""Freshness statements, signed now and then instead of for every check.

In: releases and now. Out: the signed statement that a release is the current one. Guarantee: a
statement handed out is good for at least 47 hours more; one signature for each release and
`REISSUE_S`, however many loggers ask.
"""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Final

import msgspec

from heatpool_contract.fresh import FRESH_LIFETIME_S_MAX, Fresh, sign_fresh

if TYPE_CHECKING:
    from heatpool_contract.release import ServedRelease

REISSUE_S: Final = 600
STATEMENTS_MAX: Final = 8192  # two of each model; then all are signed anew


class _Statement(msgspec.Struct, frozen=True):
    issued_s: int
    text: str


class Freshness:
    """The statements of the releases that are offered, by hash."""

    def __init__(self, timestamp_seed: bytes) -> None:
        self._seed = timestamp_seed
        self._statements: dict[str, _Statement] = {}

    def statement(self, model: str, current: ServedRelease, now_s: int) -> str:
        """Base64 of the envelope for the release that a home of `model` is offered."""
        known = self._statements.get(current.model_hash)
        if known is not None and 0 <= now_s - known.issued_s < REISSUE_S:
            return known.text
        fresh = Fresh(
            model=model,
            epoch=current.epoch,
            seq=current.seq,
            model_hash=current.model_hash,
            issued_s=now_s,
            expires_s=now_s + FRESH_LIFETIME_S_MAX,
        )
        text = b64encode(sign_fresh(fresh, self._seed)).decode()
        if len(self._statements) >= STATEMENTS_MAX:
            self._statements.clear()
        self._statements[current.model_hash] = _Statement(now_s, text)
        return text
