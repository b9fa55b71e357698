"""The command line: posts, prints, draws, and refuses nonsense."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from click.testing import CliRunner
from simulators.tiny_pool import TOKEN, TinyPool

from heatpool_fleet.__main__ import TOKEN_VARIABLE, Summary, main
from heatpool_fleet.homes import make_homes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BASE = ["--homes", "3", "--days", "0.1", "--start", "2026-01-10", "--seed", "4"]


@pytest.fixture
def pool() -> Iterator[TinyPool]:
    """A pool that takes everything."""
    server = TinyPool()
    yield server
    server.close()


def test_run_posts_the_fleet_and_sums_up(pool: TinyPool, tmp_path: Path) -> None:
    """All homes' records reach the pool; the JSON summary says how many, and of whom."""
    token_file = tmp_path / "token"
    token_file.write_text(TOKEN + "\n", encoding="utf-8")
    fault = ["--fault", "undercharge:0.3@0.05d", "--home", "1"]
    options = ["--url", pool.url, "--token-file", str(token_file), "--json"]
    result = CliRunner().invoke(main, ["run", *BASE, *fault, *options])

    assert result.exit_code == 0, result.output
    summary = msgspec.json.decode(result.stdout, type=Summary)
    assert summary.posted.records == summary.posted.processed == 3 * 144
    assert summary.installation_ids == [home.installation_id for home in make_homes(3, 4)]
    assert summary.faults[1].grade == 0.3
    assert sum(len(s.data) for s in pool.taken) == 3 * 144


def test_run_takes_the_token_from_the_environment(pool: TinyPool) -> None:
    """Without a file the variable is read; a table is printed."""
    result = CliRunner().invoke(
        main, ["run", *BASE, "--url", pool.url], env={TOKEN_VARIABLE: TOKEN}
    )

    assert result.exit_code == 0, result.output
    assert "432" in result.stdout
    assert len(pool.taken) == 3


def test_run_fails_with_the_pools_words(pool: TinyPool) -> None:
    """A refused token gives exit status 1 and the pool's code; no token at all is a usage error."""
    refused = CliRunner().invoke(main, ["run", *BASE, "--url", pool.url, "--token", "wrong"])
    missing = CliRunner().invoke(main, ["run", *BASE, "--url", pool.url], env={TOKEN_VARIABLE: ""})

    assert refused.exit_code == 1
    assert "token_wrong" in refused.output
    assert missing.exit_code == 2
    assert TOKEN_VARIABLE in missing.output


def test_show_prints_a_day() -> None:
    """Every sensor has a row."""
    result = CliRunner().invoke(main, ["show", *BASE, "--of", "2"])

    assert result.exit_code == 0, result.output
    assert "temp_outdoor" in result.output
    assert "cop_current" in result.output


def test_plot_writes_a_picture(tmp_path: Path) -> None:
    """The file is a PNG of some size."""
    path = tmp_path / "home.png"
    fault = ["--fault", "valve_leak:0.3@0.05d", "--home", "0"]
    result = CliRunner().invoke(main, ["plot", *BASE, *fault, str(path)])

    assert result.exit_code == 0, result.output
    assert path.read_bytes().startswith(b"\x89PNG")
    assert path.stat().st_size > 20_000


@pytest.mark.parametrize(
    "options",
    [
        ["--fault", "undercharge:0.3@1d"],
        ["--home", "1"],
        ["--fault", "gremlins:0.3@1d", "--home", "1"],
        ["--fault", "undercharge:0.3@1d", "--home", "3"],
        ["--fault", "sensor_stuck.nose:1@0d", "--home", "0"],
        ["--of", "3"],
        ["--homes", "0"],
        ["--days", "1000"],
        ["--naming", "klingon"],
    ],
)
def test_nonsense_is_a_usage_error(options: list[str]) -> None:
    """Exit status 2 and a sentence, no traceback."""
    result = CliRunner().invoke(main, ["show", *BASE, *options])

    assert result.exit_code == 2
    assert "Traceback" not in result.output


def test_plot_is_for_the_plain_names(tmp_path: Path) -> None:
    """Another scheme gets an explanation instead of an empty picture."""
    result = CliRunner().invoke(main, ["plot", *BASE, "--naming", "idm", str(tmp_path / "x.png")])

    assert result.exit_code == 1
    assert "plain naming scheme" in result.output
