"""What the page's buttons do: each is one call into the client library.

In: an installation's door to the pool, a request's body. Out: what happened. Guarantee: what cannot
be taken back needs a word typed by the owner; nothing is sent that the command line would not send.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import msgspec

from heatpool_client import consent, consent_record, courier, deciding, pausing, updating
from heatpool_client.faults import ClientError, Exit, Language
from heatpool_client.web.guard import Denied

if TYPE_CHECKING:
    from heatpool_client.courier import Round
    from heatpool_client.deciding import Left
    from heatpool_client.history import History
    from heatpool_client.pausing import Pause
    from heatpool_client.pool import Pool

CONFIRMATION: Final[dict[Language, str]] = {"en": "ERASE", "de": "LÖSCHEN"}
"""What the owner types before the pool is asked to forget this home."""


class Agree(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /api/consent`."""

    version: str
    language: Language = "en"


class Agreed(msgspec.Struct, frozen=True):
    """What followed from it."""

    consent: consent.Consent
    registered: bool
    """The keys are known to the pool; false: the next update makes up for it."""


class Erase(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /api/erase`."""

    confirm: str
    history: bool = False
    """Also the history on this device."""


class PauseFor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /api/pause`."""

    hours: Annotated[float, msgspec.Meta(ge=0, le=pausing.PAUSE_S_MAX / 3600)]
    """0: go on."""


class Updated(msgspec.Struct, frozen=True, kw_only=True):
    """What `POST /api/update` did."""

    outcome: str
    reason: str
    reason_de: str
    version: str | None
    became_eligible: bool


def agree(pool: Pool, body: Agree) -> Agreed:
    """Opt in; the keys are registered if the pool can be reached.

    Raises:
        ClientError: `installation_erased`, `consent_other_version`; the pool refused the keys.
    """
    now_s = pool.clock.now_s()
    given = deciding.agree(pool.home, body.version, now_s, language=body.language, means="asked")
    try:
        pool.register()
    except ClientError as error:
        if error.exit not in (Exit.UNREACHABLE, Exit.NO_CONSENT, Exit.SETUP):
            raise
        return Agreed(given, registered=False)
    consent_record.send(pool, at_once=True)
    return Agreed(given, registered=True)


def withdraw(pool: Pool) -> Left:
    """Stop sharing; what waits is dropped.

    Raises:
        ClientError: the disk.
    """
    return deciding.withdraw(pool, erase=False)


def erase(pool: Pool, history: History, body: Erase) -> Left:
    """Stop sharing, and have the pool forget this home.

    Raises:
        Denied: not confirmed.
        ClientError: the disk, the keys.
    """
    if body.confirm.strip().upper() not in CONFIRMATION.values():
        raise Denied(400, "deny.confirm")
    left = deciding.withdraw(pool, erase=True)
    if body.history:
        history.clear()
    return left


def pause(pool: Pool, body: PauseFor) -> Pause:
    """Send nothing for so many hours.

    Raises:
        ClientError: the disk.
    """
    return pausing.pause(pool.home, body.hours * 3600, pool.clock.now_s())


def send(pool: Pool) -> Round:
    """Send now what waits.

    Raises:
        ClientError: no consent, no token, the disk.
    """
    return courier.send_waiting(pool, at_once=True)


def update(pool: Pool) -> Updated:
    """Check, download, verify, open.

    Raises:
        ClientError: as `Pool.update`.
    """
    done = pool.update()
    news = updating.note(pool, done)
    return Updated(
        outcome=done.outcome,
        reason=done.answer.reason_text,
        reason_de=done.answer.reason_de,
        version=done.version,
        became_eligible=news.became_eligible,
    )
