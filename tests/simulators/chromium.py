"""A real browser: Debian's Chromium, headless, and what is asked of every page in it."""

from __future__ import annotations

import shutil
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import msgspec
import pytest
from playwright.async_api import async_playwright

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser, Page, Request

AXE: Final = Path(__file__).parent.parent.parent / "web/node_modules/axe-core/axe.min.js"
DESKTOP: Final = (1280, 900)
PHONE: Final = (360, 740)
_SHIFTS: Final = """
window.shifts = [];
new PerformanceObserver((list) => {
  for (const one of list.getEntries()) if (!one.hadRecentInput) window.shifts.push(one.value);
}).observe({ type: "layout-shift", buffered: true });
"""


class Finding(msgspec.Struct, frozen=True):
    """One rule of axe that a page breaks."""

    id: str
    impact: str | None
    nodes: list[_Node]


class _Node(msgspec.Struct, frozen=True):
    html: str


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Start it; skips the test where it is not installed."""
    program = shutil.which("chromium")
    if program is None or not AXE.is_file():
        pytest.skip("Chromium or axe-core is not installed: make setup")
    async with async_playwright() as play:
        # No sandbox: tests run as root in containers; the only page is our own.
        browser = await play.chromium.launch(executable_path=program, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            await browser.close()


class Visit:
    """One page in a window of its own, with everything that went wrong in it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.errors: list[str] = []
        self.requests: list[Request] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda said: self._hear(said.type, said.text))
        page.on("requestfinished", lambda one: self.requests.append(one))  # noqa: PLW0108 - playwright marks what it calls, and a bound method takes no mark

    async def findings(self) -> list[Finding]:
        """What axe finds serious or critical."""
        await self.page.evaluate(AXE.read_text("utf-8"))
        found = await self.page.evaluate("async () => (await axe.run()).violations")
        return [
            one
            for one in msgspec.convert(found, list[Finding])
            if one.impact in {"serious", "critical"}
        ]

    async def shift(self) -> float:
        """How far things have jumped, as browsers measure it."""
        total = await self.page.evaluate("window.shifts.reduce((sum, one) => sum + one, 0)")
        assert isinstance(total, (int, float))
        return float(total)

    async def transferred(self) -> int:
        """Bytes of all answers with their headers."""
        sizes = [await one.sizes() for one in self.requests]
        return sum(one["responseBodySize"] + one["responseHeadersSize"] for one in sizes)

    def _hear(self, kind: str, text: str) -> None:
        if kind == "error":
            self.errors.append(text)


async def visit(
    browser: Browser,
    address: str,
    size: tuple[int, int] = DESKTOP,
    scheme: Literal["light", "dark"] = "light",
    language: str = "en",
) -> Visit:
    """Open an address as a reader with this screen, theme and language; waits for nothing."""
    width, height = size
    context = await browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme=scheme,
        locale=language,
        reduced_motion="reduce",
    )
    await context.add_init_script(_SHIFTS)
    page = await context.new_page()
    one = Visit(page)
    await page.goto(address, wait_until="commit")
    return one
