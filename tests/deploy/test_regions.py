"""`heatpoolctl region`: files, seeds, and rights that come and go."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from heatpool_deploy import bus_users, regions, stack
from heatpool_deploy.__main__ import main

if TYPE_CHECKING:
    from click.testing import Result

NATS = Path(sys.executable).with_name("nats-server")
LISTEN = {"HEATPOOL_NATS_LISTEN": "127.0.0.1:0", "HEATPOOL_NATS_HTTP": "127.0.0.1:0"}


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A pool's folder."""
    stack.prepare(tmp_path / "state")
    return tmp_path / "state"


def region(*words: str) -> Result:
    """Run the command."""
    return CliRunner().invoke(main, ["region", *words])


def add(state: Path, name: str, folder: Path) -> Result:
    """Add a region without TLS."""
    return region("add", name, str(folder), "--state", str(state), "--hub", "tls://pool:7422")


def is_valid(folder: Path, file: str) -> bool:
    """Whether nats-server accepts the configuration."""
    command = [str(NATS), "-t", "-c", file]
    return not subprocess.run(
        command, cwd=folder, env=os.environ | LISTEN, check=False, capture_output=True
    ).returncode


def test_both_sides_are_configurations_that_nats_takes(state: Path, tmp_path: Path) -> None:
    """And the seeds are on the region's side alone, readable by nobody else."""
    assert add(state, "eu", tmp_path / "eu").exit_code == 0
    assert add(state, "us", tmp_path / "us").exit_code == 0

    ours = (state / bus_users.AUTHORIZATION_FILE).read_text()
    for name in ("eu", "us"):
        folder = tmp_path / name
        link = (folder / regions.LINK_FILE).read_text().split('"')[1]
        assert is_valid(folder, regions.LEAF_FILE)
        assert link not in ours
        assert bus_users.public_key(link) in ours
        assert (folder / regions.LINK_FILE).stat().st_mode & 0o777 == 0o600
        assert (folder / bus_users.seed_file("ingest")).stat().st_mode & 0o777 == 0o600
    assert is_valid(state, "nats.conf")
    assert 'advertise: "pool:7422"' in (state / regions.LISTENER_FILE).read_text()


def test_a_region_that_is_forgotten_has_no_account(state: Path, tmp_path: Path) -> None:
    """Without any, nobody listens for links; what was before is as it was."""
    before = (state / bus_users.AUTHORIZATION_FILE).read_text()
    add(state, "eu", tmp_path / "eu")
    assert "INGEST_EU" in (state / bus_users.AUTHORIZATION_FILE).read_text()

    assert region("forget", "eu", "--state", str(state)).exit_code == 0

    assert (state / bus_users.AUTHORIZATION_FILE).read_text() == before
    assert "listen" not in (state / regions.LISTENER_FILE).read_text()
    assert is_valid(state, "nats.conf")


def test_what_cannot_be_a_region_is_refused_and_changes_nothing(
    state: Path, tmp_path: Path
) -> None:
    """A name for no account, a region twice, a folder of another one, one that is unknown."""
    add(state, "eu", tmp_path / "eu")
    before = (state / bus_users.AUTHORIZATION_FILE).read_text()

    refused = [
        add(state, "Süd", tmp_path / "south"),
        add(state, "eu", tmp_path / "again"),
        add(state, "us", tmp_path / "eu"),
        region("forget", "us", "--state", str(state)),
    ]

    assert [one.exit_code for one in refused] == [1, 1, 1, 1]
    assert all(isinstance(one.exception, SystemExit) for one in refused)  # no traceback
    assert (state / bus_users.AUTHORIZATION_FILE).read_text() == before
    assert not (tmp_path / "south").exists()
