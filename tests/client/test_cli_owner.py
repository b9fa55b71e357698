"""`init`, `consent`, `register`, `trust`, `status`, and the program as a process."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec
import pytest
from click.testing import Result
from simulators.command_output import document, part
from simulators.hub import TOKEN, Hub
from simulators.publisher import TRUST, trust_file

from heatpool_client.consent import CONSENT_VERSION

if TYPE_CHECKING:
    from pathlib import Path

    from heatpool_client.config import Config
    from heatpool_client.home import Home

Heatpool = Callable[..., Result]


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Ten minutes of an old recording, two of them anomalous, one cell broken."""
    path = tmp_path / "recording.csv"
    lines = [
        f"2020-02-08 13:3{i}:00;{20 + i};{'x' if i == 3 else i};{int(i > 7)}" for i in range(10)
    ]
    path.write_text(
        "datetime;temp flow;Power;anomaly\n" + "\n".join(lines) + "\n", encoding="utf-8"
    )
    return path


def test_init_sets_up_agrees_and_registers(
    heatpool: Heatpool, hub: Hub, home: Home, tmp_path: Path
) -> None:
    """A script needs one line, and `status` shows what it did."""
    trust = tmp_path / "trust.1.json"
    trust.write_bytes(trust_file(TRUST))
    result = heatpool(
        "init", "--server", hub.url, "--model", "AERO SLM 6-17", "--token-file", "-",
        "--trust", trust, "--accept-consent", CONSENT_VERSION, "--language", "de", "--json",
        stdin=TOKEN + "\n",
    )  # fmt: skip  # a command line
    assert result.exit_code == 0, result.output
    report = document(result)
    assert (report["consent"], report["trusted"], report["registered"]) == ("granted", True, True)
    assert list(hub.keys) == [report["installation_id"]]
    status = document(heatpool("status", "--json"))
    assert status["installation_id"] == report["installation_id"]
    assert (status["consent"], status["trust_version"], status["active"]) == ("granted", 1, None)
    assert (home.root / "token").read_text() == TOKEN + "\n"


def test_init_works_offline(heatpool: Heatpool, home: Home) -> None:
    """Registration waits; the file says what is missing."""
    result = heatpool(
        "init", "--server", "http://127.0.0.1:9", "--model", "AERO",
        "--accept-consent", CONSENT_VERSION, "--token-file", "-", stdin=TOKEN,
    )  # fmt: skip  # a command line
    assert result.exit_code == 0
    assert "Not registered yet" in result.stderr
    assert home.config.exists()


def test_init_without_a_word_sends_nothing(heatpool: Heatpool, hub: Hub, recording: Path) -> None:
    """No option and nobody to ask: set up, and silent until somebody agrees."""
    result = heatpool(
        "init", "--server", hub.url, "--model", "AERO", "--token-file", "-", stdin=TOKEN
    )
    assert result.exit_code == 0
    for command in (["submit", recording], ["register"], ["update"], ["status", "--online"]):
        refused = heatpool(*command)
        assert refused.exit_code == 4
        assert CONSENT_VERSION in refused.stderr
    assert hub.requests == []


@pytest.mark.parametrize(
    ("option", "status"),
    [
        (["--accept-consent", "2020-01"], 4),
        (["--model", "a/b"], 3),
        (["--server", "http://pool.example"], 3),
        (["--installation-id", "ABC"], 3),
        (["--token-file", "/nonexistent"], 5),
        (["--trust", "/nonexistent"], 5),
        (["--language", "fr"], 2),
    ],
)
def test_init_with_a_mistake_writes_nothing(
    heatpool: Heatpool, hub: Hub, home: Home, option: list[str], status: int
) -> None:
    """And says which one it was."""
    result = heatpool("init", "--server", hub.url, "--model", "AERO", *option)
    assert (result.exit_code, home.root.exists()) == (status, False)
    assert result.stderr
    assert hub.requests == []


def test_init_twice_is_refused(heatpool: Heatpool, hub: Hub, config: Config) -> None:
    """In JSON, too."""
    result = heatpool("init", "--server", hub.url, "--model", "AERO", "--json")
    assert result.exit_code == 3
    assert part(result, "error")["code"] == "already_initialised"
    assert config.installation_id not in result.output


