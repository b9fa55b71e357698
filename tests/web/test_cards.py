"""Every card of docs/cards, pasted into a page, against running servers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browsers import axe_findings, visiting
from playwright.sync_api import expect
from simulators.household import Household, served
from simulators.publisher import NOW_S

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page
    from simulators.community_hub import CommunityHub

CARDS = Path(__file__).parent.parent.parent / "docs" / "cards"
PAGE = (
    "<!doctype html><html lang={}><head><title>x</title></head>"
    "<body><main><h1>x</h1>{}</main></body></html>"
)
DASH = "\u2013"

pytestmark = pytest.mark.slow  # a browser


def paste(page: Page, name: str, language: str) -> None:
    """The card on a page of the same origin as the owner's page, as behind a proxy."""
    body = PAGE.format(language, (CARDS / name).read_text("utf-8"))
    page.route(
        "**/dashboard",
        lambda route: route.fulfill(body=body, content_type="text/html; charset=utf-8"),
    )
    page.goto(page.url.split("/?")[0].rstrip("/") + "/dashboard")


@pytest.mark.parametrize("language", ["de", "en"])
def test_cards_show_what_the_owners_page_gives(
    lived_in: Household, browser: Browser, language: str
) -> None:
    """Own COP and badge; own values beside half of the homes; in the page's language."""
    with served(lived_in.pool) as url, visiting(browser, url, now_s=NOW_S) as page:
        paste(page, "ranking-badge.html", language)
        card = page.locator("[data-card=ranking-badge]")
        expect(card).to_have_attribute("data-state", "shown")
        expect(card).to_contain_text("COP 4,4" if language == "de" else "COP 4.4")
        expect(card.locator("strong")).to_have_attribute("data-badge", "silver")
        assert axe_findings(page) == []

        paste(page, "community-comparison.html", language)
        card = page.locator("[data-card=community-comparison]")
        expect(card).to_have_attribute("data-state", "shown")
        for shown in (f"3.6 {DASH} 4.5", f"33.5 {DASH} 39.5 °C"):
            expect(card).to_contain_text(shown.replace(".", "," if language == "de" else "."))
        assert axe_findings(page) == []


def test_cards_say_why_they_are_empty(
    household: Household, hub: CommunityHub, browser: Browser
) -> None:
    """Too few homes is a sentence, no answer another; neither is a blank."""
    household.agree()
    hub.few = True
    with served(household.pool) as url, visiting(browser, url, now_s=NOW_S) as page:
        for name in ("ranking-badge", "community-comparison"):
            paste(page, f"{name}.html", "en")
            card = page.locator(f"[data-card={name}]")
            expect(card).to_have_attribute("data-state", "empty")
            expect(card).to_contain_text("homes")
        page.route("**/api/**", lambda route: route.abort())
        for name in ("ranking-badge", "community-comparison"):
            paste(page, f"{name}.html", "de")
            expect(page.locator(f"[data-card={name}]")).to_contain_text("nicht erreichbar")
