"""The public page in a real browser, against a hub that has made real rollups."""

from __future__ import annotations

import asyncio
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest
from playwright.async_api import expect
from simulators.chromium import DESKTOP, PHONE, Visit, chromium, visit
from simulators.filled_pool import RARE, filled_pool
from simulators.running_hub import MODEL_NAME, RunningHub

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from nats.aio.client import Client
    from playwright.async_api import Browser

    from heatpool_chassis.lifecycle import Lifecycle
    from heatpool_chassis.victoria import Victoria

pytestmark = pytest.mark.slow  # a browser and a rollup each: five to ten seconds
TRANSFER_BYTES_MAX = 300_000
SHIFT_MAX = 0.01  # a tenth of what browsers call good
CARDS = Path(__file__).parent.parent.parent / "docs" / "cards"
WIDER = """
[...document.querySelectorAll("html, .card, .card > *:not(pre), .meters > *")]
  .filter((one) => one.scrollWidth > one.clientWidth + 1)
  .map((one) => one.outerHTML.slice(0, 200))
"""
OVERVIEW = "**/api/v1/pool/overview*"


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """Chromium."""
    async with chromium() as running:
        yield running


@pytest.fixture
async def filled(bus: Client, life: Lifecycle, victoria: Victoria) -> AsyncIterator[RunningHub]:
    """A hub whose pool has grown for two months."""
    hub = await filled_pool(bus, life, victoria)
    yield hub
    await hub.stop()


@pytest.fixture
async def young(bus: Client, life: Lifecycle) -> AsyncIterator[RunningHub]:
    """A hub whose pool is empty."""
    hub = RunningHub(bus, life)
    await hub.start()
    yield hub
    await hub.stop()


async def shown(hub: RunningHub, browser: Browser, path: str = "/?", **how: object) -> Visit:
    """The page after its figures have come."""
    one = await visit(browser, f"{hub.http.base_url}".rstrip("/") + path, **how)  # type: ignore[arg-type]  # a test's keywords
    await expect(one.page.locator("body")).to_have_attribute("data-state", "shown")
    return one


async def test_every_screen_theme_and_language_is_whole(
    filled: RunningHub, browser: Browser
) -> None:
    """Real figures; nothing jumps, overflows or fails; axe finds nothing serious; small."""
    schemes: tuple[Literal["light", "dark"], ...] = ("light", "dark")
    for size, device in ((DESKTOP, "desktop"), (PHONE, "phone")):
        for scheme in schemes:
            language = "de" if (scheme == "light") is (size == DESKTOP) else "en"
            one = await shown(filled, browser, size=size, scheme=scheme, language=language)
            page = one.page
            vitals = await one.vitals()
            assert vitals.shift < SHIFT_MAX
            assert vitals.transferred < TRANSFER_BYTES_MAX
            await page.select_option("#window", "1d")
            await expect(page.locator("#statistics .range")).to_have_count(7)
            assert await page.locator("html").get_attribute("lang") == language
            homes, points = page.locator("[data-put=homes]"), page.locator("[data-put=data_points]")
            await expect(homes).to_have_text("38")
            await expect(points).to_have_text("46.000.000" if language == "de" else "46,000,000")
            await expect(page.locator("#models")).to_contain_text(MODEL_NAME)
            await expect(page.locator("#releases")).to_contain_text("v2026.11")
            await expect(page.locator("#growth-homes canvas")).to_be_visible()
            assert RARE not in await page.content()
            assert await page.evaluate(WIDER) == []
            assert await one.findings() == []
            assert one.errors == []
            assert {
                request.url.split("/")[2]
                for request in one.requests
                if request.url.startswith("http")
            } == {filled.http.base_url.netloc.decode()}
            await one.keep(f"pool-{device}-{scheme}-{language}")
            await page.context.close()


async def test_keyboard_alone_is_enough(filled: RunningHub, browser: Browser) -> None:
    """Skip link, language, theme, window: each is reached and worked, and remembered."""
    one = await shown(filled, browser)
    page = one.page

    await page.keyboard.press("Tab")
    await expect(page.locator(".skip")).to_be_focused()
    await page.keyboard.press("Tab")
    await expect(page.locator("a[data-language=de]")).to_be_focused()
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/?lang=de")
    await expect(page.locator("body")).to_have_attribute("data-state", "shown")
    await expect(page.locator("a[data-language=de]")).to_have_attribute("aria-current", "true")
    await page.focus("[data-theme-button]")
    await page.keyboard.press("Space")
    await expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    await page.focus("#window")
    await page.keyboard.press("Home")
    await expect(page.locator("#statistics .range").first).to_be_visible()

    await page.goto(f"{filled.http.base_url}")  # without lang: what was chosen counts
    await page.wait_for_url("**/?lang=de")
    await expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert one.errors == []


