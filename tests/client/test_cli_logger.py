"""`sources`, `run`, `doctor`, `completion`: the client as a logger of its own."""

from __future__ import annotations

import math
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click
import httpx
import msgspec
import pytest
from click.testing import CliRunner, Result
from simulators.command_output import document, part
from simulators.hub import Hub, Reply, refusal
from simulators.mosquitto import running
from simulators.publisher import NOW_S, release
from simulators.tiny_detector import HOT, payload

import heatpool_client
from heatpool_client import updating
from heatpool_client.__main__ import cli
from heatpool_client.commands.advice import ADVICE
from heatpool_client.commands.shell import Surroundings
from heatpool_client.fault_texts import TEXTS
from heatpool_client.faults import Exit, Fault
from heatpool_client.home import Home, write_private
from heatpool_client.mqtt import Broker, MqttSettings
from heatpool_client.notifying import AlertSettings
from heatpool_client.running import Logger
from heatpool_client.sources.mapping import Seen
from heatpool_client.telemetry import Telemetry
from heatpool_contract.refusals import Refusal

if TYPE_CHECKING:
    from simulators.faketime import FakeTime

    from heatpool_client.config import Config
    from heatpool_client.pool import Pool

Heatpool = Callable[..., Result]
MAP = """model: m
source: s
queries:
  - {{field: temp_flow, unit: °C, low: {low}, high: 99, query: "vector({value})"}}
"""


def findings(result: Result) -> dict[str, str]:
    """Check -> state."""
    listed = msgspec.convert(document(result)["findings"], list[dict[str, object]])
    return {str(one["check"]): str(one["state"]) for one in listed}


def test_a_source_is_checked_against_its_map(victoria_url: str, tmp_path: Path) -> None:
    """Plausible values end with 0; what is out of range is shown and ends with 5."""
    path = tmp_path / "mine.yaml"
    arguments = ["check", "--kind", "victoria", "--map", path, "--url", victoria_url]
    for low, value, status in ((0, HOT, 0), (50, 7, 5)):
        path.write_text(MAP.format(low=low, value=value), encoding="utf-8")
        words = [str(one) for one in arguments]
        result = CliRunner().invoke(cli, ["sources", *words], obj=Surroundings({}))
        assert result.exit_code == status, result.output
        assert ("implausible  7 °C   not within 50 to 99" in result.output) == bool(status)
    listed = CliRunner().invoke(cli, ["sources", "list", "--json"], obj=Surroundings({}))
    assert "idm_navigator_2_0" in listed.output


def test_run_records_scores_and_tells(
    heatpool: Heatpool, pool: Pool, hub: Hub, victoria_url: str, tmp_path: Path
) -> None:
    """A whole logger: a database as source, the pool's detector, an alarm, Home Assistant."""
    hub.release = release(payload())
    pool.update()
    path = tmp_path / "mine.yaml"
    path.write_text(MAP.format(low=0, value=HOT), encoding="utf-8")
    httpx.get(f"{victoria_url}/health").raise_for_status()
    source = f'kind = "victoria"\nmap = "{path}"\nurl = "{victoria_url}"\nevery_s = 1\n'
    write_private(pool.home.source, source.encode())
    heard: dict[str, bytes] = {}
    with running(tmp_path) as mosquitto:
        alerts = f'[mqtt]\nhost = "127.0.0.1"\nport = {mosquitto.port}\n'
        write_private(pool.home.alerts, alerts.encode())
        listener = Broker(MqttSettings(host="127.0.0.1", port=mosquitto.port))
        listener.subscribe("heatpool/#", heard.__setitem__)
        with listener:
            result = heatpool("run", "--cycles", "2", "--json")
            deadline_s = time.monotonic() + 10
            while len(heard) < 2 and time.monotonic() < deadline_s:
                time.sleep(0.02)
    assert result.exit_code == 0, result.output
    done = msgspec.json.decode(result.stdout.splitlines()[-1], type=dict[str, int])
    assert (done["recorded"], done["scored"], done["source_failures"]) == (2, 1, 0)
    assert done["alarms"] == 1
    states = [one for topic, one in heard.items() if topic.endswith("/state")]
    shown = msgspec.json.decode(states[0], type=dict[str, object])
    assert shown["alarm"] is True
    assert not math.isnan(float(str(shown["anomaly_score"])))
    sent = [record["temp_flow"] for one in hub.submissions for record in one.data]
    assert sent == [HOT, HOT]


def test_the_doctor_finds_nothing_wrong(heatpool: Heatpool, pool: Pool, hub: Hub) -> None:
    """All is ok after an update."""
    hub.release = release(payload())
    pool.update()
    result = heatpool("doctor", "--json")
    assert result.exit_code == 0, result.output
    assert set(findings(result).values()) == {"ok"}
    assert set(findings(result)) == {
        "config", "token", "keys", "consent", "clock", "disk", "spool", "consent_record", "erasure",
        "alerts", "model", "pool",
    }  # fmt: skip  # one list


