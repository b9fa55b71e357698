"""Real disks that are full or read-only: a small one of the test's own, mounted and remounted."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest
from simulators.command_output import document

from heatpool_client import consent, setup
from heatpool_client.faults import ClientError
from heatpool_client.home import Home
from heatpool_client.pool import Pool
from heatpool_client.telemetry import Telemetry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from click.testing import Result
    from simulators.faketime import FakeTime
    from simulators.hub import Hub

    from heatpool_client.config import Config

    Heatpool = Callable[..., Result]

DISK_BYTES = 1024 * 1024


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of one megabyte."""
    place = tmp_path / "disk"
    place.mkdir()
    options = f"size={DISK_BYTES},mode=0700"
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", place], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip(f"only root may mount: {done.stderr.decode().strip()}")
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


@pytest.fixture
def home(disk: Path) -> Home:
    """A state folder on that disk."""
    return Home(disk / "home")


@pytest.fixture
def telemetry(
    home: Home, agreed: Config, environ: dict[str, str], fake_time: FakeTime
) -> Iterator[Telemetry]:
    """The library on that disk, without its thread."""
    assert agreed
    opened = Telemetry(home=home.root, environ=environ, clock=fake_time.clock(), background=False)
    yield opened
    opened.close()


def fill(disk: Path) -> Path:
    """Somebody else's file takes all that is left."""
    path = disk / "others"
    with path.open("wb") as file:
        while (free := os.statvfs(disk).f_bavail) > 0:
            file.write(b"x" * 4096 * free)
            file.flush()
    return path


def read_only(disk: Path, *, yes: bool) -> None:
    """What Linux does after an I/O error, and undoes after a repair."""
    options = f"remount,{'ro' if yes else 'rw'}"
    subprocess.run(["mount", "-o", options, disk], check=True)


def sent(hub: Hub) -> list[object]:
    """Values that the pool has, in the order in which they came."""
    return [record["a"] for one in hub.submissions for record in one.data]


def disk_finding(result: Result) -> str:
    """What the doctor says of the disk."""
    found = document(result)["findings"]
    assert isinstance(found, list)
    (state,) = [one["state"] for one in found if one["check"] == "disk"]
    return str(state)


def test_a_full_disk_loses_nothing(
    telemetry: Telemetry, disk: Path, hub: Hub, fake_time: FakeTime, heatpool: Heatpool
) -> None:
    """Readings wait in memory, sending waits, the doctor says why; with space all of it goes on."""
    assert telemetry.record({"a": 0})
    others = fill(disk)
    kept = []
    for number in range(1, 400):
        fake_time.now_s += 60
        kept.append(telemetry.record({"a": number, "text": 1.5}))
    assert not kept[-1]
    health = telemetry.health()
    assert health.problem == "spool_unusable"
    assert health.pending == kept.count(False)
    telemetry.flush()
    assert disk_finding(heatpool("doctor", "--offline", "--json")) == "error"
    assert heatpool("send", "--json").exit_code in (0, 3)
    others.unlink()
    assert telemetry.record({"a": 400})
    assert telemetry.health().pending == 0
    telemetry.flush()
    assert sorted(map(int, map(str, sent(hub)))) == list(range(401))


def test_an_answer_that_cannot_be_noted_is_asked_for_again(
    telemetry: Telemetry, disk: Path, hub: Hub
) -> None:
    """The disk fills while the pool stores: the repeat is the same content, stored once."""
    assert telemetry.record({"a": 1})
    pool = telemetry._pool
    batch = pool.spool.due(pool.sender, 10)
    assert batch is not None
    others = fill(disk)
    telemetry.flush()
    others.unlink()
    telemetry.flush()
    assert sent(hub) == [1]
    assert pool.spool.waiting().records == 0


def test_a_disk_that_became_read_only_stops_nobody(
    telemetry: Telemetry, disk: Path, hub: Hub, heatpool: Heatpool
) -> None:
    """`record` answers False, commands end with 3, the doctor names it; afterwards all is sent."""
    assert telemetry.record({"a": 0})
    telemetry._pool.close()  # Linux refuses to remount while a file is open for writing
    read_only(disk, yes=True)
    assert not telemetry.record({"a": 1})
    assert telemetry.health().problem == "spool_unusable"
    assert telemetry.flush() is None
    assert disk_finding(heatpool("doctor", "--offline", "--json")) == "error"
    assert heatpool("send").exit_code == 3
    assert heatpool("consent", "--withdraw").exit_code == 3
    read_only(disk, yes=False)
    assert telemetry.record({"a": 2})
    telemetry.flush()
    assert sent(hub) == [0, 1, 2]


def test_a_logger_that_starts_on_a_read_only_disk_runs(
    home: Home, disk: Path, agreed: Config, environ: dict[str, str], hub: Hub
) -> None:
    """As after a power cut that left the file system dirty: no exception, and nothing lost."""
    assert agreed
    read_only(disk, yes=True)
    telemetry = Telemetry(home=home.root, environ=environ, background=False)
    assert not telemetry.record({"a": 1})
    assert telemetry.health().problem == "spool_unusable"
    read_only(disk, yes=False)
    telemetry.close()
    assert sent(hub) == [1]


def test_setting_up_on_a_full_disk_says_so(
    disk: Path, environ: dict[str, str], fake_time: FakeTime
) -> None:
    """Half a setup is none: after space was made it is repeated."""
    others = fill(disk)
    home = Home(disk / "new")
    choices = setup.Choices(settings={"server": "https://pool.example", "model": "AERO SLM"})
    with pytest.raises(ClientError) as caught:
        setup.initialise(home, choices, fake_time.now_s, os.urandom)
    assert caught.value.code == "state_unusable"
    others.unlink()
    config = setup.initialise(home, choices, fake_time.now_s, os.urandom)
    consent.grant(
        home, consent.CONSENT_VERSION, fake_time.now_s, language="en", means="option",
        client_version="0",
    )  # fmt: skip  # one call
    with Pool(home, config, environ, fake_time.clock()) as pool:
        assert pool.spool.waiting().records == 0
