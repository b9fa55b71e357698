"""An existing logger's database: VictoriaMetrics (or Prometheus), InfluxDB 1, InfluxDB 2.

In: a `Database`, a `QueryMap`. Out: what was seen of each value. Guarantee: only reads, each query
with a deadline and a cap; a query without an answer is unread, the others count. In a home the
database is a neighbour, so plain HTTP is fine here; nothing of the pool goes there.

Sources: https://docs.victoriametrics.com/keyconcepts (instant query); InfluxDB 1.8 documentation,
"Query data with the InfluxDB API"; InfluxDB 2 documentation, "Query with the InfluxDB API" and
"Annotated CSV".
"""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from heatpool_client.faults import ClientError, Fault
from heatpool_client.sources.mapping import QueryMap, Seen, judge

if TYPE_CHECKING:
    import httpx

TIMEOUT_S: Final = 10.0
ANSWER_BYTES_MAX: Final = 1024 * 1024
REASON_CHARS_MAX: Final = 200  # of what a database says of an error

Kind = Literal["victoria", "influx", "influx2"]


class Database(msgspec.Struct, frozen=True, kw_only=True):
    """Where to ask, and as whom."""

    kind: Kind
    url: str
    """Base address, `http://localhost:8428`."""
    database: str | None = None
    """InfluxDB 1: `db`."""
    org: str | None = None
    """InfluxDB 2: organisation."""
    username: str | None = None
    password: str | None = None
    token: str | None = None

    def __repr__(self) -> str:
        """Without the secrets."""
        return f"Database({self.kind}, {self.url!r})"


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
    error: str | None = None


class _Influx(msgspec.Struct, frozen=True):
    results: list[_InfluxResult]


class QuerySource:
    """One database."""

    def __init__(self, queries: QueryMap, database: Database) -> None:
        """Connect nothing yet; `queries` are one instant value each."""
        import httpx  # noqa: PLC0415 - 100 ms that other sources need not pay

        self._queries = queries.queries
        self._database = database
        self._url = database.url.rstrip("/")
        self._http: httpx.Client = httpx.Client(
            timeout=TIMEOUT_S, follow_redirects=False, headers=_credentials(database)
        )
        if database.username is not None:
            self._http.auth = httpx.BasicAuth(database.username, database.password or "")

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
            except (httpx.HTTPError, httpx.InvalidURL, ValueError, RecursionError) as error:
                failed = error
            seen.append(judge(one, raw))
        if failed is not None and all(one.verdict == "unread" for one in seen):
            raise ClientError(Fault.SOURCE_UNREACHABLE, self._url, failed) from failed
        return seen

    def close(self) -> None:
        """Close the sockets."""
        self._http.close()

    def _ask(self, query: str) -> float | None:
        if self._database.kind == "victoria":
            return victoria_value(self._get("/api/v1/query", {"query": query}))
        if self._database.kind == "influx2":
            where = {} if self._database.org is None else {"org": self._database.org}
            headers = {"content-type": "application/vnd.flux", "accept": "application/csv"}
            path = "/api/v2/query"
            return flux_value(self._ask_for("POST", path, where, query.encode(), headers))
        parameters = {"q": query, "epoch": "s"}
        if self._database.database is not None:
            parameters["db"] = self._database.database
        return influx_value(self._get("/query", parameters))

    def _get(self, path: str, parameters: dict[str, str]) -> bytes:
        return self._ask_for("GET", path, parameters, None, {})

    def _ask_for(
        self,
        method: str,
        path: str,
        parameters: dict[str, str],
        content: bytes | None,
        headers: dict[str, str],
    ) -> bytes:
        with self._http.stream(
            method, self._url + path, params=parameters, content=content, headers=headers
        ) as answer:
            body = b""
            for chunk in answer.iter_bytes():
                body += chunk
                if len(body) > ANSWER_BYTES_MAX:
                    raise ValueError("the answer is too large")
        if not answer.is_success:
            said = body[:REASON_CHARS_MAX].decode("utf-8", "replace").strip()
            raise ValueError(f"status {answer.status_code}: {said}")
        return body


def victoria_value(body: bytes) -> float | None:
    """The number of an instant query; None unless it is exactly one.

    Raises:
        ValueError: no such answer.
    """
    series = msgspec.json.decode(body, type=_Victoria).data.result
    return float(series[0].value[1]) if len(series) == 1 else None


def influx_value(body: bytes) -> float | None:
    """The last number of an InfluxQL query; None if there is none.

    Raises:
        ValueError: no such answer, or an error of the database.
    """
    results = msgspec.json.decode(body, type=_Influx).results
    for result in results:
        if result.error is not None:
            raise ValueError(result.error)
    found = [row for result in results for one in result.series for row in one.values]
    value = found[-1][1] if found and len(found[-1]) > 1 else None
    return None if value is None else float(value)


def flux_value(body: bytes) -> float | None:
    """The `_value` of a Flux query, an annotated CSV; None unless it is exactly one.

    Raises:
        ValueError: no such answer, or an error that came after the status.
    """
    values: list[str] = []
    header: list[str] | None = None
    try:
        for row in csv.reader(body.decode().splitlines()):
            if not any(row):
                header = None  # a blank line: the next table
            elif row[0].startswith("#"):
                continue  # annotations: types, groups, defaults
            elif header is None:
                header = row
                if not {"_value", "error"} & set(row):
                    raise ValueError(f"no _value in {row}")
            elif "error" in header:
                raise ValueError(",".join(row).strip(","))
            else:
                values.append(row[header.index("_value")])
    except (csv.Error, IndexError) as error:
        raise ValueError(f"no annotated CSV: {error}") from error
    return float(values[0]) if len(values) == 1 and values[0] else None


def _credentials(database: Database) -> dict[str, str]:
    if database.token is None:
        return {}
    scheme = "Bearer" if database.kind == "victoria" else "Token"
    return {"authorization": f"{scheme} {database.token}"}
