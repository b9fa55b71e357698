"""The public page in a real browser, against a hub that has made real rollups."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browsers import (
    DESKTOP,
    PHONE,
    axe_findings,
    chromium,
    requested,
    screenshot,
    visiting,
    vitals,
)
from playwright.sync_api import expect
from simulators.filled_pool import RARE, filled_pool
from simulators.running_hub import MODEL_NAME, RunningHub

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from nats.aio.client import Client
    from playwright.sync_api import Browser, Page

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


@contextmanager
def shown(browser: Browser, base: str, **how: object) -> Iterator[Page]:
    """The page after its figures have come."""
    with visiting(browser, f"{base}/?", **how) as page:  # type: ignore[arg-type]  # a test's keywords
        expect(page.locator("body")).to_have_attribute("data-state", "shown")
        yield page


async def looking(hub: RunningHub, check: Callable[[Browser, str], None]) -> None:
    """In a thread: the hub answers in the test's loop, and Playwright blocks where it runs."""

    def looked() -> None:
        """The browser belongs to this thread."""
        with chromium() as browser:
            check(browser, f"{hub.http.base_url}".rstrip("/"))

    await asyncio.to_thread(looked)


async def test_every_screen_theme_and_language_is_whole(filled: RunningHub) -> None:
    """Real figures; nothing jumps, overflows or fails; axe finds nothing serious; small."""

    def check(browser: Browser, base: str) -> None:
        """Four visits."""
        for width, device in ((DESKTOP, "desktop"), (PHONE, "phone")):
            for theme in ("light", "dark"):
                language = "de" if (theme == "light") is (width == DESKTOP) else "en"
                with shown(browser, base, width=width, theme=theme, locale=language) as page:
                    _is_whole(page, base, language)
                    screenshot(page, f"pool-{device}-{theme}-{language}")

    await looking(filled, check)


def _is_whole(page: Page, base: str, language: str) -> None:
    visit = vitals(page)
    assert visit.shift < SHIFT_MAX
    assert visit.transferred < TRANSFER_BYTES_MAX
    page.select_option("#window", "1d")
    expect(page.locator("#statistics .range")).to_have_count(7)
    assert page.locator("html").get_attribute("lang") == language
    homes, points = page.locator("[data-put=homes]"), page.locator("[data-put=data_points]")
    expect(homes).to_have_text("38")
    expect(points).to_have_text("46.000.000" if language == "de" else "46,000,000")
    expect(page.locator("#models")).to_contain_text(MODEL_NAME)
    expect(page.locator("#releases")).to_contain_text("v2026.11")
    expect(page.locator("#growth-homes canvas")).to_be_visible()
    assert RARE not in page.content()
    assert page.evaluate(WIDER) == []
    assert axe_findings(page) == []
    assert {url.split("/")[2] for url in requested(page)} == {base.removeprefix("http://")}


async def test_keyboard_alone_is_enough(filled: RunningHub) -> None:
    """Skip link, language, theme, window: each is reached and worked, and remembered."""

    def check(browser: Browser, base: str) -> None:
        """One visit without a mouse."""
        with shown(browser, base) as page:
            page.keyboard.press("Tab")
            expect(page.locator(".skip")).to_be_focused()
            page.keyboard.press("Tab")
            expect(page.locator("a[data-language=de]")).to_be_focused()
            page.keyboard.press("Enter")
            page.wait_for_url("**/?lang=de")
            expect(page.locator("body")).to_have_attribute("data-state", "shown")
            expect(page.locator("a[data-language=de]")).to_have_attribute("aria-current", "true")
            page.focus("[data-theme-button]")
            page.keyboard.press("Space")
            expect(page.locator("html")).to_have_attribute("data-theme", "dark")
            page.focus("#window")
            page.keyboard.press("Home")
            expect(page.locator("#statistics .range").first).to_be_visible()

            page.goto(base)  # without lang: what was chosen counts
            page.wait_for_url("**/?lang=de")
            expect(page.locator("html")).to_have_attribute("data-theme", "dark")

    await looking(filled, check)


