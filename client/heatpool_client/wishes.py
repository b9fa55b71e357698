"""A request that has to reach the pool some day: signed, kept on disk, tried until it is answered.

In: what to ask, how it stands. Out: the answer; the wish with its next time. Guarantee: how a wish
stands survives restarts; failures are waited for, longer each time, up to a day; only the permit
that comes along lets it out. After Mozilla Glean's deletion-request ping.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from heatpool_client import config as configuration
from heatpool_client import retry
from heatpool_client.connection import STATUS_ERROR, Connection, Unreachable, refusal
from heatpool_client.home import read_private, write_private

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from heatpool_client.clock import Clock
    from heatpool_client.connection import Answer
    from heatpool_client.consent import Permit
    from heatpool_client.faults import ClientError
    from heatpool_client.pool import Pool
    from heatpool_contract.identity import InstallationId

BACKOFF_S_FIRST: Final = 30.0
BACKOFF_S_MAX: Final = 86_400.0


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What every wish remembers."""

    attempts: int = 0
    not_before_s: float = 0.0
    problem: str | None = None
    """Code of the last failure."""


W = TypeVar("W", bound=Wish)


class Request(msgspec.Struct, frozen=True):
    """What is asked of the hub."""

    method: str
    path: str
    body: bytes | None = None
    """JSON."""


def read(path: Path, kind: type[W]) -> W | None:
    """How a wish stands; None if there is none, or none that can be read: it is made anew then.

    Raises:
        ClientError: `file_exposed`, `state_unusable`.
    """
    raw = read_private(path)
    try:
        return None if raw is None else msgspec.json.decode(raw, type=kind)
    except ValueError:
        return None


def write(path: Path, wish: Wish) -> None:
    """Keep it.

    Raises:
        ClientError: `state_unusable`.
    """
    write_private(path, msgspec.json.encode(wish) + b"\n")


def is_due(wish: Wish, now_s: float) -> bool:
    """Whether to try; a clock that jumped back does not put it off for ever."""
    return not now_s < wish.not_before_s <= now_s + BACKOFF_S_MAX * 2


def failed(wish: W, error: ClientError, clock: Clock, first_s: float = BACKOFF_S_FIRST) -> W:
    """The wish after a failure, with the time of the next attempt."""
    asked_s = error.retry_after_s if isinstance(error, Unreachable) else None
    attempts = wish.attempts + 1
    wait_s = retry.backoff_s(attempts, asked_s, first_s, BACKOFF_S_MAX, clock.chance())
    return msgspec.structs.replace(
        wish, attempts=attempts, problem=str(error.code), not_before_s=clock.now_s() + wait_s
    )


def ask(
    pool: Pool,
    permit: Permit,
    installation: InstallationId,
    request: Request,
    randomness: Callable[[int], bytes] = os.urandom,
) -> Answer:
    """One exchange with the hub, signed if this installation has keys.

    Raises:
        Unreachable: not now.
        Refused: the pool does not take it; status 4xx.
        ClientError: the keys, the token, `redirected`.
    """
    from heatpool_client import keys  # noqa: PLC0415 - 30 ms, and seldom needed

    has_keys = read_private(pool.home.identity) is not None
    sign = (
        keys.load(pool.home).sign(installation, pool.clock.now_s, randomness) if has_keys else None
    )
    token = configuration.read_token(pool.home, pool.environ)
    headers = None if request.body is None else {"content-type": "application/json"}
    with Connection(pool.config.hub_url, pool.config, token, permit, pool.clock, sign) as hub:
        answer = hub.ask(request.method, request.path, headers=headers, content=request.body)
    if retry.is_worth_repeating(answer.status):
        asked_s = retry.retry_after_s(answer.headers.get("retry-after"), pool.clock.now_s())
        raise Unreachable(f"status {answer.status}", asked_s)
    if answer.status >= STATUS_ERROR:
        raise refusal(answer)
    return answer
