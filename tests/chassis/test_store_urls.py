"""Every call of the store's client, at the URLs of a node, a prefix, a vmauth, a cluster."""

from __future__ import annotations

import re
import secrets
import time
from typing import TYPE_CHECKING

import msgspec
import pytest
from servers import Server
from simulators.store_of_a_cluster import ClusterDoors

from heatpool_chassis.settings import described
from heatpool_chassis.victoria import StoreError, StoreUnavailableError, Victoria, VictoriaUrls
from heatpool_deploy.free_ports import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

VMAUTH = """\
users:
- username: writer
  password: {password}
  url_map:
  - src_paths: ["/prometheus/api/v1/import", "/prometheus/api/v1/import/native"]
    url_prefix: "{store}"
- username: reader
  password: {password}
  url_map:
  - src_paths: ["/prometheus/api/v1/.*"]
    url_prefix: "{store}"
"""


@pytest.fixture(params=["single", "prefix", "cluster", "vmauth"])
def urls(
    request: pytest.FixtureRequest, victoria_url: str, tmp_path: Path
) -> Iterator[VictoriaUrls]:
    """Base URLs that lead to the same real store."""
    if request.param == "single":
        yield VictoriaUrls(victoria_url, victoria_url, victoria_url)
    elif request.param == "prefix":
        below = f"{victoria_url}/prometheus"
        yield VictoriaUrls(below, below, below, (victoria_url,))
    elif request.param == "cluster":
        doors = ClusterDoors(tmp_path, victoria_url)
        doors.start()
        yield doors.urls
        doors.stop()
    else:
        port, password = free_port(), secrets.token_hex(8)
        (tmp_path / "auth.yml").write_text(VMAUTH.format(password=password, store=victoria_url))
        command = [
            "vmauth", f"-auth.config={tmp_path}/auth.yml", f"-httpListenAddr=127.0.0.1:{port}"
        ]  # fmt: skip
        front = Server(command, tmp_path / "vmauth.log", f"http://127.0.0.1:{port}/health")
        front.start()
        at = f"{password}@127.0.0.1:{port}/prometheus"
        write, read = f"http://writer:{at}", f"http://reader:{at}"
        yield VictoriaUrls(write, read, f"{victoria_url}/prometheus", (victoria_url,))
        front.stop()


async def test_every_call_reaches_the_store(urls: VictoriaUrls) -> None:
    """Import, flush, read in each way, own format, delete, merge, own metrics."""
    home, now_ms = secrets.token_hex(16), round(time.time()) * 1000
    selector, copy = f'{{installation="{home}"}}', f'{{installation="{home}",model="m"}}'
    metric = {"__name__": "heatpump_power", "installation": home, "model": "m"}
    stamps = [now_ms - 60_000 * step for step in (3, 2, 1)]
    line = msgspec.json.encode({"metric": metric, "values": [1, 2, 3], "timestamps": stamps})
    async with Victoria(urls) as store:
        await store.import_lines([line])
        await store.force_flush()
        exported = [one async for one in store.export(selector, 0, now_ms)]
        at = await store.query(f"count_over_time(heatpump_power{selector}[1h])", now_ms / 1000)
        steps = await store.query_range(
            f"sum_over_time(heatpump_power{selector}[1h])", now_ms / 1000 - 60, now_ms / 1000, 60
        )
        names = await store.names(selector, now_ms / 1000 - 3600, now_ms / 1000)
        native = b"".join([part async for part in store.export_native(copy)])
        await store.delete_series(selector)
        deleted = [one async for one in store.export(selector, 0, now_ms)]
        await store.import_native(_parts(native))
        await store.force_flush()
        restored = [one async for one in store.export(selector, 0, now_ms)]
        await store.force_merge(time.strftime("%Y_%m"))
        own = await store.metrics()

    assert [(one.values, one.timestamps) for one in exported] == [([1, 2, 3], stamps)]
    assert at[0].value[1] == "3"
    assert steps[0].values[-1][1] == "6"
    assert names == ["heatpump_power"]
    assert deleted == []
    assert restored == exported
    assert own["vm_app_start_timestamp"] > 0
    assert any(name.startswith("vm_rows_inserted_total") for name in own)


async def _parts(native: bytes) -> AsyncIterator[bytes]:
    yield native


async def test_of_several_processes_each_one_counts(victoria_url: str, tmp_path: Path) -> None:
    """A restart of any changes the sum of starts; the youngest age is the store's."""
    doors = ClusterDoors(tmp_path, victoria_url)
    doors.start()
    try:
        async with Victoria(doors.urls) as cluster, Victoria(_root(victoria_url)) as node:
            both, one = await cluster.metrics(), await node.metrics()
    finally:
        doors.stop()

    start, age = "vm_app_start_timestamp", "vm_app_uptime_seconds"
    assert both[start] == 2 * one[start]
    assert both[age] <= one[age]


async def test_a_base_url_without_a_merge_is_a_wrong_set_up_not_a_bad_request(
    victoria_url: str,
) -> None:
    """As `force_flush` at the write URL of a cluster: what waits must not be buried for it."""
    below = f"{victoria_url}/prometheus"
    async with Victoria(VictoriaUrls(below, below, below)) as store:
        with pytest.raises(StoreUnavailableError, match="is unknown there"):
            await store.force_merge("2026_11")
        with pytest.raises(StoreError):
            await store.force_flush()


def test_a_password_in_a_url_is_not_logged() -> None:
    """The settings are logged at start; a vmauth in front is reached with a password."""

    class Some(msgspec.Struct):
        url: str = "http://writer:geheim@store:8427/prometheus"
        urls: tuple[str, ...] = ("http://a:geheim@s1:8482", "http://s2:8482")

    shown = described(Some())

    assert "geheim" not in str(shown)
    assert shown["url"] == "http://writer:***@store:8427/prometheus"
    assert re.findall(r"http://[^']+", shown["urls"]) == ["http://a:***@s1:8482", "http://s2:8482"]


def _root(url: str) -> VictoriaUrls:
    return VictoriaUrls(url, url, url)
