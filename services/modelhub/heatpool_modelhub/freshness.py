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
    from heatpool_contract.release import ReleasePointer

REISSUE_S: Final = 600


class _Statement(msgspec.Struct, frozen=True):
    model_hash: str
    issued_s: int
    text: str


class Freshness:
    """The statements of the present releases, one a model."""

    def __init__(self, timestamp_seed: bytes) -> None:
        self._seed = timestamp_seed
        self._statements: dict[str, _Statement] = {}

    def statement(self, pointer: ReleasePointer, now_s: int) -> str:
        """Base64 of the envelope for the pointer's current release."""
        known = self._statements.get(pointer.model)
        current = pointer.current
        if (
            known is not None
            and known.model_hash == current.model_hash
            and 0 <= now_s - known.issued_s < REISSUE_S
        ):
            return known.text
        fresh = Fresh(
            model=pointer.model,
            epoch=current.epoch,
            seq=current.seq,
            model_hash=current.model_hash,
            issued_s=now_s,
            expires_s=now_s + FRESH_LIFETIME_S_MAX,
        )
        text = b64encode(sign_fresh(fresh, self._seed)).decode()
        self._statements[pointer.model] = _Statement(current.model_hash, now_s, text)
        return text