async def test_a_young_pool_says_what_is_missing(young: RunningHub) -> None:
    """Empty, not broken: no chart, no model, no statistics, and a goal."""

    def check(browser: Browser, base: str) -> None:
        """One visit to an empty pool."""
        with shown(browser, base) as page:
            expect(page.locator("#growth-homes")).to_have_attribute("data-state", "empty")
            expect(page.locator("#models")).to_contain_text("No model has 15 homes yet.")
            expect(page.locator("#statistics")).to_contain_text("as soon as 15 homes have them")
            expect(page.locator("#goal-homes")).to_contain_text("0 of 5")
            expect(page.locator("#model")).to_be_disabled()
            assert axe_findings(page) == []
            assert screenshot(page, "pool-empty").shift < SHIFT_MAX

    await looking(young, check)


async def test_a_pool_that_is_away_is_said_and_comes_back(filled: RunningHub) -> None:
    """First no answer at all: an error with a way out. Later none: the last figures, marked."""

    def check(browser: Browser, base: str) -> None:
        """One visit through an outage."""
        with visiting(browser, "about:blank") as page:
            page.route(OVERVIEW, lambda route: route.abort())
            page.goto(base)
            chart = page.locator("#growth-homes")
            expect(chart).to_have_attribute("data-state", "error")
            expect(page.locator("#status")).to_have_attribute("data-is", "alarm")
            height = chart.locator(".chart-area").evaluate("one => one.offsetHeight")
            assert axe_findings(page) == []
            screenshot(page, "pool-error")

            page.unroute(OVERVIEW)
            chart.get_by_role("button").click()
            expect(chart).to_have_attribute("data-state", "shown")
            assert chart.locator(".chart-area").evaluate("one => one.offsetHeight") == height

            page.route(OVERVIEW, lambda route: route.fulfill(status=503, json={"code": "x"}))
            page.select_option("#window", "30d")
            expect(page.locator("body")).to_have_attribute("data-state", "stale")
            expect(page.locator("#status")).to_have_attribute("data-is", "warn")
            expect(page.locator("[data-put=homes]")).to_have_text("38")
            expect(page.locator("#window")).to_have_value("7d")
            assert axe_findings(page) == []
            screenshot(page, "pool-stale")

            page.unroute(OVERVIEW)
            page.locator("#status").get_by_role("button").click()
            expect(page.locator("body")).to_have_attribute("data-state", "shown")

    await looking(filled, check)


async def test_the_example_can_be_copied(filled: RunningHub) -> None:
    """With the address of this pool in it; without permission it is selected instead."""

    def check(browser: Browser, base: str) -> None:
        """One visit of somebody who programs."""
        with shown(browser, base) as page:
            example = page.locator("#example").inner_text()
            assert f'POOL = "{base}"' in example

            page.context.grant_permissions(["clipboard-read", "clipboard-write"])
            page.click("#copy")
            expect(page.locator("#copy")).to_have_text("Copied")
            copied = page.evaluate("navigator.clipboard.readText()")
            assert copied.strip() == example.strip()

    await looking(filled, check)


async def test_the_card_of_the_pool_works_on_any_site(young: RunningHub, tmp_path: Path) -> None:
    """On a page of another origin: the overview is for everybody; away, the card says so."""
    card = (CARDS / "pool-status.html").read_text("utf-8")

    def check(browser: Browser, pool: str) -> None:
        """One visit to somebody else's page."""
        for name, address in (("here", pool), ("gone", "http://127.0.0.1:9")):
            text = card.replace("https://pool.example", address)
            page = f'<html lang="en"><main>{text}</main></html>'
            (tmp_path / f"{name}.html").write_text(page, "utf-8")
        with _site(tmp_path) as base, visiting(browser, f"{base}/here.html") as shown_page:
            place = shown_page.locator("[data-card=pool-status]")
            expect(place).to_have_attribute("data-state", "shown")
            expect(place).to_contain_text("Homes: 0")
            expect(place).to_contain_text("The pool is starting: 0 of 5 installations")

            shown_page.goto(f"{base}/gone.html")
            expect(place).to_have_attribute("data-state", "error")
            expect(place).to_contain_text("Not reachable")

    await looking(young, check)


@contextmanager
def _site(folder: Path) -> Iterator[str]:
    handler = partial(SimpleHTTPRequestHandler, directory=folder)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as site:
        threading.Thread(target=site.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{site.server_port}"
        site.shutdown()
