"""An existing logger's database: VictoriaMetrics (or Prometheus) and InfluxDB 1.

In: an address, a `QueryMap`. Out: what was seen of each value. Guarantee: only reads, each query
with a deadline and a cap; a query without an answer is unread, the others count. In a home the
database is a neighbour, so plain HTTP is fine here; nothing of the pool goes there.

Sources: https://docs.victoriametrics.com/keyconcepts (instant query), InfluxDB 1.8 documentation,
"Query data with the InfluxDB API".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import msgspec

from heatpool_client.faults import ClientError, Fault
from heatpool_client.sources.mapping import QueryMap, Seen, judge

if TYPE_CHECKING:
    import httpx

TIMEOUT_S: Final = 10.0
ANSWER_BYTES_MAX: Final = 1024 * 1024


class _Series(msgspec.Struct, frozen=True):
    value: tuple[float, str]


class _Result(msgspec.Struct, frozen=True):
    result: list[_Series]


class _Victoria(msgspec.Struct, frozen=True):
    data: _Result


class _InfluxSeries(msgspec.Struct, frozen=True):
    values: list[list[float | str | None]]


class _InfluxResult(msgspec.Struct, frozen=True):
    series: list[_InfluxSeries] = []


class _Influx(msgspec.Struct, frozen=True):
    results: list[_InfluxResult]


class QuerySource:
    """One database."""

    def __init__(
        self,
        queries: QueryMap,
        url: str,
        kind: Literal["victoria", "influx"],
        database: str | None = None,
    ) -> None:
        """Connect nothing yet.

        Args:
            queries: one instant value each.
            url: base address, `http://localhost:8428`.
            kind: how to ask.
            database: InfluxDB's `db`.
        """
        import httpx  # noqa: PLC0415 - 100 ms that other sources need not pay

        self._queries = queries.queries
        self._url = url.rstrip("/")
        self._kind = kind
        self._database = database
        self._http: httpx.Client = httpx.Client(timeout=TIMEOUT_S, follow_redirects=False)

    def read(self) -> list[Seen]:
        """Ask all queries once.

        Raises:
            ClientError: `source_unreachable`, no query had an answer.
        """
        import httpx  # noqa: PLC0415 - loaded by __init__

        seen, failed = [], None
        for one in self._queries:
            raw = None
            try:
                raw = self._ask(one.query)
            except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
                failed = error
            seen.append(judge(one, raw))
        if failed is not None and all(one.verdict == "unread" for one in seen):
            raise ClientError(Fault.SOURCE_UNREACHABLE, self._url, failed) from failed
        return seen

    def close(self) -> None:
        """Close the sockets."""
        self._http.close()

    def _ask(self, query: str) -> float | None:
        if self._kind == "victoria":
            body = self._get("/api/v1/query", {"query": query})
            series = msgspec.json.decode(body, type=_Victoria).data.result
            return float(series[0].value[1]) if len(series) == 1 else None
        parameters = {"q": query, "epoch": "s"}
        if self._database is not None:
            parameters["db"] = self._database
        answer = msgspec.json.decode(self._get("/query", parameters), type=_Influx)
        found = [row for result in answer.results for one in result.series for row in one.values]
        value = found[-1][1] if found and len(found[-1]) > 1 else None
        return None if value is None else float(value)

    def _get(self, path: str, parameters: dict[str, str]) -> bytes:
        with self._http.stream("GET", self._url + path, params=parameters) as answer:
            answer.raise_for_status()
            body = b""
            for chunk in answer.iter_bytes():
                body += chunk
                if len(body) > ANSWER_BYTES_MAX:
                    raise ValueError("the answer is too large")
        return body
