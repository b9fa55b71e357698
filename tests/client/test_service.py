"""The unit and the container: their very command, started as systemd or an engine would."""

from __future__ import annotations

import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from simulators.heat_pump import HeatPump

import heatpool_client
from heatpool_client.home import write_private
from heatpool_client.sources.mapping import RegisterMap, load

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulators.hub import Hub

    from heatpool_client.config import Config
    from heatpool_client.home import Home

EXAMPLES = Path(heatpool_client.__file__).parent.parent / "examples"
UNIT = (EXAMPLES / "heatpool.service").read_text(encoding="utf-8")
CONTAINER = (EXAMPLES / "Containerfile").read_text(encoding="utf-8")
PROGRAM = Path(sys.executable).parent / "heatpool"
START_S_MAX = 30.0


def of_unit(key: str) -> str:
    """The value of a setting of the unit."""
    return str(re.findall(rf"^{key}=(.*)$", UNIT, re.MULTILINE)[0])


def unit_command() -> tuple[list[str], str]:
    """Command and environment of the unit."""
    return shlex.split(of_unit("ExecStart")), of_unit("Environment")


def container_command() -> tuple[list[str], str]:
    """Command and environment of the container."""
    parts: list[str] = []
    for key in ("ENTRYPOINT", "CMD"):
        line = re.findall(rf"^{key} (.*)$", CONTAINER, re.MULTILINE)[0]
        parts += msgspec.json.decode(line, type=list[str])
    return parts, re.findall(r"^ENV (.*)$", CONTAINER, re.MULTILINE)[0]


@pytest.fixture
def heat_pump() -> Iterator[HeatPump]:
    """An IDM heat pump."""
    found = load("idm_navigator_2_0", None, RegisterMap)
    assert isinstance(found, RegisterMap)
    device = HeatPump(found)
    device.start()
    yield device
    device.stop()


@pytest.mark.parametrize("place", [unit_command, container_command])
def test_the_command_reads_shares_and_ends_on_sigterm(
    place: object, heat_pump: HeatPump, home: Home, agreed: Config, hub: Hub
) -> None:
    """An almost empty environment, no working folder, SIGTERM: what was read is at the pool."""
    assert agreed
    assert callable(place)
    (program, *arguments), setting = place()
    assert Path(program).name == PROGRAM.name
    name, _, _folder = setting.partition("=")
    source = 'kind = "modbus"\nmap = "idm_navigator_2_0"\nhost = "127.0.0.1"\nevery_s = 1\n'
    write_private(home.source, f"{source}port = {heat_pump.port}\n".encode())
    process = subprocess.Popen(
        [PROGRAM, *arguments],
        env={name: str(home.root)},
        cwd="/",
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline_s = time.monotonic() + START_S_MAX
    while not home.spool.exists() and time.monotonic() < deadline_s and process.poll() is None:
        time.sleep(0.05)
    peak_kb = _peak_kb(process.pid)
    process.send_signal(signal.SIGTERM)
    output, errors = process.communicate(timeout=START_S_MAX)
    assert process.returncode == 0, errors
    assert "source failures  0" in output
    records = [record for one in hub.submissions for record in one.data]
    assert records
    assert {"temp_heat_pump_flow", "power_current"} <= set(dict(records[0]))
    assert peak_kb < int(of_unit("MemoryMax").removesuffix("M")) * 1024


def test_the_unit_is_valid(tmp_path: Path) -> None:
    """As systemd itself sees it, with the program where it is on this machine."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed: Debian's package systemd")
    unit = tmp_path / "heatpool.service"
    program = unit_command()[0][0]
    unit.write_text(UNIT.replace(program, str(PROGRAM)), encoding="utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_setup_that_is_missing_is_not_tried_again_and_again(tmp_path: Path) -> None:
    """The exit status is one of those after which systemd does not restart."""
    (_, *arguments), setting = unit_command()
    environment = {setting.partition("=")[0]: str(tmp_path / "none")}
    done = subprocess.run([PROGRAM, *arguments], env=environment, capture_output=True, check=False)
    assert str(done.returncode) in of_unit("RestartPreventExitStatus").split()


def _peak_kb(process: int) -> int:
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0])
