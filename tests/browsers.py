"""Debian's Chromium without a window: opened, watched, asked what it measured and axe found."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, ConsoleMessage, Page

ROOT = Path(__file__).parent.parent
SHOTS = Path(os.environ.get("HEATPOOL_SCREENSHOTS") or ROOT / ".bench" / "web")
PHONE, DESKTOP = 360, 1200
QUIET = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-gpu",
)
OBSERVERS = """
window.seen = [];
for (const type of ["layout-shift", "paint", "resource", "navigation"]) {
  new PerformanceObserver((list) => window.seen.push(...list.getEntries()))
    .observe({type, buffered: true});
}
"""
VITALS = """() => ({
  transferred: window.seen.reduce((sum, one) => sum + (one.transferSize ?? 0), 0),
  paint_ms: window.seen.find((one) => one.name === "first-contentful-paint").startTime,
  shift: window.seen.filter((one) => one.entryType === "layout-shift")
    .reduce((sum, one) => sum + one.value, 0),
  overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
})"""
REQUESTED = """() => window.seen
  .filter((one) => ["resource", "navigation"].includes(one.entryType)).map((one) => one.name)"""
AXE = """async () => (await axe.run(document, {resultTypes: ["violations"]})).violations
  .map((one) => `${one.impact} ${one.id}: ${one.nodes.map((node) => node.target).join(" ")}`)"""


class Vitals(msgspec.Struct):
    """What the browser measured of one visit."""

    transferred: int
    paint_ms: float
    shift: float
    overflow: int


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser; the test is skipped, visibly, where it is missing."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("chromium is not installed (make chromium)")
    sandbox = ("--no-sandbox",) if os.geteuid() == 0 else ()
    with sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=program, args=[*QUIET, *sandbox])
        yield opened
        opened.close()


@contextmanager
def visiting(
    browser: Browser,
    url: str,
    *,
    width: int = DESKTOP,
    theme: str = "light",
    locale: str = "en",
    now_s: float | None = None,
) -> Iterator[Page]:
    """The loaded page; whatever its console complains about fails the test."""
    context = browser.new_context(
        color_scheme="dark" if theme == "dark" else "light",
        viewport={"width": width, "height": 800},
        locale=locale,
        reduced_motion="reduce",
    )
    page = context.new_page()
    page.set_default_timeout(15_000)
    said: list[str] = []
    page.on("console", lambda one: said.append(one.text) if is_complaint(one) else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    if now_s is not None:
        page.clock.set_fixed_time(now_s)
    page.add_init_script(OBSERVERS)
    page.goto(url)
    try:
        yield page
        assert said == []
    finally:
        context.close()


def is_complaint(message: ConsoleMessage) -> bool:
    """Whether the console tells of a fault; answers other than 200 are a test's own doing."""
    return message.type == "error" and not message.text.startswith("Failed to load resource")


def axe_findings(page: Page) -> list[str]:
    """What axe finds; the script comes in by the debugger, past the page's policy."""
    script = ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js"
    if not script.is_file():
        pytest.skip("npm's packages are not installed (make web/node_modules/.package-lock.json)")
    page.evaluate(script.read_text("utf-8") + "; undefined")
    found: list[str] = page.evaluate(AXE)
    return found


def vitals(page: Page) -> Vitals:
    """What the browser measured of the visit so far."""
    page.wait_for_timeout(100)  # the observer of layout shifts reports after the frame
    return msgspec.convert(page.evaluate(VITALS), Vitals)


def requested(page: Page) -> list[str]:
    """Addresses of everything that the visit has asked a server for."""
    found: list[str] = page.evaluate(REQUESTED)
    return [url for url in found if url.startswith("http")]


def screenshot(page: Page, name: str) -> Vitals:
    """A picture of the whole page, and what the browser measured of the visit."""
    measured = vitals(page)
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / f"{name}.png", full_page=True)
    (SHOTS / f"{name}.json").write_bytes(msgspec.json.encode(measured))
    return measured
