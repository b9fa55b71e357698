"""The page in Debian's Chromium: clicked through, checked by axe, looked at.

Screenshots go to `.bench/web` (or the folder in HEATPOOL_SCREENSHOTS).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browsers import DESKTOP, PHONE, axe_findings, screenshot, visiting
from simulators.household import served
from simulators.publisher import NOW_S

from heatpool_client import consent
from heatpool_client.web import guard
from heatpool_client.web.reading import OPENED_S

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page
    from simulators.community_hub import CommunityHub
    from simulators.household import Household

TRANSFER_BYTES_MAX = 300_000
SHIFT_MAX = 0.1  # what counts as good (web.dev/cls)
READY = "body[data-ready=yes]"


def text(page: Page, selector: str) -> str:
    """Text of one element."""
    return page.locator(selector).inner_text()


@pytest.mark.parametrize(
    ("width", "theme", "locale"),
    [
        (DESKTOP, "light", "de"),
        (DESKTOP, "dark", "en"),
        (PHONE, "light", "en"),
        (PHONE, "dark", "de"),
    ],
)
def test_the_page_is_readable_for_everybody(
    lived_in: Household, browser: Browser, width: int, theme: str, locale: str
) -> None:
    """No finding of axe, nothing wider than the screen, no jump, small; and a screenshot."""
    with (
        served(lived_in.pool) as url,
        visiting(browser, url, width=width, theme=theme, locale=locale, now_s=NOW_S) as page,
    ):
        page.wait_for_selector(READY)
        vitals = screenshot(page, f"owner-{width}-{theme}-{locale}")

        assert axe_findings(page) == []
        assert vitals.overflow <= 0
        assert vitals.shift <= SHIFT_MAX
        assert 0 < vitals.transferred < TRANSFER_BYTES_MAX
        assert page.get_attribute("html", "lang") == locale
        decimal = "," if locale == "de" else "."
        assert text(page, "[data-put=score]")[1] == decimal


def test_an_owner_opts_in_looks_around_withdraws_and_erases(
    household: Household, hub: CommunityHub, browser: Browser
) -> None:
    """The whole way with a mouse, each step seen in the library's own files or at the pool."""
    with served(household.pool) as url, visiting(browser, url, now_s=NOW_S) as page:
        page.wait_for_selector(READY)
        assert page.locator("#sharing [data-put=sharing]").inner_text() == "off"
        assert hub.requests == []
        page.click("#optin summary")
        assert "Not sent: your name" in text(page, "#consent-text")
        page.click("#agree button")
        assert consent.standing(household.home) == "none"  # the box was not ticked
        page.check("#agreed")
        page.click("#agree button")
        page.wait_for_selector("#optin", state="hidden")
        assert consent.standing(household.home) == "granted"

        household.live()
        household.fake_time.now_s += OPENED_S  # until then the page knows of no detector
        page.reload()
        page.wait_for_selector(READY)
        page.click("#preview")
        page.wait_for_selector("#preview-dialog[open]")
        assert household.config.installation_id in text(page, "#preview-dialog code")
        page.click("#preview-dialog button")

        assert "best quarter" in text(page, "#cop [data-put=badge]")
        assert "Median 4.1" in text(page, "#ranges [data-metric=cop]")
        page.select_option("#window", "30d")
        page.wait_for_function("document.querySelectorAll('#ranges .range').length === 3")

        assert "below the expected" in text(page, "#alarm-list")
        page.click("#alarm-list button")
        page.wait_for_selector("#curve-chart[data-state=shown] canvas")
        assert text(page, "#curve-chart .chart-key").count("\n") >= 2

        page.click("#pause")
        page.wait_for_selector("#sharing [data-put=sharing][data-is=warn]")
        page.click("#pause")
        page.wait_for_selector("#sharing [data-put=sharing][data-is=good]")
        with page.expect_download() as download:
            page.click("#export")
        assert Path(download.value.path()).read_bytes().startswith(b"timestamp,")

        page.click("#withdraw")
        page.click("#withdraw-dialog button[value=no]")
        assert consent.standing(household.home) == "granted"
        page.click("#withdraw")
        page.click("#withdraw-dialog button[value=yes]")
        page.wait_for_selector("#optin:not([hidden])")
        assert consent.standing(household.home) == "withdrawn"

        page.click("#erase")
        assert page.is_disabled("#erase-do")
        page.fill("#confirm", "erase")
        page.click("#erase-do")
        page.wait_for_selector("#mine [data-put=erasure]:not([hidden])")
        assert hub.erased == [household.config.installation_id]


