"""Every query of every dashboard returns data from a store that a running pool has filled."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, cast

import httpx
import msgspec
import pytest
import yaml
from conftest import TEST_SIZES
from pool import Pool, submission
from shipped import script

from heatpool_contract.community import METRICS
from heatpool_deploy.free_ports import free_port
from heatpool_fleet import posting
from heatpool_fleet.demo.running import wait_for_release
from heatpool_fleet.homes import make_homes
from heatpool_fleet.simulation import simulate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nats.aio.client import Client

pytestmark = [pytest.mark.pipeline, pytest.mark.slow, pytest.mark.timeout(240)]
ROOT = Path(__file__).parent.parent.parent
DEPLOY = ROOT / "deploy"
MODEL, SLUG = "AERO SLM 6-17", "aero_slm_6_17"
DAYS = 14.0
PASSERS_BY = 10  # homes with a record or two, for statistics that need fifteen
SCRAPED_S = 8.0
NAME = re.compile(r"\b(?:heatpool|vm|heatpump)_\w+|\bup\b")
BUILD = script(DEPLOY / "grafana" / "build.py")
DRAW = script(DEPLOY / "grafana" / "draw.py")
SHOTS = Path(os.environ.get("HEATPOOL_SCREENSHOTS") or ROOT / ".bench") / "dashboards"
METRICS_PAGE = script(ROOT / "docs" / "operations" / "metrics.py")
QUERIES = sorted(
    {
        query.replace("$model", ".+")
        for _, rows, _ in BUILD.DASHBOARDS.values()
        for row in rows
        for panel in row.panels
        for query, _ in panel.queries
    }
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a store with homes, a release, mishaps, and the processes' own metrics."""
    folder = tmp_path_factory.mktemp("observed")
    pool = Pool(
        folder / "pool",
        sizes=TEST_SIZES,
        HEATPOOL_WRITER_DURABLE_S="1",
        HEATPOOL_TRAINER_QUIET_S="2",
        HEATPOOL_TRAINER_INTERVAL_S_MIN="0",
    )
    try:
        pool.start(("nats", "victoria", "ingest", "writer", "trainer", "modelhub"))
        canary_port = free_port()
        beside = (_canary(pool, canary_port), _scrape(pool, folder, canary_port))
        try:
            _live(pool)
            time.sleep(SCRAPED_S)
            httpx.get(f"{pool.stack.victoria_url}/internal/force_flush")
            yield pool.stack.victoria_url
        finally:
            for process in beside:
                process.terminate()
                process.wait()
    finally:
        pool.stop()


def _canary(pool: Pool, port: int) -> subprocess.Popen[bytes]:
    """As its unit starts it, more often."""
    return subprocess.Popen(
        ["heatpoolctl", "canary", "--every", "3", "--port", str(port)],
        env=pool.environment,
        stdout=subprocess.DEVNULL,
    )


def _scrape(pool: Pool, folder: Path, canary_port: int) -> subprocess.Popen[bytes]:
    """Vmagent of Debian with the shipped file, its targets those of this pool."""
    jobs = yaml.safe_load((DEPLOY / "victoria" / "scrape.yaml").read_text())
    jobs["global"] = {"scrape_interval": "1s"}
    own = {"victoria": pool.stack.ports.victoria, "canary": canary_port}
    for job in jobs["scrape_configs"]:
        name = job["job_name"].removeprefix("heatpool-")
        port = own.get(name) or getattr(pool.stack.ports, f"private_{name}")
        job["static_configs"] = [{"targets": [f"127.0.0.1:{port}"]}]
    (folder / "scrape.yaml").write_text(yaml.safe_dump(jobs))
    program = shutil.which("vmagent")
    assert program is not None
    return subprocess.Popen(
        [
            program,
            f"-promscrape.config={folder / 'scrape.yaml'}",
            f"-remoteWrite.url={pool.stack.victoria_url}/api/v1/write",
            f"-remoteWrite.tmpDataPath={folder / 'vmagent'}",
            "-httpListenAddr=127.0.0.1:0",
            "-loggerLevel=ERROR",
        ]
    )


def _live(pool: Pool) -> None:
    """A fortnight of eight homes, some passers-by, a wrong clock, a repeat, poison, a release."""
    now_s = time.time() // 60 * 60
    homes = simulate(make_homes(8, 7, MODEL), now_s - DAYS * 86_400, DAYS, 60.0, 7)
    target = posting.Target(pool.stack.ingest_url, pool.token)
    asyncio.run(posting.post(homes, target, lambda _counts: None))
    for _ in range(PASSERS_BY):
        body = submission(str(uuid.uuid4()), [{"timestamp": now_s, "temp_flow": 35.0}], MODEL)
        ahead = {"timestamp": now_s + 3600, "temp_flow": 35.0}
        body["data"] = [*cast("list[object]", body["data"]), ahead]
        body["sent_at"] = now_s + 60
        assert [pool.post(body).json()["duplicate"] for _ in range(2)] == [False, True]

    async def poison(client: Client) -> None:
        """A message that no edge wrote."""
        await client.jetstream().publish(f"telemetry.{SLUG}.{'0' * 32}", b"junk")

    pool.on_bus(poison)
    _daily(pool.stack.victoria_url, now_s)
    hub = pool.stack.modelhub_url
    wait_for_release(pool.stack, SLUG)
    httpx.get(
        f"{hub}/api/v1/model/check", params={"installation_id": str(uuid.uuid4()), "model": MODEL}
    ).raise_for_status()


def _daily(url: str, now_s: float) -> None:
    """What the hub's nightly rollup writes, of sixteen homes."""
    lines = [
        msgspec.json.encode(
            {
                "metric": {
                    "__name__": f"heatpool_daily_{metric}",
                    "installation": f"{home:032x}",
                    "model": SLUG,
                },
                "values": [rule.low + home],
                "timestamps": [round((now_s - 3600) * 1000)],
            }
        )
        for metric, rule in METRICS.items()
        for home in range(16)
    ]
    httpx.post(f"{url}/api/v1/import", content=b"\n".join(lines)).raise_for_status()


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_returns_data(store: str, query: str) -> None:
    """At the present time, with every model chosen."""
    answer = httpx.get(f"{store}/api/v1/query", params={"query": query, "nocache": "1"})

    assert answer.status_code == 200, answer.text
    assert answer.json()["data"]["result"], query


@pytest.mark.parametrize("uid", BUILD.DASHBOARDS)
def test_every_panel_can_be_drawn(store: str, uid: str) -> None:
    """From the same queries over time: a picture a dashboard, no panel without data."""
    now_s = time.time()

    assert DRAW.draw(uid, store, SHOTS, DRAW.Span(now_s - 120, now_s)) == []
    assert (SHOTS / f"{uid}.png").stat().st_size > 10_000


def test_every_name_in_a_rule_is_a_series(store: str) -> None:
    """Rules are silent in health, so their series are looked for one by one."""
    known = set(httpx.get(f"{store}/api/v1/label/__name__/values").json()["data"])
    rules = [
        rule["expr"]
        for group in yaml.safe_load((DEPLOY / "vmalert" / "rules.yaml").read_text())["groups"]
        for rule in group["rules"]
    ]
    used = {name for rule in rules for name in NAME.findall(rule)}
    for rule in rules:
        httpx.get(f"{store}/api/v1/query", params={"query": rule}).raise_for_status()

    assert used - known <= METRICS_PAGE.names()
    assert {name for name in used if name.startswith(("vm_", "heatpump_"))} <= known
