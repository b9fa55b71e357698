"""The owner wants to be forgotten: a signed request that waits until the pool has confirmed it.

In: the wish, the installation's key. Out: `erasure.json`, a request. Guarantee: it is sent although
sharing is off, it survives restarts, and it stays until the pool says that it was done or that it
knows of no such installation (404). After Mozilla Glean's deletion-request ping.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import msgspec

from heatpool_client import config as configuration
from heatpool_client import consent, retry
from heatpool_client.connection import STATUS_ERROR, Connection, Unreachable, refusal
from heatpool_client.courier import BACKOFF_S_FIRST
from heatpool_client.faults import ClientError
from heatpool_client.home import read_private, write_private
from heatpool_contract.identity import InstallationId

if TYPE_CHECKING:
    from collections.abc import Callable

    from heatpool_client.connection import Answer
    from heatpool_client.home import Home
    from heatpool_client.pool import Pool

PATH: Final = "/api/v1/installations/{}"
STATUS_UNKNOWN: Final = 404
BACKOFF_S_MAX: Final = 86_400.0


class Erasure(msgspec.Struct, frozen=True, kw_only=True):
    """A wish to be forgotten."""

    installation_id: str
    requested_s: int
    attempts: int = 0
    not_before_s: float = 0.0
    problem: str | None = None
    """Code of the last failure."""
    confirmed_s: int | None = None
    receipt: str | None = None
    """To follow it at the pool, if the pool gave one."""


class _Confirmed(msgspec.Struct, frozen=True):
    """The pool's answer, open for further words."""

    receipt: str | None = None


def queue(home: Home, installation_id: str, now_s: float) -> Erasure:
    """Write the wish down, unless it is there already.

    Raises:
        ClientError: `state_unusable`.
    """
    known = pending(home)
    if known is not None and known.installation_id == installation_id:
        return known
    wish = Erasure(installation_id=installation_id, requested_s=int(now_s))
    _write(home, wish)
    return wish


def last(home: Home) -> Erasure | None:
    """The wish, confirmed or not; None if there never was one.

    Raises:
        ClientError: `file_exposed`, `state_unusable`.
    """
    raw = read_private(home.erasure)
    if raw is None:
        return None
    try:
        return msgspec.json.decode(raw, type=Erasure)
    except ValueError:  # better asked twice than forgotten: `queue` writes it anew
        return None


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
    if wish is None or (not at_once and now_s < wish.not_before_s <= now_s + BACKOFF_S_MAX * 2):
        return wish
    try:
        answer = _ask(pool, wish, randomness)
    except ClientError as error:
        asked_s = error.retry_after_s if isinstance(error, Unreachable) else None
        attempts = wish.attempts + 1
        wait_s = retry.backoff_s(
            attempts, asked_s, BACKOFF_S_FIRST, BACKOFF_S_MAX, pool.clock.chance()
        )
        wish = msgspec.structs.replace(
            wish, attempts=attempts, problem=str(error.code), not_before_s=now_s + wait_s
        )
    else:
        wish = msgspec.structs.replace(
            wish,
            attempts=wish.attempts + 1,
            problem=None,
            confirmed_s=int(now_s),
            receipt=_receipt(answer),
        )
    _write(pool.home, wish)
    return wish


def _ask(pool: Pool, wish: Erasure, randomness: Callable[[int], bytes]) -> Answer:
    from heatpool_client import keys  # noqa: PLC0415 - 30 ms, and seldom needed

    path = PATH.format(wish.installation_id)
    installation = InstallationId(wish.installation_id)
    sign = keys.load(pool.home).sign(installation, pool.clock.now_s, randomness)
    token = configuration.read_token(pool.home, pool.environ)
    permit = consent.for_erasure(pool.home)
    with Connection(pool.config.hub_url, pool.config, token, permit, pool.clock, sign) as hub:
        answer = hub.ask("DELETE", path)
    if retry.is_worth_repeating(answer.status):
        asked_s = retry.retry_after_s(answer.headers.get("retry-after"), pool.clock.now_s())
        raise Unreachable(f"status {answer.status}", asked_s)
    if answer.status >= STATUS_ERROR and answer.status != STATUS_UNKNOWN:
        raise refusal(answer)
    return answer


def _receipt(answer: Answer) -> str | None:
    try:
        return msgspec.json.decode(answer.body, type=_Confirmed).receipt
    except ValueError:  # 204, or a 404 of any kind
        return None


def _write(home: Home, wish: Erasure) -> None:
    write_private(home.erasure, msgspec.json.encode(wish) + b"\n")
