"""Bearer tokens: missing, wrong or right.

In: an `Authorization` header. Out: nothing, or the refusal. Guarantee: the comparison takes the
same time for every wrong token and looks at all valid ones; lengths are hidden by hashing first.
"""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from heatpool_contract.refusals import Refusal
from heatpool_modelhub.answering import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterable

_SCHEME: Final = "bearer"


class Tokens:
    """The tokens that are valid at the moment."""

    def __init__(self, tokens: Iterable[str]) -> None:
        self._digests = tuple(sha256(token.encode()).digest() for token in tokens)

    def require(self, authorization: str | None) -> None:
        """Raise unless the header carries one of the tokens.

        Raises:
            RefusedError: `token_missing`, `token_wrong`.
        """
        scheme, _, token = (authorization or "").strip().partition(" ")
        token = token.strip()
        if scheme.lower() != _SCHEME or not token:
            raise RefusedError(Refusal.TOKEN_MISSING, headers={"WWW-Authenticate": "Bearer"})
        # Header values come as latin-1; a token with other letters was sent as UTF-8.
        given = sha256(token.encode("latin-1", "replace")).digest()
        matches = 0
        for known in self._digests:
            matches += hmac.compare_digest(given, known)
        if not matches:
            raise RefusedError(Refusal.TOKEN_WRONG)
