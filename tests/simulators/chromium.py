"""`browsers` for tests with an event loop: a hub of the same process answers while a page waits.

Playwright's other interface runs a loop of its own, beside which no coroutine can.
"""

from __future__ import annotations

import os
import shutil
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, Literal

import msgspec
import pytest
from browsers import AXE, OBSERVERS, QUIET, ROOT, SHOTS, VITALS, Vitals, is_complaint
from playwright.async_api import async_playwright

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser, ConsoleMessage, Page, Request

DESKTOP: Final = (1280, 900)
PHONE: Final = (360, 740)
_AXE_FILE: Final = ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js"


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Start it; skips the test where it is not installed."""
    program = shutil.which("chromium")
    if program is None or not _AXE_FILE.is_file():
        pytest.skip("Chromium or axe-core is not installed (make setup)")
    sandbox = ("--no-sandbox",) if os.geteuid() == 0 else ()
    async with async_playwright() as play:
        browser = await play.chromium.launch(executable_path=program, args=[*QUIET, *sandbox])
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
        page.on("console", self._hear)
        page.on("requestfinished", self._note)

    async def findings(self) -> list[str]:
        """What axe finds."""
        await self.page.evaluate(_AXE_FILE.read_text("utf-8") + "; undefined")
        return msgspec.convert(await self.page.evaluate(AXE), list[str])

    async def vitals(self) -> Vitals:
        """What the browser measured so far."""
        return msgspec.convert(await self.page.evaluate(VITALS), Vitals)

    async def keep(self, name: str) -> None:
        """A picture of the whole page, and what the browser measured."""
        SHOTS.mkdir(parents=True, exist_ok=True)
        (SHOTS / f"{name}.json").write_bytes(msgspec.json.encode(await self.vitals()))
        await self.page.screenshot(path=SHOTS / f"{name}.png", full_page=True)

    def _note(self, request: Request) -> None:
        self.requests.append(request)

    def _hear(self, message: ConsoleMessage) -> None:
        if is_complaint(message):
            self.errors.append(message.text)


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
    await context.add_init_script(OBSERVERS)
    page = await context.new_page()
    one = Visit(page)
    await page.goto(address, wait_until="commit")
    return one
