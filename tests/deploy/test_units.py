"""The systemd units: valid, hardened, and with settings that their services start with."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import msgspec
import pytest
from shipped import DEPLOY, ROOT, SERVICES, keys_in, settings_of

from heatpool_deploy import regions
from heatpool_deploy.bus_users import authorization, make_users

UNITS = DEPLOY / "systemd"
INSTANCES = (
    "heatpool-nats.service",
    "heatpool-victoria.service",
    "heatpool-ingest@8001.service",
    "heatpool-writer@9002.service",
    "heatpool-trainer.service",
    "heatpool-modelhub@8002.service",
    "heatpool-canary.service",
    "heatpool-backup.service",
)
PROGRAM = re.compile(r"^\S+|/opt/heatpool/bin/\S+")
EXPOSURE_MAX = 20  # tenths; systemd calls 2.0 "OK", an unhardened service has 9.6
SYSTEM = Path("/usr/lib/systemd/system")

pytestmark = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="needs systemd-analyze of Debian's systemd"
)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root directory with the units installed as docs/operations/install.md says."""
    root = tmp_path_factory.mktemp("machine")
    installed = root / "etc/systemd/system"
    shutil.copytree(UNITS, installed)
    system = root / "usr/lib/systemd/system"
    system.mkdir(parents=True)
    for found in (*SYSTEM.glob("*.target"), *SYSTEM.glob("*.slice")):
        shutil.copy(found, system)
    for program in _programs(installed):
        path = root / program.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
    return root


def _lines(unit: Path) -> list[tuple[str, str]]:
    pairs = (line.split("=", 1) for line in unit.read_text().splitlines() if "=" in line)
    return [(key, value) for key, value in pairs if not key.startswith("#")]


def _programs(folder: Path) -> set[str]:
    return {
        program
        for unit in folder.glob("*.service")
        for key, value in _lines(unit)
        if key == "ExecStart"
        for program in PROGRAM.findall(value)
    }


def _analyze(machine: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", *arguments, f"--root={machine}"],
        capture_output=True,
        text=True,
        check=False,
    )


def test_systemd_has_no_objection(machine: Path) -> None:
    """Every unit and the target that wants them."""
    answer = _analyze(machine, "verify", "heatpool.target", "heatpool-backup.timer", *INSTANCES)

    assert (answer.returncode, answer.stderr) == (0, "")


@pytest.mark.parametrize("unit", INSTANCES)
def test_a_service_that_is_taken_over_can_do_little(machine: Path, unit: str) -> None:
    """Systemd's own measure of exposure, below 2 of 10."""
    answer = _analyze(
        machine, "security", "--offline=true", f"--threshold={EXPOSURE_MAX}", "--no-pager", unit
    )

    assert answer.returncode == 0, answer.stdout[-200:]


LEAF = "heatpool-leaf.service"  # of another machine, with an edge and nothing else


def test_the_target_starts_every_unit() -> None:
    """None is forgotten, of edge, writer and hub there are two."""
    wanted = [
        name
        for key, value in _lines(UNITS / "heatpool.target")
        if key == "Wants"
        for name in value.split()
    ]

    assert {name.partition("@")[0].removesuffix(".service") for name in wanted} == {
        unit.name.partition("@")[0].removesuffix(".service")
        for unit in UNITS.glob("*.service")
        if not unit.with_suffix(".timer").exists() and unit.name != LEAF
    }
    assert set(INSTANCES) - set(wanted) == {"heatpool-backup.service"}  # its timer starts it


@pytest.mark.parametrize("service", SERVICES)
def test_a_unit_brings_the_settings_that_its_service_starts_with(
    service: str, tmp_path: Path
) -> None:
    """Environment, its file, and credentials, put together as systemd does."""
    (unit,) = UNITS.glob(f"heatpool-{service}*.service")
    keys = keys_in(tmp_path / "keys")
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    environ: dict[str, str] = {}
    for key, value in _lines(unit):
        expanded = value.replace("%i", "8001").replace("%d", str(credentials))
        if key == "LoadCredential":
            name, _, source = expanded.partition(":")
            shutil.copy(keys / Path(source).name, credentials / name)
        elif key == "EnvironmentFile":
            environ |= dict(_lines(UNITS / "env" / Path(value).name))
        elif key == "Environment":
            environ |= dict(part.split("=", 1) for part in expanded.split())

    assert msgspec.structs.asdict(settings_of(service, environ))["nats_url"]


def test_units_start_the_projects_own_programs() -> None:
    """Each program in /opt/heatpool/bin is a script of a member, or nats-server."""
    scripts = {"nats-server"}
    for project in ROOT.glob("**/pyproject.toml"):
        if ".venv" not in project.parts:
            scripts |= set(tomllib.loads(project.read_text())["project"].get("scripts", {}))
    own = {Path(one).name for one in _programs(UNITS) if one.startswith("/opt/heatpool/bin/")}

    assert own <= scripts
    assert len(own) == 6


def test_nats_has_no_objection_to_its_configuration(tmp_path: Path) -> None:
    """The unit's files side by side, as credentials are, with the users of a new pool."""
    environ = {
        part.partition("=")[0]: part.partition("=")[2]
        for key, value in _lines(UNITS / "heatpool-nats.service")
        if key == "Environment"
        for part in value.split()
    }
    public_keys = make_users(keys_in(tmp_path / "keys"), os.urandom)
    shutil.copy(DEPLOY / "nats" / "nats.conf", tmp_path)
    (tmp_path / "authorization.conf").write_text(authorization(public_keys))
    (tmp_path / regions.LISTENER_FILE).write_text(regions.listener(regions.Regions()))
    checked = subprocess.run(
        [Path(sys.executable).with_name("nats-server"), "-t", "-c", tmp_path / "nats.conf"],
        env=environ | {"HEATPOOL_NATS_STORE": str(tmp_path / "store")},
        capture_output=True,
        text=True,
        check=False,
    )

    assert checked.returncode == 0, checked.stderr
    assert "is valid" in checked.stdout + checked.stderr