def test_the_doctor_says_what_to_do(heatpool: Heatpool, pool: Pool, hub: Hub, home: Home) -> None:
    """Each trouble has its line and its remedy; errors end with 3."""
    pool.spool.append([(NOW_S * 1000, b'{"timestamp":1.0,"a":1}')])
    hub.scripted.extend([refusal(Refusal.STOPPING), refusal(Refusal.BODY_MISSHAPEN)])
    heatpool("send")  # the keys first, in vain, then the readings
    hub.eligible = False
    home.token.unlink()
    result = heatpool("doctor", "--json")
    found = findings(result)
    assert result.exit_code == 3
    assert (found["token"], found["pool"]) == ("error", "error")
    assert (found["spool"], found["keys"], found["model"]) == ("warning",) * 3
    assert found["consent_record"] == "warning"
    assert "heatpool spool --retry" in heatpool("doctor", "--offline").output
    assert part(heatpool("spool", "--json"), "waiting")["records"] == 1


def test_the_doctor_survives_garbage(
    heatpool: Heatpool, agreed: Config, home: Home, hub: Hub, fake_time: FakeTime
) -> None:
    """A corrupt spool, a clock that was never set, a server that answers nonsense."""
    assert agreed
    home.spool.write_bytes(b"no database" * 500)
    hub.scripted.append(Reply(200, b"<html>"))
    fake_time.now_s = 1000.0
    found = findings(heatpool("doctor", "--json"))
    assert (found["clock"], found["pool"], found["spool"]) == ("error", "error", "ok")
    assert "spool_damaged 1" in heatpool("doctor", "--offline").output
    home.config.write_text("nonsense", encoding="utf-8")
    assert findings(heatpool("doctor", "--json")) == {"config": "error"}


def test_the_doctor_looks_at_source_and_alerts(heatpool: Heatpool, pool: Pool) -> None:
    """A map that does not exist and a key that nobody knows are errors with a remedy."""
    write_private(pool.home.source, b'kind = "modbus"\nmap = "idm_navigator_2_0"\nhost = "x"\n')
    write_private(pool.home.alerts, b'urls = ["ntfys://secret"]\n')
    result = heatpool("doctor", "--offline", "--json")
    assert (findings(result)["source"], findings(result)["alerts"]) == ("ok", "ok")
    assert "secret" not in result.output
    write_private(pool.home.source, b'kind = "modbus"\nmap = "none_such"\nhost = "x"\n')
    write_private(pool.home.alerts, b"colour = 1\n")
    result = heatpool("doctor", "--offline", "--json")
    assert (findings(result)["source"], findings(result)["alerts"]) == ("error", "error")
    assert "Mend the map" in result.output


@pytest.mark.parametrize(
    "fault",
    [one for one in Fault if TEXTS[one].exit is not Exit.INPUT or one is Fault.MAP_INVALID],
)
def test_whatever_the_doctor_finds_it_says_what_to_do(fault: Fault) -> None:
    """In both languages: the error's own text names a command, or the table has an advice."""
    said = ADVICE.get(fault)
    assert all(said) if said is not None else "`" in TEXTS[fault].en and "`" in TEXTS[fault].de


class Still:
    """A source that always measures the same."""

    def read(self) -> list[Seen]:
        """One usual value."""
        return [Seen("temp_flow", "°C", 40.0, "ok", 0, 99)]


def test_a_change_of_eligibility_is_told_once(
    pool: Pool, hub: Hub, environ: dict[str, str], fake_time: FakeTime
) -> None:
    """After the update that says so, in both directions; a restart does not tell it again."""
    hub.release = release(payload())
    hub.eligible = False
    updating.note(pool, pool.update())
    with Telemetry(
        home=pool.home.root, environ=environ, clock=fake_time.clock(), background=False
    ) as telemetry:
        logger = Logger(pool, telemetry, AlertSettings())
        logger.cycle(Still())
        told_before = dict(logger._notifier.state.told)
        hub.eligible = True
        updating.note(pool, pool.update())
        logger.cycle(Still())
        again = Logger(pool, telemetry, AlertSettings())
        fake_time.now_s += 7 * 3600
        again.cycle(Still())
        assert again._notifier.state == logger._notifier.state
        hub.eligible = False
        updating.note(pool, pool.update())
        again.cycle(Still())
    assert told_before == {}
    assert list(logger._notifier.state.told) == ["became_eligible"]
    assert again._notifier.state.told["no_longer_eligible"].severity == "warning"


def test_the_readme_lists_every_command() -> None:
    """Also those of groups."""
    readme = Path(heatpool_client.__file__).parent.parent / "README.md"
    text = readme.read_text(encoding="utf-8")
    for name in cli.commands:
        assert f"| `{name}" in text, name


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_printed(shell: str) -> None:
    """As click makes it for each shell; bash takes it without complaint."""
    result = CliRunner().invoke(cli, ["completion", shell], obj=Surroundings({}))
    assert result.exit_code == 0
    assert "_HEATPOOL_COMPLETE" in result.output
    if shell == "bash":
        subprocess.run(["bash", "-n"], input=result.output, text=True, check=True)


def test_every_command_has_json_home_and_language() -> None:
    """Scripts need no exception list; `completion` alone prints a script as it is."""
    without = []
    pending: list[tuple[str, click.Command]] = list(cli.commands.items())
    while pending:
        name, command = pending.pop()
        if isinstance(command, click.Group):
            pending += [(f"{name} {inner}", one) for inner, one in command.commands.items()]
        elif not {"as_json", "home", "language"} <= {one.name for one in command.params}:
            without.append(name)
    assert without == ["completion"]
