"""A home, its simulated pool, its page; Debian's Chromium where it is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from browsers import chromium
from simulators.community_hub import CommunityHub
from simulators.faketime import FakeTime
from simulators.household import Household
from simulators.hub import running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser


@pytest.fixture
def hub() -> Iterator[CommunityHub]:
    """The pool of this test."""
    with running(CommunityHub()) as running_hub:
        assert isinstance(running_hub, CommunityHub)
        yield running_hub


@pytest.fixture
def household(tmp_path: Path, hub: CommunityHub) -> Iterator[Household]:
    """A home that has agreed to nothing yet."""
    made = Household(tmp_path, hub, FakeTime())
    yield made
    made.pool.close()


@pytest.fixture(scope="module")
def lived_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Household]:
    """A home that shared for a week; its heat pump has had a fault since yesterday."""
    with running(CommunityHub()) as hub:
        assert isinstance(hub, CommunityHub)
        made = Household(tmp_path_factory.mktemp("lived-in"), hub, FakeTime())
        made.agree()
        made.live()
        yield made
        made.pool.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium without a window; the test is skipped, visibly, where it is missing.

    Not for the session: while it is open, no coroutine of another test could run.
    """
    with chromium() as opened:
        yield opened
