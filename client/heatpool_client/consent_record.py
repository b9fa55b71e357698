"""The pool's copy of what the owner decided: each event of `consent.jsonl`, signed, in order.

In: `consent.jsonl`, which is the queue. Out: requests; `consent_record.json`, how far the pool has
it. Guarantee: an event is passed over only when the pool has recorded it, or has refused it eight
times; a withdrawal goes out although sharing is off; nothing goes out before an opt-in, while
DO_NOT_TRACK is set, or without keys, since an unsigned record proves nothing. An answer that was
lost makes a second record of the same event, which its time tells.
"""

from __future__ import annotations

import os
from hashlib import sha256
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from heatpool_client import consent, wishes
from heatpool_client.connection import Refused
from heatpool_client.faults import ClientError, Fault, Words
from heatpool_client.home import alone, read_private
from heatpool_client.wishes import Request, Wish
from heatpool_contract.consents import PATH, ConsentRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from heatpool_client.consent import Permit
    from heatpool_client.home import Home
    from heatpool_client.pool import Pool

REFUSALS_MAX: Final = 8  # within three days: a token is mended, an older hub brought up to date
REFUSED_S_FIRST: Final = 3600.0
Standing = Literal["none", "recorded", "waiting", "held", "refused", "no_key"]
_TEXTS: Final[dict[Standing, Words]] = {
    "none": Words("nothing was decided yet", "noch nichts entschieden"),
    "recorded": Words("recorded at the pool", "beim Datenpool vermerkt"),
    "waiting": Words("waits to be recorded at the pool", "noch nicht beim Datenpool vermerkt"),
    "held": Words("held back", "zurückgehalten"),
    "refused": Words("the pool does not record it", "der Datenpool vermerkt sie nicht"),
    "no_key": Words(
        "not sent: this installation has no keys that could sign it",
        "nicht gesendet: Diese Installation hat keine Schlüssel zum Unterschreiben",
    ),
}


class Recording(Wish, frozen=True, kw_only=True):
    """How far the pool has the events; the wish is the first one that it has not."""

    done: int = 0
    """Lines of `consent.jsonl` that need nothing more."""
    done_sha256: str = ""
    """Of the last of them: another file of that name begins anew."""
    recorded: int = 0
    refusals: int = 0
    """Of the first event that is not done."""
    refused: str | None = None
    """Why the pool has not recorded the last event that is done; None if it has."""
    hash: str | None = None
    """Of the last record, in the pool's chain."""


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """How the records stand, for people."""

    standing: Standing
    text: Words
    recorded: int
    waiting: int
    problem: str | None
    """Code: of the last failure, of what holds it back, or of the refusal."""
    not_before_s: float | None
    """Of the next attempt after a failure."""
    hash: str | None
    """Of the last record, in the pool's chain."""


class _Confirmed(msgspec.Struct, frozen=True):
    """`answers.ConsentAnswer`, open for further words."""

    hash: str


def seen(home: Home, environ: Mapping[str, str]) -> Seen:
    """How the records stand.

    Raises:
        ClientError: `file_exposed`, `state_unusable`.
    """
    state, lines = _standing(home)
    standing, problem = _where(home, environ, state, lines)
    return Seen(
        standing=standing,
        text=_TEXTS[standing],
        recorded=state.recorded,
        waiting=len(lines),
        problem=problem,
        not_before_s=state.not_before_s if state.problem else None,
        hash=state.hash,
    )


def send(
    pool: Pool, *, at_once: bool = False, randomness: Callable[[int], bytes] = os.urandom
) -> Seen:
    """Send the events that the pool has not recorded, as far as they may go and are due.

    Raises:
        ClientError: the disk; the network's and the pool's are noted.
    """
    home = pool.home
    if read_private(home.identity) is not None and _standing(home)[1]:
        with alone(home.root / "consent.lock") as mine:  # two would record the same event twice
            while mine and _send_next(pool, at_once=at_once, randomness=randomness):
                pass
    return seen(home, pool.environ)