def test_the_keyboard_is_enough(lived_in: Household, browser: Browser) -> None:
    """Skip link, switches, a dialog that is opened, left and gives the focus back."""
    with served(lived_in.pool) as url, visiting(browser, url, width=PHONE, now_s=NOW_S) as page:
        page.wait_for_selector(READY)
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        page.keyboard.press("Enter")
        assert page.evaluate("location.hash") == "#content"
        page.focus("#preview")
        page.keyboard.press("Enter")
        page.wait_for_selector("#preview-dialog[open]")
        page.keyboard.press("Escape")
        page.wait_for_selector("#preview-dialog", state="hidden")
        assert page.evaluate("document.activeElement.id") == "preview"
        page.focus("[data-theme-button]")
        page.keyboard.press("Space")
        assert page.get_attribute("html", "data-theme") == "dark"
        page.click("a[data-language=de]")
        page.wait_for_selector(READY)
        page.goto(url)
        page.wait_for_selector("html[lang=de]")  # remembered, as is the theme
        assert page.get_attribute("html", "data-theme") == "dark"


def test_every_card_has_a_state_for_nothing_and_for_failure(
    household: Household, hub: CommunityHub, browser: Browser
) -> None:
    """Empty at first; an error with a button that helps; the page stays whole."""
    household.agree()
    hub.few = True
    with served(household.pool) as url, visiting(browser, url, now_s=NOW_S) as page:
        page.route("**/api/scores*", lambda route: route.abort())
        page.reload()
        page.wait_for_selector(READY)
        assert page.get_attribute("#score-chart", "data-state") == "error"
        assert page.get_attribute("#curve-chart", "data-state") == "empty"
        assert page.get_attribute("#cop-chart", "data-state") == "empty"
        assert "too few" in text(page, "#cop [data-put=rank]").lower()
        assert axe_findings(page) == []
        page.unroute("**/api/scores*")
        page.click("#score-chart button")
        page.wait_for_selector("#score-chart[data-state=empty]")
        screenshot(page, "owner-empty")


def test_old_scores_are_called_old(lived_in: Household, browser: Browser) -> None:
    """A logger that stopped does not look like a healthy heat pump."""
    lived_in.fake_time.now_s += 6 * 3600
    try:
        with served(lived_in.pool) as url, visiting(browser, url, now_s=NOW_S) as page:
            page.wait_for_selector(READY)
            assert page.get_attribute("#score-chart", "data-state") == "stale"
            assert text(page, "#health [data-put=verdict]") == "No new readings"
    finally:
        lived_in.fake_time.now_s -= 6 * 3600


def test_a_password_is_asked_for(household: Household, browser: Browser) -> None:
    """A wrong one is told, the right one opens, leaving asks again."""
    guard.write_password(household.home, "correct horse")
    with (
        served(household.pool, guard.read_secret(household.home)) as url,
        visiting(browser, url, now_s=NOW_S) as page,
    ):
        assert axe_findings(page) == []
        page.fill("#password", "correct horse")
        page.press("#password", "Enter")
        page.wait_for_selector(READY)
        page.click("#logout")
        page.wait_for_selector("#password")


CARDS = {
    "score": "Alarm; threshold 0.42, heating",
    "alarms": "below the expected",
    "cop": "3 °C:",
    "status": "readings wait",
}
OTHER_CARDS = {"pool-status", "community-comparison", "ranking-badge"}
"""Have tests of their own: test_cards.py, test_pool_page_browser.py."""


def test_each_card_works_in_a_page_of_somebody_elses(lived_in: Household, browser: Browser) -> None:
    """The plain pieces of HTML in the documentation, all of them in one page."""
    folder = Path(__file__).parents[2] / "docs" / "cards"
    assert {path.stem for path in folder.glob("*.html")} == CARDS.keys() | OTHER_CARDS
    html = "".join((folder / f"{name}.html").read_text("utf-8") for name in CARDS)
    with served(lived_in.pool) as url, visiting(browser, url, now_s=NOW_S) as page:
        page.route("**/mine", lambda route: route.fulfill(
            body=html.replace("/heatpool/api/", "/api/"), content_type="text/html; charset=utf-8"
        ))  # fmt: skip  # one page
        page.goto(f"{url}/mine")
        for name, words in CARDS.items():
            page.wait_for_function(
                "([name, words]) => document.querySelector(`.heatpool-${name} div`)"
                ".textContent.includes(words)",
                arg=[name, words],
            )
        screenshot(page, "cards")
