"""The owner's page of a home in a running pool: real consent, release, export, erasure."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from browsers import DESKTOP, PHONE, axe_findings, chromium, screenshot, visiting
from simulators.household import served

from heatpool_client import setup
from heatpool_client.home import Home
from heatpool_client.pool import Pool as Installation
from heatpool_client.submission import Row
from heatpool_client.watching import Detector
from heatpool_deploy import keys
from heatpool_fleet import posting
from heatpool_fleet.demo.running import wait_for_release
from heatpool_fleet.faults import Fault, FaultKind
from heatpool_fleet.homes import make_homes
from heatpool_fleet.simulation import simulate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page
    from pool import Pool

    from heatpool_fleet.recording import Recording

pytestmark = [pytest.mark.pipeline, pytest.mark.slow, pytest.mark.timeout(400)]
MODEL, SLUG = "AERO SLM 6-17", "aero_slm_6_17"
DAY_S = 86_400.0
DAYS, SCORED_DAYS = 16.0, 7.0
READY = "body[data-ready=yes]"
WAIT_MS_MAX = 60_000


def rows(recording: Recording, first_s: float, until_s: float) -> Iterator[Row]:
    """What the home's logger had."""
    names = list(recording.columns)
    for index, at_s in enumerate(recording.timestamps_s):
        if first_s <= at_s < until_s:
            values = {name: float(recording.columns[name][index]) for name in names}
            yield Row(float(at_s), {n: v for n, v in values.items() if np.isfinite(v)})


def installation(pool: Pool, folder: Path) -> Installation:
    """A home that is set up and has agreed to nothing."""
    home = Home(folder)
    ports = {"server": pool.stack.ingest_url, "hub": pool.stack.modelhub_url}
    choices = setup.Choices(
        settings={**ports, "model": MODEL},
        token=pool.token,
        trust=setup.read_trust(pool.stack.keys / keys.TRUST_FILE),
    )
    config = setup.initialise(home, choices, time.time(), lambda size: b"\x2a" * size)
    return Installation(home, config, {})


def test_an_owner_sees_and_decides_in_a_running_pool(whole_pool: Pool, tmp_path: Path) -> None:
    """Opt-in registers the keys; the release is verified; own data come back and are erased."""
    now_s = time.time() // 60 * 60
    until_s = now_s - SCORED_DAYS * DAY_S
    homes = make_homes(8, 7, MODEL)
    fault = Fault(FaultKind.UNDERCHARGE, 0.3, now_s - 3 * DAY_S)
    span = DAYS + SCORED_DAYS
    own, *others = simulate(homes, now_s - span * DAY_S, span, 60.0, 7, {homes[0].index: fault})
    target = posting.Target(whole_pool.stack.ingest_url, whole_pool.token)

    with (
        installation(whole_pool, tmp_path / "home") as home,
        served(home) as url,
        chromium() as browser,
        visiting(browser, url, locale="de") as page,
    ):
        page.set_default_timeout(WAIT_MS_MAX)
        page.wait_for_selector(READY)
        page.check("#agreed")
        page.click("#agree button")
        page.wait_for_selector("#optin", state="hidden")
        for _ in home.send(rows(own, 0.0, until_s)):
            pass
        with ThreadPoolExecutor(1) as elsewhere:  # the browser's driver has the loop of this thread
            before = [_before(one, until_s) for one in others]
            elsewhere.submit(asyncio.run, posting.post(before, target, _ignore)).result()
            elsewhere.submit(wait_for_release, whole_pool.stack, SLUG).result()
        page.click("#update")
        page.wait_for_selector("#model [data-put=verified][data-is=good]")
        detector = Detector(home)
        for row in rows(own, until_s, np.inf):
            detector.score(row.values, row.timestamp_s)
        detector.save()
        page.reload()
        page.wait_for_selector(READY)

        assert page.locator("#alarm-list .sign").count() >= 1
        assert "erwarteten Wert" in page.inner_text("#alarm-list")
        assert page.get_attribute("#curve-chart", "data-state") == "shown"
        assert page.get_attribute("#cop-chart", "data-state") == "shown"
        assert "8" in page.inner_text("#meter-homes")
        screenshot(page, f"pool-{DESKTOP}-light-de")
        assert axe_findings(page) == []
        with visiting(browser, url, width=PHONE, theme="dark") as phone:
            phone.wait_for_selector(READY)
            screenshot(phone, f"pool-{PHONE}-dark-en")
        _take_and_erase(page, home)


def _take_and_erase(page: Page, home: Installation) -> None:
    with page.expect_download() as download:
        page.click("#export")
    lines = Path(download.value.path()).read_text("utf-8").splitlines()
    page.click("#erase")
    page.fill("#confirm", "LÖSCHEN")
    page.click("#erase-do")
    page.wait_for_selector("#mine [data-put=erasure]:not([hidden])")
    wish = home.home.erasure.read_text("utf-8")

    assert len(lines) > DAYS * 1440 * 0.9
    assert '"receipt":"' in wish
    assert "bestätigt" in page.inner_text("#mine [data-put=erasure]")


def _before(recording: Recording, until_s: float) -> Recording:
    kept = recording.timestamps_s < until_s
    columns = {name: column[kept] for name, column in recording.columns.items()}
    return type(recording)(recording.home, recording.timestamps_s[kept], columns, None)


def _ignore(_counts: posting.Counts) -> None:
    """No progress to show."""