async def test_a_young_pool_says_what_is_missing(young: RunningHub, browser: Browser) -> None:
    """Empty, not broken: no chart, no model, no statistics, and a goal."""
    one = await shown(young, browser)
    page = one.page

    await expect(page.locator("#growth-homes")).to_have_attribute("data-state", "empty")
    await expect(page.locator("#models")).to_contain_text("No model has 15 homes yet.")
    await expect(page.locator("#statistics")).to_contain_text("as soon as 15 homes have them")
    await expect(page.locator("#goal-homes")).to_contain_text("0 of 5")
    await expect(page.locator("#model")).to_be_disabled()
    assert await one.findings() == []
    assert (await one.vitals()).shift < SHIFT_MAX
    await one.keep("pool-empty")


async def test_a_pool_that_is_away_is_said_and_comes_back(
    filled: RunningHub, browser: Browser
) -> None:
    """First no answer at all: an error with a way out. Later none: the last figures, marked."""
    base = f"{filled.http.base_url}"
    one = await visit(browser, "about:blank")
    page = one.page
    await page.route(OVERVIEW, lambda route: route.abort())
    await page.goto(base)
    chart = page.locator("#growth-homes")
    await expect(chart).to_have_attribute("data-state", "error")
    await expect(page.locator("#status")).to_have_attribute("data-is", "alarm")
    height = await chart.locator(".chart-area").evaluate("one => one.offsetHeight")
    assert await one.findings() == []
    await one.keep("pool-error")

    await page.unroute(OVERVIEW)
    await chart.get_by_role("button").click()
    await expect(chart).to_have_attribute("data-state", "shown")
    assert await chart.locator(".chart-area").evaluate("one => one.offsetHeight") == height

    await page.route(OVERVIEW, lambda route: route.fulfill(status=503, json={"code": "x"}))
    await page.select_option("#window", "30d")
    await expect(page.locator("body")).to_have_attribute("data-state", "stale")
    await expect(page.locator("#status")).to_have_attribute("data-is", "warn")
    await expect(page.locator("[data-put=homes]")).to_have_text("38")
    await expect(page.locator("#window")).to_have_value("7d")
    assert await one.findings() == []
    await one.keep("pool-stale")

    await page.unroute(OVERVIEW)
    await page.locator("#status").get_by_role("button").click()
    await expect(page.locator("body")).to_have_attribute("data-state", "shown")


async def test_the_example_can_be_copied(filled: RunningHub, browser: Browser) -> None:
    """With the address of this pool in it; without permission it is selected instead."""
    one = await shown(filled, browser)
    page = one.page
    example = await page.locator("#example").inner_text()
    assert f'POOL = "{str(filled.http.base_url).rstrip("/")}"' in example

    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await page.click("#copy")
    await expect(page.locator("#copy")).to_have_text("Copied")
    copied = await page.evaluate("navigator.clipboard.readText()")
    assert copied.strip() == example.strip()


async def test_the_card_of_the_pool_works_on_any_site(
    young: RunningHub, browser: Browser, tmp_path: Path
) -> None:
    """On a page of another origin: the overview is for everybody; away, the card says so."""
    card = (CARDS / "pool-status.html").read_text("utf-8")
    for name, pool in (
        ("here", f"{young.http.base_url}".rstrip("/")),
        ("gone", "http://127.0.0.1:9"),
    ):
        body = f'<html lang="en"><main>{card.replace("https://pool.example", pool)}</main></html>'
        (tmp_path / f"{name}.html").write_text(body, "utf-8")
    handler = partial(SimpleHTTPRequestHandler, directory=tmp_path)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as site:
        threading.Thread(target=site.serve_forever, daemon=True).start()
        base = f"http://127.0.0.1:{site.server_port}"
        one = await visit(browser, f"{base}/here.html")
        place = one.page.locator("[data-card=pool-status]")
        await expect(place).to_have_attribute("data-state", "shown")
        await expect(place).to_contain_text("Homes: 0")
        await expect(place).to_contain_text("The pool is starting: 0 of 5 installations")
        assert one.errors == []

        await one.page.goto(f"{base}/gone.html")
        await expect(place).to_have_attribute("data-state", "error")
        await expect(place).to_contain_text("Not reachable")
        await asyncio.to_thread(site.shutdown)