def _where(
    home: Home, environ: Mapping[str, str], state: Recording, lines: list[bytes]
) -> tuple[Standing, str | None]:
    if not lines and not state.done:
        return "none", None
    if read_private(home.identity) is None:
        return "no_key", str(Fault.NOT_INITIALISED)
    if not lines:
        return ("refused" if state.refused else "recorded"), state.refused
    try:
        consent.for_record(home, environ)
    except ClientError as error:
        return "held", str(error.code)
    return "waiting", state.problem


def _standing(home: Home) -> tuple[Recording, list[bytes]]:
    """How far the pool has the events, and the lines that it has not."""
    state = wishes.read(home.consent_record, Recording) or Recording()
    lines = consent.lines(home)
    done = lines[: state.done]
    if state.done and (len(done) < state.done or _digest(done[-1]) != state.done_sha256):
        return msgspec.structs.replace(state, done=0, done_sha256=""), lines
    return state, lines[state.done :]


def _send_next(pool: Pool, *, at_once: bool, randomness: Callable[[int], bytes]) -> bool:
    """One event; whether the next one may follow."""
    state, waiting = _standing(pool.home)
    due = wishes.is_due(state, pool.clock.now_s())
    if not waiting or not (at_once or due):
        return False
    try:
        permit = consent.for_record(pool.home, pool.environ)
    except ClientError:  # `seen` says why
        return False
    try:
        confirmed = _ask(pool, permit, waiting[0], randomness)
    except Refused as error:
        if not due:  # tried by hand: counts for nothing, and puts nothing off
            return False
        state = _refused(pool, state, waiting[0], error)
    except ClientError as error:
        state = wishes.failed(state, error, pool.clock)
    else:
        state = msgspec.structs.replace(
            _passed(state, waiting[0]), recorded=state.recorded + 1, hash=confirmed.hash
        )
    wishes.write(pool.home.consent_record, state)
    return state.problem is None


def _ask(pool: Pool, permit: Permit, line: bytes, randomness: Callable[[int], bytes]) -> _Confirmed:
    from heatpool_client import keys  # noqa: PLC0415 - 30 ms, and seldom needed

    try:
        event = msgspec.json.decode(line, type=consent.Consent)
    except ValueError as error:
        raise ClientError(Fault.CONSENT_DAMAGED, pool.home.consents, error) from error
    if permit.consent.event == "granted" and keys.load(pool.home).registered_s is None:
        pool.register()  # the hub can tell whose record it is; not any more after a withdrawal
    body = msgspec.json.encode(
        ConsentRequest(
            installation_id=pool.config.installation_id,
            event=event.event,
            purposes=event.purposes,
            text_version=event.version,
            text_sha256=event.text_sha256,
            locale=event.language,
            client_version=event.client_version,
            client_time=float(event.time_s),
        )
    )
    asked = Request("POST", PATH, body)
    answer = wishes.ask(pool, permit, pool.config.installation, asked, randomness)
    try:
        return msgspec.json.decode(answer.body, type=_Confirmed)
    except ValueError as error:  # not the hub's: the page of a hotspot
        raise ClientError(Fault.ANSWER_GARBLED, pool.config.hub_url, error) from error


def _refused(pool: Pool, state: Recording, line: bytes, error: Refused) -> Recording:
    """Asked again, hours apart, since a token may be mended; but not for ever."""
    refusals = state.refusals + 1
    if refusals >= REFUSALS_MAX:
        return msgspec.structs.replace(_passed(state, line), refused=error.problem.code)
    waits = wishes.failed(
        msgspec.structs.replace(state, attempts=state.refusals), error, pool.clock, REFUSED_S_FIRST
    )
    return msgspec.structs.replace(
        waits, attempts=state.attempts + 1, refusals=refusals, problem=error.problem.code
    )


def _passed(state: Recording, line: bytes) -> Recording:
    """With this event behind it, and nothing known of the next one."""
    return msgspec.structs.replace(
        state,
        attempts=0,
        not_before_s=0.0,
        problem=None,
        refusals=0,
        refused=None,
        done=state.done + 1,
        done_sha256=_digest(line),
    )


def _digest(line: bytes) -> str:
    return sha256(line).hexdigest()
