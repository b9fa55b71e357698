"""Readings from databases that loggers fill: VictoriaMetrics and InfluxDB 1 really, 2 by its form.

There is no server of InfluxDB 2 in Debian or on PyPI: its answers below are in the form of its
documentation ("Query with the InfluxDB API", "Annotated CSV"), served by the test's own server.
"""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulators import influx
from simulators.hub import Hub, Reply

from heatpool_client.faults import ClientError, Fault
from heatpool_client.home import Home, write_private
from heatpool_client.sources import opening
from heatpool_client.sources.mapping import Query, QueryMap, reading
from heatpool_client.sources.queries import (
    Database,
    QuerySource,
    flux_value,
    influx_value,
    victoria_value,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FLUX = 'from(bucket: "home") |> range(start: -10m) |> last()'
ANSWER = (
    b"#datatype,string,long,dateTime:RFC3339,double,string\r\n"
    b"#group,false,false,false,false,true\r\n#default,_result,,,,\r\n"
    b",result,table,_time,_value,_field\r\n,,0,2026-11-24T20:00:00Z,41.5,flow\r\n\r\n"
)
UNAUTHORIZED = b'{"code":"unauthorized","message":"unauthorized access"}'


def maps(*queries: str) -> QueryMap:
    """A map with a field for each query."""
    return QueryMap(
        model="m",
        source="s",
        queries=tuple(
            Query(field=f"f{number}", unit="°C", low=0, high=90, query=query)
            for number, query in enumerate(queries)
        ),
    )


def test_victoriametrics_is_asked_for_each_field(victoria_url: str) -> None:
    """A real one; a query without an answer is unread."""
    now_ms = int(time.time() * 1000)
    line = f'{{"metric":{{"__name__":"src_flow"}},"values":[35.5],"timestamps":[{now_ms}]}}'
    httpx.post(f"{victoria_url}/api/v1/import", content=line).raise_for_status()
    httpx.get(f"{victoria_url}/internal/force_flush").raise_for_status()
    queries = maps("last_over_time(src_flow[5m])", "no_such_series")
    with closing(QuerySource(queries, Database(kind="victoria", url=victoria_url))) as source:
        deadline_s = time.monotonic() + 10
        while not reading(source.read()) and time.monotonic() < deadline_s:
            time.sleep(0.1)
        seen = source.read()
    assert [(one.value, one.verdict) for one in seen] == [(35.5, "ok"), (None, "unread")]


def test_influxdb_1_is_asked_for_each_field(tmp_path: Path) -> None:
    """A real one, with a password; a broken query costs its value, a wrong password is said."""
    home = Home(tmp_path / "home")
    home.create()
    map_path = tmp_path / "mine.yaml"
    map_path.write_text(
        "model: m\nsource: s\nqueries:\n"
        "  - {field: temp_flow, unit: °C, low: 0, high: 90, query: SELECT last(flow) FROM hp}\n"
        "  - {field: gone, unit: °C, low: 0, high: 90, query: SELECT last(gone) FROM hp}\n"
        "  - {field: broken, unit: °C, low: 0, high: 90, query: SELECT FROM}\n",
        encoding="utf-8",
    )
    with influx.running(tmp_path) as url:
        influx.write(url, "hp flow=41.5")
        for password, expected in ((influx.PASSWORD, {"temp_flow": 41.5}), ("wrong", None)):
            text = (
                f'kind = "influx"\nmap = "{map_path}"\nurl = "{url}"\ndatabase = "home"\n'
                f'username = "{influx.USER}"\npassword = "{password}"\n'
            )
            write_private(home.source, text.encode())
            settings = opening.read_settings(home)
            assert password not in repr(settings)
            with opening.opened(settings) as source:
                if expected is not None:
                    seen = source.read()
                    assert reading(seen) == expected
                    assert [one.verdict for one in seen] == ["ok", "unread", "unread"]
                else:
                    with pytest.raises(ClientError, match="401"):
                        source.read()


def test_influxdb_2_is_asked_in_flux(hub: Hub) -> None:
    """Flux as it stands in the map, the token as InfluxDB wants it, the answer an annotated CSV."""
    hub.scripted.extend([Reply(200, ANSWER), Reply(401, UNAUTHORIZED), Reply(200, b"<html>")])
    database = Database(kind="influx2", url=hub.url, org="my home", token="secret")
    with closing(QuerySource(maps(FLUX), database)) as source:
        assert reading(source.read()) == {"f0": 41.5}
        for reason in ("unauthorized access", "_value"):
            with pytest.raises(ClientError, match=reason) as caught:
                source.read()
            assert caught.value.code is Fault.SOURCE_UNREACHABLE
    asked = hub.requests[0]
    assert (asked.method, asked.path, asked.query) == ("POST", "/api/v2/query", {"org": "my home"})
    assert (asked.headers["authorization"], asked.body.decode()) == ("Token secret", FLUX)
    assert "secret" not in repr(database)


def test_a_database_that_answers_without_end_is_left(hub: Hub) -> None:
    """Garbage, errors and more than a megabyte are `source_unreachable`, not a crash."""
    hub.scripted.extend(
        [Reply(200, b"x" * (2 * 1024**2)), Reply(500), Reply(302, b"", {"location": "http://x/"})]
    )
    with closing(QuerySource(maps("SELECT 1"), Database(kind="influx", url=hub.url))) as source:
        for _ in range(3):
            with pytest.raises(ClientError) as caught:
                source.read()
            assert caught.value.code is Fault.SOURCE_UNREACHABLE


@pytest.mark.parametrize(
    ("read", "body", "value"),
    [
        (flux_value, ANSWER, 41.5),
        (flux_value, ANSWER + ANSWER, None),
        (flux_value, b"\r\n", None),
        (flux_value, b",result,table,_value\r\n,_result,0,\r\n", None),
        (influx_value, b'{"results":[{"statement_id":0}]}', None),
        (influx_value, b'{"results":[{"series":[{"values":[[1,2],[3,4.5]]}]}]}', 4.5),
        (victoria_value, b'{"data":{"result":[]}}', None),
        (victoria_value, b'{"data":{"result":[{"value":[1,"2"]},{"value":[1,"3"]}]}}', None),
    ],
)
def test_an_answer_is_one_number_or_none(
    read: Callable[[bytes], float | None], body: bytes, value: float | None
) -> None:
    """Two series are not one: which of them is meant nobody knows."""
    assert read(body) == value


def test_an_error_after_the_status_is_an_error() -> None:
    """InfluxDB 2 begins with 200 and says later what went wrong."""
    body = b'#datatype,string,long\r\n,error,reference\r\n,"query timed out",897\r\n'
    with pytest.raises(ValueError, match="query timed out"):
        flux_value(body)


@given(st.binary(max_size=200))
def test_no_answer_is_an_unknown_error(body: bytes) -> None:
    """A number, nothing, or ValueError."""
    for read in (victoria_value, influx_value, flux_value):
        try:
            found = read(body)
        except ValueError:
            continue
        assert found is None or isinstance(found, float)
