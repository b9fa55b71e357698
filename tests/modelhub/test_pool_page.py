"""The public page and its API over real HTTP: privacy, caching, languages, the store away."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import sys
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from simulators import publisher as pub
from simulators.filled_pool import DAYS_BEFORE, HOMES, RARE, RARE_HOMES, K, filled_pool, home
from simulators.running_hub import MODEL_NAME, RunningHub, contributor, name_of

from heatpool_chassis.victoria import StoreError, Victoria, VictoriaUrls
from heatpool_contract.census import CENSUS_KEY
from heatpool_contract.overview import PoolOverview
from heatpool_contract.subjects import KV_COMMUNITY
from heatpool_deploy.free_ports import free_port
from heatpool_modelhub.overview import STEP_S
from heatpool_modelhub.rollup import RollupJob
from heatpool_modelhub.statistics import Rules

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from nats.aio.client import Client

    from heatpool_chassis.lifecycle import Lifecycle

DOCS = Path(__file__).parent.parent.parent / "docs" / "pages.md"
ASSET = re.compile(r'(?:href|src)="(/static/[^"]+)"')


@pytest.fixture
async def filled(bus: Client, life: Lifecycle, victoria: Victoria) -> AsyncIterator[RunningHub]:
    """A hub with a pool of two models, after its rollup."""
    hub = await filled_pool(bus, life, victoria)
    yield hub
    await hub.stop()


async def overview(hub: RunningHub, window: str = "1d") -> PoolOverview:
    """As anybody gets it."""
    answer = await hub.http.get("/api/v1/pool/overview", params={"window": window})
    assert answer.status_code == 200, answer.text
    return msgspec.json.decode(answer.content, type=PoolOverview)


async def test_the_overview_says_what_there_is_with_units_and_numbers(filled: RunningHub) -> None:
    """Growth, homes, release, freshness and statistics, from real samples through a real rollup."""
    pool = await overview(filled)

    assert (pool.totals.homes, pool.totals.data_sufficient) == (HOMES + RARE_HOMES, True)
    assert pool.totals.data_points == 46_000_000
    assert len(pool.growth) == DAYS_BEFORE + 1
    assert pool.growth[-1].homes == HOMES + RARE_HOMES
    assert pool.growth == sorted(pool.growth, key=lambda one: one.timestamp)
    (model,) = pool.homes_per_model.models
    assert (model.name, model.homes) == (MODEL_NAME, 20)
    assert pool.homes_per_model.others == 10
    (release,) = pool.releases.models
    assert (release.version, release.state) == ("v2026.11", "released")
    assert (pool.freshness.newest, pool.freshness.newest_age_s_max) == ("hour", 3600)
    (shown,) = pool.statistics.models
    cop = shown.metrics["cop"]
    assert cop.n == 20
    assert cop.p25 is not None
    assert cop.p75 is not None
    assert 3.0 < cop.p25 <= cop.median <= cop.p75 < 5.0
    assert shown.metrics["temp_flow"].unit == "°C"
    assert (await overview(filled, "30d")).statistics.models == []  # one day is no half of 30
    assert {one.code for one in pool.not_collected} >= {"address", "name", "place"}
    assert all(one.text != one.text_de for one in (*pool.collected, *pool.not_collected))


async def test_a_model_below_the_least_number_is_named_nowhere(filled: RunningHub) -> None:
    """14 homes with data and statistics of their own: neither name nor figure, on no public way."""
    await filled.until(lambda: filled.parts.registry.pool(RARE).installations == RARE_HOMES)
    texts = [
        (await filled.http.get(path)).text
        for path in (
            "/",
            "/api/v1/pool/overview?window=1d",
            "/api/v1/pool/overview?window=7d",
            "/api/v1/pool/overview?window=30d",
            *(
                f"/api/v1/badge/{name}.{kind}"
                for name in ("homes", "models", "points")
                for kind in ("json", "svg")
            ),
        )
    ]

    assert RARE_HOMES == K - 1
    for text in texts:
        assert RARE not in text
        for number in (0, HOMES):
            assert home(number) not in text
            assert name_of(home(number)) not in text


async def test_a_release_of_a_rare_model_is_counted_and_not_named(hub: RunningHub) -> None:
    """Its pointer is public to who contributes; here it is one of the others."""
    await hub.enter(pub.HOME, contributor())
    await hub.publish(pub.release())

    pool = await overview(hub)

    assert (pool.releases.models, pool.releases.others) == ([], 1)
    assert MODEL_NAME not in msgspec.json.encode(pool).decode()
    assert (pool.growth, pool.freshness.newest, pool.statistics.models) == ([], "unknown", [])


async def test_two_readings_five_minutes_apart_show_no_home(filled: RunningHub) -> None:
    """A home more at once changes the total, which is public, and no figure of a model."""
    before = await overview(filled)
    await filled.enter(home(900), contributor(model=pub.MODEL))
    same = await overview(filled)
    filled.now_s += STEP_S
    after = await overview(filled)

    assert same == before
    assert after.totals.homes == before.totals.homes + 1
    assert after.homes_per_model == before.homes_per_model
    assert after.growth == before.growth
    assert after.statistics == before.statistics


async def test_the_overview_works_while_the_store_is_away(bus: Client, life: Lifecycle) -> None:
    """It is read from memory; a census that is damaged leaves the last one in place."""
    hub = RunningHub(bus, life)  # with no store at all
    await hub.start()
    bucket = await bus.jetstream().key_value(KV_COMMUNITY)
    await bucket.put(
        CENSUS_KEY,
        b'{"days":[{"day":1,"homes":17,"points":9}],"models":[{"model":"m","homes":17,"is_shown":true}],"others":0}',
    )
    await hub.until(lambda: bool(hub.parts.community.census.days))
    await bucket.put(CENSUS_KEY, b"{")
    await hub.until(
        lambda: hub.metric("heatpool_modelhub_malformed_entries_total", bucket=KV_COMMUNITY) == 1
    )

    pool = await overview(hub)

    assert [(one.model, one.homes) for one in pool.homes_per_model.models] == [("m", 15)]
    assert [(one.timestamp, one.homes) for one in pool.growth] == [(2 * 86_400, 17)]
    await hub.stop()


async def test_a_day_is_counted_though_the_store_is_down(hub: RunningHub) -> None:
    """The rollup fails and is tried again; the page has its day, once."""
    for number in range(K):
        await hub.enter(home(number), contributor(model=pub.MODEL))
    nowhere = f"http://127.0.0.1:{free_port()}"
    store = Victoria(VictoriaUrls(nowhere, nowhere, nowhere))
    job = RollupJob(hub.bus, store, hub.parts.registry, Rules(K), "me", hub.log)
    for _ in range(2):
        with pytest.raises(StoreError):
            await job.look(pub.NOW_S * 1000)
    await hub.until(lambda: bool(hub.parts.community.census.days))
    await store.close()

    pool = await overview(hub)

    assert [one.homes for one in pool.growth] == [K]
    assert [one.homes for one in pool.homes_per_model.models] == [K]
    assert pool.statistics.models == []


@pytest.mark.parametrize("path", ["/", "/api/v1/pool/overview", "/api/v1/badge/homes.svg"])
async def test_what_a_reader_has_is_not_sent_again(hub: RunningHub, path: str) -> None:
    """Tag, 304, HEAD, gzip: the same of each public body."""
    plain = await hub.http.get(path, headers={"accept-encoding": "identity"})
    tag = plain.headers["etag"]
    known = await hub.http.get(path, headers={"if-none-match": tag})
    head = await hub.http.head(path, headers={"accept-encoding": "identity"})

    assert (plain.status_code, known.status_code, head.status_code) == (200, 304, 200)
    assert (known.content, head.content) == (b"", b"")
    assert known.headers["etag"] == tag
    assert head.headers["content-length"] == str(len(plain.content))
    assert "accept-encoding" in plain.headers["vary"]
    async with hub.http.stream("GET", path, headers={"accept-encoding": "gzip"}) as packed:
        raw = b"".join([part async for part in packed.aiter_raw()])
    if packed.headers.get("content-encoding") == "gzip":
        assert len(raw) < len(plain.content)
        raw = gzip.decompress(raw)
    assert raw == plain.content


async def test_assets_may_be_kept_for_ever(hub: RunningHub) -> None:
    """Each name has the hash of its bytes; what the page and its scripts name is there."""
    page = (await hub.http.get("/")).text
    names = ASSET.findall(page)
    assert len(names) == 6
    total = len(page)
    for name in names:
        asset = await hub.http.get(name)
        assert asset.status_code == 200
        assert asset.headers["cache-control"] == "public, max-age=31536000, immutable"
        total += len(asset.content)
        for imported in re.findall(r'from "\./([^"]+)"', asset.text):
            assert (await hub.http.get(f"/static/{imported}")).status_code == 200
            assert re.fullmatch(r"\w+\.[0-9a-f]{16}\.js", imported)
    assert total < 250_000
    for wrong in (
        "/static/pool.js",
        "/static/pool.0000000000000000.js",
        "/static/..%2fsite.py",
        "/static/",
        "/api/v1/badge/homes",
        "/api/v1/badge/secret.svg",
    ):
        answer = await hub.http.get(wrong)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    wrong_window = await hub.http.get("/api/v1/pool/overview", params={"window": "2d"})
    assert (wrong_window.status_code, wrong_window.json()["code"]) == (422, "window_unknown")


async def test_the_page_is_closed_to_what_is_not_its_own(hub: RunningHub) -> None:
    """No inline script or style, no third party, no frame; programs elsewhere may read figures."""
    page = await hub.http.get("/")
    policy = page.headers["content-security-policy"]
    figures = await hub.http.get("/api/v1/pool/overview")

    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert page.headers["referrer-policy"] == "no-referrer"
    assert "set-cookie" not in page.headers
    assert not re.search(r"<script(?![^>]*\ssrc=)[^>]*>|\son\w+=|\sstyle=", page.text)
    assert not re.search(r'(?:src|href)="(?:https?:)?//', page.text)
    assert figures.headers["access-control-allow-origin"] == "*"
    assert figures.headers["cache-control"] == "public, max-age=300"
    for internal in ("grafana", "/metrics", "/health", "/api/v1/models", "/api/v1/status"):
        assert internal not in page.text


@pytest.mark.parametrize(
    ("query", "header", "language"),
    [
        ("", "de-AT,de;q=0.9", "de"),
        ("", "fr", "en"),
        ("?lang=en", "de", "en"),
        ("?lang=xx", "de", "de"),
    ],
)
async def test_the_page_speaks_the_readers_language(
    hub: RunningHub, query: str, header: str, language: str
) -> None:
    """The browser's, unless the address says another one."""
    page = await hub.http.get(f"/{query}", headers={"accept-language": header})

    assert f'<html lang="{language}">' in page.text
    assert "accept-language" in page.headers["vary"]
    assert "{{" not in page.text