def test_consent_shows_takes_and_withdraws(heatpool: Heatpool, config: Config, home: Home) -> None:
    """Withdrawing is as easy as agreeing."""
    shown = heatpool("consent", "--language", "de")
    assert "Einwilligung" in shown.output or "zustimmen" in shown.output
    assert "none" in shown.stdout
    agreed = heatpool("consent", "--accept", CONSENT_VERSION, "--json")
    assert document(agreed)["standing"] == "granted"
    assert heatpool("consent", "--accept", "x").exit_code == 4
    withdrawn = heatpool("consent", "--withdraw", "--json")
    assert document(withdrawn)["standing"] == "withdrawn"
    assert heatpool("consent", "--withdraw", "--accept", CONSENT_VERSION).exit_code == 2
    home.consents.write_bytes(b"?")
    assert document(heatpool("consent", "--json"))["standing"] == "damaged"
    assert config.model


def test_register_and_trust_report(
    heatpool: Heatpool, hub: Hub, agreed: Config, tmp_path: Path
) -> None:
    """Both can be repeated."""
    assert document(heatpool("register", "--json"))["status"] == "bound"
    assert list(hub.keys) == [agreed.installation_id]
    second = tmp_path / "trust.2.json"
    second.write_bytes(trust_file(msgspec.structs.replace(TRUST, version=2)))
    assert document(heatpool("trust", second, "--json"))["version"] == 2
    again = heatpool("trust", second, "--json")
    assert again.exit_code == 9
    assert part(again, "error")["code"] == "trust_rejected"


def test_status_online_shows_what_the_pool_says(
    heatpool: Heatpool, hub: Hub, agreed: Config
) -> None:
    """Eligibility and contribution."""
    hub.eligible = False
    check = part(heatpool("status", "--online", "--json"), "check")
    assert (check["eligible"], check["reason"]) == (False, "no_recent_contribution")
    plain = heatpool("status")
    assert agreed.installation_id in plain.stdout
    assert heatpool("status", "--online").exit_code == 0


@pytest.mark.parametrize("command", ["status", "register", "update", "consent"])
def test_commands_before_init_say_what_to_do(heatpool: Heatpool, home: Home, command: str) -> None:
    """Exit status 3 and the next command; only `consent` can be read before."""
    result = heatpool(command)
    if command == "consent":
        assert result.exit_code == 0
        return
    assert result.exit_code == 3
    assert "heatpool init" in result.stderr
    assert not home.root.exists()


def test_the_program_starts_as_a_process(tmp_path: Path) -> None:
    """`python -m heatpool_client` reads the environment and ends with the documented status."""
    command = [sys.executable, "-m", "heatpool_client"]
    environ = {"HEATPOOL_HOME": str(tmp_path / "home"), "LANG": "de_DE.UTF-8"}
    version = subprocess.run([*command, "--version"], env={}, capture_output=True, check=True)
    assert b"0.1.0" in version.stdout
    status = subprocess.run([*command, "status"], env=environ, capture_output=True, check=False)
    assert status.returncode == 3
    assert "heatpool init" in status.stderr.decode()
    assert status.stderr.startswith(b"Fehler:")


@pytest.mark.parametrize(("answer", "standing"), [(b"y\n", "granted"), (b"n\n", "none")])
def test_at_a_terminal_the_owner_is_asked(
    tmp_path: Path, heatpool: Heatpool, home: Home, answer: bytes, standing: str
) -> None:
    """The text is shown, and only a yes is one."""
    command = [sys.executable, "-m", "heatpool_client", "init", "--home", str(home.root)]
    command += ["--server", "http://127.0.0.1:9", "--model", "AERO"]
    ours, theirs = pty.openpty()
    try:
        os.write(ours, answer)
        done = subprocess.run(command, env={}, stdin=theirs, capture_output=True, check=False)
    finally:
        os.close(ours)
        os.close(theirs)
    assert done.returncode == 0, done.stderr
    assert b"Sharing data with the heat-pump pool" in done.stderr
    report = document(heatpool("consent", "--json"))
    assert report["standing"] == standing
    if standing == "granted":
        assert msgspec.convert(report["last"], dict[str, object])["means"] == "asked"
    assert tmp_path in home.root.parents
