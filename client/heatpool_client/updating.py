"""Once a day: is there a new detector? And what the owner should hear of the answer.

In: the clock, what is known of the last time. Out: `updating.json`, news. Guarantee: installations
ask at different times of the day; a failure is tried again within hours, not minutes; that a home
became eligible, or is so no longer, is news once. The hub says so; where it is too old to, this
compares with what it said before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from heatpool_client.faults import ClientError
from heatpool_client.home import read_private, write_private
from heatpool_contract.answers import EligibilityEvent

if TYPE_CHECKING:
    from heatpool_client.home import Home
    from heatpool_client.pool import Pool
    from heatpool_client.updates import Update

DAY_S: Final = 86_400.0
SPREAD: Final = 0.1  # of a day, either way
FAILED_S: Final = 4 * 3600.0


class Watched(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the last updates, in `updating.json`."""

    next_s: float = 0.0
    last_s: float | None = None
    """Of the last answer."""
    outcome: str | None = None
    problem: str | None = None
    """Code of the last failure; None after an answer."""
    problem_text: str = ""
    eligible: bool = False
    event: EligibilityEvent | None = None
    """The last change of it."""
    event_s: float | None = None
    total_installations: int = 0
    """Of this model in the pool."""
    contribution_days: int = 0
    version: str | None = None
    """Of the active detector."""


class News(msgspec.Struct, frozen=True, kw_only=True):
    """What is new since the last answer."""

    event: EligibilityEvent | None = None
    activated: bool = False
    watched: Watched

    @property
    def became_eligible(self) -> bool:
        """Whether the pool gives its detectors from now on."""
        return self.event == "became_eligible"


def read_watched(home: Home) -> Watched:
    """What is known; nothing if it cannot be read."""
    try:
        return msgspec.json.decode(read_private(home.updating) or b"{}", type=Watched)
    except (ValueError, ClientError):  # asked again then
        return Watched()


def is_due(watched: Watched, now_s: float) -> bool:
    """Whether to ask; a clock that jumped back does not put it off for ever."""
    return not now_s < watched.next_s <= now_s + DAY_S * (1 + SPREAD)


def update_if_due(pool: Pool) -> News | None:
    """Update if a day has passed; None if not.

    Raises:
        ClientError: the network, the pool, the file; noted, and tried again in four hours.
    """
    watched = read_watched(pool.home)
    now_s = pool.clock.now_s()
    if not is_due(watched, now_s):
        return None
    try:
        return note(pool, pool.update())
    except ClientError as error:
        wait_s = FAILED_S * (1 + pool.clock.chance())
        failed = msgspec.structs.replace(
            watched, next_s=now_s + wait_s, problem=str(error.code), problem_text=str(error)
        )
        _write(pool, failed)
        raise


def note(pool: Pool, done: Update) -> News:
    """Write down what an update found; what is new in it.

    Raises:
        ClientError: `state_unusable`.
    """
    before, now_s = read_watched(pool.home), pool.clock.now_s()
    answer = done.answer
    event = answer.event or _changed(was=before.eligible, now=answer.eligible)
    after = Watched(
        next_s=now_s + DAY_S * (1 - SPREAD + 2 * SPREAD * pool.clock.chance()),
        last_s=now_s,
        outcome=done.outcome,
        eligible=answer.eligible,
        event=event or before.event,
        event_s=now_s if event else before.event_s,
        total_installations=answer.data_pool.total_installations,
        contribution_days=answer.contribution.days,
        version=done.version,
    )
    _write(pool, after)
    return News(
        event=event,
        activated=done.outcome == "activated",
        watched=after,
    )


def _changed(*, was: bool, now: bool) -> EligibilityEvent | None:
    """What a hub that knows `was_eligible` would have said."""
    if was is now:
        return None
    return "became_eligible" if now else "no_longer_eligible"


def _write(pool: Pool, watched: Watched) -> None:
    write_private(pool.home.updating, msgspec.json.encode(watched) + b"\n")
