"""What an owner decides: to share, to stop, to be forgotten. For the command line and the page.

In: the decision. Out: the record of it and what followed. Guarantee: who withdraws has nothing left
waiting; an erased installation does not begin again under the same id.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from heatpool_client import consent, consent_record, erasure
from heatpool_client.faults import ClientError, Fault
from heatpool_client.version import CLIENT_VERSION

if TYPE_CHECKING:
    from heatpool_client.faults import Language
    from heatpool_client.home import Home
    from heatpool_client.pool import Pool


class Left(msgspec.Struct, frozen=True, kw_only=True):
    """What a withdrawal did."""

    dropped: int | None
    """Readings that waited; None: there is no spool."""
    recorded: consent_record.Seen | None = None
    """How the withdrawal stands at the pool."""
    erasure: erasure.Erasure | None = None


def agree(
    home: Home, version: str, now_s: float, *, language: Language, means: consent.Means
) -> consent.Consent:
    """Record consent to `version`.

    Raises:
        ClientError: `installation_erased`, its id is gone for good at the pool;
            `consent_other_version`, `state_unusable`.
    """
    if erasure.last(home) is not None:
        raise ClientError(Fault.INSTALLATION_ERASED, f"{home.root}-2")
    home.create()
    return consent.grant(
        home, version, now_s, language=language, means=means, client_version=CLIENT_VERSION
    )


def withdraw(pool: Pool, *, erase: bool) -> Left:
    """Stop sharing, drop what waits, and ask the pool to forget this home if the owner wants it.

    Raises:
        ClientError: `state_unusable`, `consent_damaged`, `spool_unusable`, the keys.
    """
    now_s = pool.clock.now_s()
    consent.withdraw(pool.home, now_s)
    if erase:
        erasure.queue(pool.home, pool.config.installation_id, now_s)
    dropped = pool.spool.empty() if pool.home.spool.exists() else None
    recorded = consent_record.send(pool, at_once=True)  # before: with an erasure the key is gone
    sent = erasure.send(pool, at_once=True) if erase else None
    return Left(dropped=dropped, recorded=recorded, erasure=sent)
