"""The owner wants to be forgotten: a signed request that waits until the pool has confirmed it.

In: the wish, the installation's key. Out: `erasure.json`, a request, how far the pool is.
Guarantee: it is sent although sharing is off, it survives restarts, and it stays until the pool
says that it has begun or that it knows of no such installation (404).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from heatpool_client import consent, wishes
from heatpool_client.connection import Refused
from heatpool_client.faults import ClientError, Fault
from heatpool_client.wishes import Request, Wish
from heatpool_contract.identity import InstallationId

if TYPE_CHECKING:
    from collections.abc import Callable

    from heatpool_client.home import Home
    from heatpool_client.pool import Pool

PATH: Final = "/api/v1/installations/{}"
FOLLOW_PATH: Final = "/api/v1/erasures/{}"
DONE: Final = "done"
STATUS_UNKNOWN: Final = 404
STATUS_EMPTY: Final = 204
LOOK_S_MIN: Final = 2.0  # the pool's quick steps take seconds
LOOK_S_MAX: Final = 3600.0  # its long one takes three days
S = TypeVar("S", bound=msgspec.Struct)


class Erasure(Wish, frozen=True, kw_only=True):
    """A wish to be forgotten."""

    installation_id: str
    requested_s: int
    confirmed_s: int | None = None
    receipt: str | None = None
    """To follow it at the pool, if the pool gave one."""
    step: str | None = None
    """Of the pool's procedure, as it was seen last."""
    next_s: float | None = None
    """When the pool goes on with it."""
    finished_s: float | None = None
    """By the pool's clock."""

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to be followed: done, or the pool knew of nothing."""
        return self.confirmed_s is not None and (self.receipt is None or self.step == DONE)


class _Confirmed(msgspec.Struct, frozen=True):
    """The pool's answer, open for further words."""

    receipt: str | None = None


class _Progress(msgspec.Struct, frozen=True, kw_only=True):
    """`answers.ErasureAnswer`, open for further words."""

    step: str
    not_before: float | None = None
    finished: float | None = None


def queue(home: Home, installation_id: str, now_s: float) -> Erasure:
    """Write the wish down, unless it is there already.

    Raises:
        ClientError: `state_unusable`.
    """
    known = pending(home)
    if known is not None and known.installation_id == installation_id:
        return known
    wish = Erasure(installation_id=installation_id, requested_s=int(now_s))
    wishes.write(home.erasure, wish)
    return wish


def last(home: Home) -> Erasure | None:
    """The wish, confirmed or not; None if there never was one.

    Raises:
        ClientError: `file_exposed`, `state_unusable`.
    """
    return wishes.read(home.erasure, Erasure)


def pending(home: Home) -> Erasure | None:
    """The wish that the pool has not confirmed.

    Raises:
        ClientError: as `last`.
    """
    wish = last(home)
    return wish if wish is not None and wish.confirmed_s is None else None


def send(
    pool: Pool, *, at_once: bool = False, randomness: Callable[[int], bytes] = os.urandom
) -> Erasure | None:
    """Send the wish if one waits and is due; how it stands then.

    Raises:
        ClientError: the disk, the keys; the network's are in the wish.
    """
    wish = pending(pool.home)
    now_s = pool.clock.now_s()
    if wish is None or not (at_once or wishes.is_due(wish, now_s)):
        return wish
    try:
        receipt = _ask(pool, wish, randomness)
    except ClientError as error:
        wish = wishes.failed(wish, error, pool.clock)
    else:
        wish = msgspec.structs.replace(
            wish,
            attempts=wish.attempts + 1,
            problem=None,
            confirmed_s=int(now_s),
            receipt=receipt,
        )
    wishes.write(pool.home.erasure, wish)
    return wish


def follow(pool: Pool) -> Erasure:
    """Ask the pool how far it is, and note it; sends the wish first if the pool has not got it.

    Raises:
        Unreachable: not now.
        Refused: the pool does not take the wish, or does not know the receipt.
        ClientError: `no_erasure`, nothing was asked for; `answer_garbled`, the disk, the keys.
    """
    wish = last(pool.home)
    if wish is None:
        raise ClientError(Fault.NO_ERASURE)
    if wish.confirmed_s is None:
        receipt, now_s = _ask(pool, wish, os.urandom), int(pool.clock.now_s())
        wish = msgspec.structs.replace(wish, problem=None, confirmed_s=now_s, receipt=receipt)
        wishes.write(pool.home.erasure, wish)
    if wish.is_done:
        return wish
    permit = consent.for_erasure(pool.home)
    asked = Request("GET", FOLLOW_PATH.format(wish.receipt))
    answer = wishes.ask(pool, permit, InstallationId(wish.installation_id), asked)
    found = _decoded(pool, answer.body, _Progress)
    wish = msgspec.structs.replace(
        wish, step=found.step, next_s=found.not_before, finished_s=found.finished
    )
    wishes.write(pool.home.erasure, wish)
    return wish


def look_again_s(wish: Erasure | None, looks: int, now_s: float) -> float:
    """Seconds until the next look makes sense: when the pool goes on, else more and more seldom."""
    growing_s = min(LOOK_S_MIN * 1.5 ** min(looks, 20), LOOK_S_MAX)
    until_s = wish.next_s - now_s if wish is not None and wish.next_s is not None else 0.0
    return min(max(until_s, LOOK_S_MIN), LOOK_S_MAX) if until_s > 0 else growing_s


def _ask(pool: Pool, wish: Erasure, randomness: Callable[[int], bytes]) -> str | None:
    """The receipt; None if the pool gave none."""
    permit, asked = (
        consent.for_erasure(pool.home),
        Request("DELETE", PATH.format(wish.installation_id)),
    )
    try:
        answer = wishes.ask(pool, permit, InstallationId(wish.installation_id), asked, randomness)
    except Refused as error:
        if error.status != STATUS_UNKNOWN:
            raise
        return None
    if answer.status == STATUS_EMPTY:
        return None
    return _decoded(pool, answer.body, _Confirmed).receipt


def _decoded(pool: Pool, body: bytes, kind: type[S]) -> S:
    """Raises `answer_garbled` for what is not the pool's: the page of a hotspot."""
    try:
        return msgspec.json.decode(body, type=kind)
    except ValueError as error:
        raise ClientError(Fault.ANSWER_GARBLED, pool.config.hub_url, error) from error