async def test_badges_have_the_schema_of_shields(hub: RunningHub) -> None:
    """In two languages; the image is an image and says so."""
    await hub.enter(pub.HOME, contributor(samples=123_456))
    shown = (await hub.http.get("/api/v1/badge/points.json", params={"lang": "de"})).json()
    image = await hub.http.get("/api/v1/badge/points.svg")

    assert shown == {
        "schemaVersion": 1,
        "label": "Datenpunkte",
        "message": "120k",
        "color": "0a6b52",
        "cacheSeconds": 300,
    }
    assert image.headers["content-type"] == "image/svg+xml; charset=utf-8"
    assert ">120k</text>" in image.text


async def test_the_example_in_the_documentation_is_the_pages(hub: RunningHub) -> None:
    """Copied or read: the same program."""
    page = unescape((await hub.http.get("/")).text)
    program = DOCS.read_text("utf-8").partition("```python\n")[2].partition("```")[0]

    assert program
    assert f'<code id="example">{program}</code>' in page


async def test_the_example_of_the_page_runs(filled: RunningHub) -> None:
    """Copied from the page as a reader does, run by an interpreter of its own."""
    page = (await filled.http.get("/")).text
    found = re.search(r'<code id="example">(.*?)</code>', page, re.DOTALL)
    assert found is not None
    program = unescape(found[1]).replace(
        "https://pool.example", str(filled.http.base_url).rstrip("/")
    )
    assert "window=7d" in program

    done = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-c", program.replace("window=7d", "window=1d"),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, errors = await done.communicate()

    assert (done.returncode, errors) == (0, b"")
    lines = out.decode().splitlines()
    assert lines[0] == "38 homes, 46,000,000 data points"
    assert any(re.fullmatch(rf"{re.escape(MODEL_NAME)} cop [\d.]+  n=20", line) for line in lines)
    assert json.loads((await filled.http.get("/api/v1/pool/overview?window=7d")).content)
