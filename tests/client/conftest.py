"""Fixtures of the client's tests: a hub in this process, a clock that does not wait, the CLI."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result
from simulators.faketime import FakeTime
from simulators.hub import TOKEN, Hub, running
from simulators.publisher import TRUST, trust_file

from heatpool_client import consent, setup
from heatpool_client.__main__ import cli
from heatpool_client.commands.shell import Surroundings
from heatpool_client.consent import CONSENT_VERSION
from heatpool_client.home import Home
from heatpool_client.pool import Pool

if TYPE_CHECKING:
    from pathlib import Path

    from heatpool_client.config import Config

Heatpool = Callable[..., Result]


@pytest.fixture
def fake_time() -> FakeTime:
    """The time of this test."""
    return FakeTime()


@pytest.fixture
def hub() -> Iterator[Hub]:
    """Edge and hub of this test."""
    with running(Hub()) as running_hub:
        yield running_hub


@pytest.fixture
def environ() -> dict[str, str]:
    """The environment that the client sees; a test may change it."""
    return {"LANG": "C.UTF-8", "COLUMNS": "200"}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A state folder that does not exist yet."""
    return Home(tmp_path / "home")


@pytest.fixture
def config(hub: Hub, home: Home, fake_time: FakeTime) -> Config:
    """An installation with keys, token and trust file, without consent."""
    choices = setup.Choices(
        settings={"server": hub.url, "model": "AERO SLM 6-17", "retry_s_max": 100.0},
        token=TOKEN,
        trust=trust_file(TRUST),
    )
    return setup.initialise(home, choices, fake_time.now_s, lambda size: b"\x07" * size)


@pytest.fixture
def agreed(home: Home, config: Config, fake_time: FakeTime) -> Config:
    """The same, with consent."""
    consent.grant(
        home,
        CONSENT_VERSION,
        fake_time.now_s,
        language="en",
        means="option",
        client_version="0.1.0",
    )
    return config


@pytest.fixture
def pool(
    home: Home, agreed: Config, environ: dict[str, str], fake_time: FakeTime
) -> Iterator[Pool]:
    """The library on that installation."""
    with Pool(home, agreed, environ, fake_time.clock()) as opened:
        yield opened


@pytest.fixture
def heatpool(home: Home, environ: dict[str, str], fake_time: FakeTime) -> Heatpool:
    """The command line on that folder."""
    surroundings = Surroundings(environ, fake_time.clock())

    def invoke(command: str, *arguments: object, stdin: str | bytes | None = None) -> Result:
        line = [command, "--home", str(home.root), *map(str, arguments)]
        return CliRunner().invoke(cli, line, input=stdin, obj=surroundings)

    return invoke
