"""Whether the owner agrees, asked before every reading and cheap enough for it.

In: the record of consents, the environment. Out: a permit or the reason why there is none.
Guarantee: a decision made by another process counts from the next question on: the file is
replaced as a whole, so a stat tells whether it must be read again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from heatpool_client import consent
from heatpool_client.faults import ClientError, Fault

if TYPE_CHECKING:
    from collections.abc import Mapping

    from heatpool_client.home import Home


class ConsentWatch:
    """Remembers the answer as long as the file is the same."""

    def __init__(self, home: Home, environ: Mapping[str, str]) -> None:
        """Look at nothing yet."""
        self._home = home
        self._environ = environ
        self._seen: tuple[int, int, int] | None = None
        self._refusal: ClientError | None = ClientError(
            Fault.CONSENT_MISSING, consent.CONSENT_VERSION
        )

    def refusal(self) -> ClientError | None:
        """Why nothing may be collected; None if it may."""
        if consent.is_do_not_track(self._environ):
            return ClientError(Fault.DO_NOT_TRACK)
        try:
            found = self._home.consents.stat()
        except OSError:
            return ClientError(Fault.CONSENT_MISSING, consent.CONSENT_VERSION)
        seen = (found.st_ino, found.st_mtime_ns, found.st_size)
        if seen != self._seen:
            self._refusal = None
            try:
                consent.require(self._home, self._environ)
            except ClientError as error:
                self._refusal = error
            self._seen = seen
        return self._refusal

    def is_withdrawn(self) -> bool:
        """Whether the owner took consent back, so that what waits has to go."""
        return self.refusal() is not None and consent.standing(self._home) == "withdrawn"
