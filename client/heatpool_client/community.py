"""What the pool says about all homes, and gives back of this one.

In: an installation's door to the pool. Out: statistics, the rank, own data. Guarantee: only asks,
and only with consent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from heatpool_client.connection import STATUS_ERROR, Unreachable, refusal
from heatpool_client.faults import ClientError, Fault
from heatpool_client.retry import is_worth_repeating, retry_after_s
from heatpool_contract.answers import AveragesAnswer, PoolStatus, RankingAnswer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from heatpool_client.connection import Answer, Connection, Sink
    from heatpool_client.pool import Pool
    from heatpool_contract.community import Window

AVERAGES_PATH: Final = "/api/v1/community/averages"
RANKING_PATH: Final = "/api/v1/community/ranking"
STATUS_PATH: Final = "/api/v1/pool/status"
EXPORT_PATH: Final = "/api/v1/installations/{}/export"
EXPORT_BYTES_MAX: Final = 4 * 1024**3  # a year of minutes with 60 fields is about 1 GB of CSV
EXPORT_S_MAX: Final = 3600.0

A = TypeVar("A", AveragesAnswer, RankingAnswer, PoolStatus)


def averages(pool: Pool, window: Window = "7d") -> AveragesAnswer:
    """Statistics over the homes with this heat pump.

    Raises:
        Unreachable: not now.
        Refused: too few homes.
        ClientError: no consent, no token, `answer_garbled`.
    """
    return _asked(
        pool, AVERAGES_PATH, {"model": pool.config.model, "window": window}, AveragesAnswer
    )


def ranking(pool: Pool, window: Window = "30d") -> RankingAnswer:
    """Where this home's COP stands among them.

    Raises:
        ClientError: as `averages`.
    """
    who = {"installation_id": pool.config.installation_id, "model": pool.config.model}
    return _asked(pool, RANKING_PATH, {**who, "window": window}, RankingAnswer)


def status(pool: Pool) -> PoolStatus:
    """How large the pool is.

    Raises:
        ClientError: as `averages`.
    """
    return _asked(pool, STATUS_PATH, {}, PoolStatus)


def export(pool: Pool, sink: Sink, form: str = "csv") -> None:
    """Everything that the pool stores of this home goes to `sink`, piece by piece.

    Raises:
        ClientError: as `averages`.
    """
    answer = pool.hub().fetch(
        EXPORT_PATH.format(pool.config.installation_id),
        {"format": form},
        sink,
        headers={},
        bytes_max=EXPORT_BYTES_MAX,
        s_max=EXPORT_S_MAX,
    )
    _expect_success(pool, answer)


def _asked(pool: Pool, path: str, params: Mapping[str, str], kind: type[A]) -> A:
    hub = pool.hub()
    answer = hub.ask("GET", path, params=params)
    _expect_success(pool, answer)
    return _decoded(hub, answer, kind)


def _decoded(hub: Connection, answer: Answer, kind: type[A]) -> A:
    try:
        return msgspec.json.decode(answer.body, type=kind)
    except ValueError as error:
        raise ClientError(Fault.ANSWER_GARBLED, hub.base_url, error) from error


def _expect_success(pool: Pool, answer: Answer) -> None:
    if is_worth_repeating(answer.status):
        asked_s = retry_after_s(answer.headers.get("retry-after"), pool.clock.now_s())
        raise Unreachable(f"status {answer.status}, {refusal(answer).problem.code}", asked_s)
    if answer.status >= STATUS_ERROR:
        raise refusal(answer)
