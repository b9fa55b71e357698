"""`preview`, `submit`, `replay`: what is printed, what is sent, how it ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec
import pytest
from click.testing import Result
from simulators.command_output import document, part
from simulators.hub import Hub, refusal
from simulators.publisher import NOW_S

from heatpool_contract import telemetry
from heatpool_contract.refusals import Refusal

if TYPE_CHECKING:
    from pathlib import Path

    from simulators.faketime import FakeTime

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


def times(hub: Hub) -> list[object]:
    """Timestamps that have arrived."""
    return [record["timestamp"] for one in hub.submissions for record in one.data]


def test_submit_sends_a_table_as_it_is(
    heatpool: Heatpool, hub: Hub, agreed: Config, recording: Path
) -> None:
    """Counts of what was posted, stored and left out."""
    result = heatpool("submit", recording, "--json", "--drop", "anomaly", "--batch", 4)
    assert result.exit_code == 0
    totals, ledger = part(result, "totals"), part(result, "ledger")
    assert (totals["requests"], totals["records_accepted"], totals["samples_accepted"]) == (
        3,
        10,
        19,
    )
    assert ledger["values_broken"] == 1
    assert times(hub)[0] == 1_581_168_600.0  # 2020-02-08 13:30:00 UTC
    assert hub.submissions[0].data[0] == {
        "timestamp": 1_581_168_600.0,
        "temp_flow": 20.0,
        "Power": 0.0,
    }
    assert {one.heatpump_model for one in hub.submissions} == {agreed.model}
    assert {one.installation_id for one in hub.submissions} == {agreed.installation_id}


def test_replay_brings_a_recording_to_now(
    heatpool: Heatpool, hub: Hub, agreed: Config, recording: Path
) -> None:
    """The last row that is sent ends now; labels choose rows and are not sent."""
    result = heatpool(
        "replay", recording, "--where", "anomaly=0", "--drop", "anomaly", "--shift", "now",
        "--map", "temp flow=temp_flow", "--map", "Power=power_electric",
        "--model", "SKAB bench", "--installation-id", "3f2b8c1e-5d4a-4b6f-8a9c-0d1e2f3a4b5c",
    )  # fmt: skip  # a command line
    assert result.exit_code == 0, result.output
    assert times(hub) == [NOW_S - 60.0 * i for i in range(7, -1, -1)]
    (sent,) = hub.submissions
    assert sent.heatpump_model == "SKAB bench"
    assert set(sent.data[0]) == {"timestamp", "temp_flow", "power_electric"}
    assert "samples accepted" in result.stdout
    assert agreed.model != sent.heatpump_model


@pytest.mark.usefixtures("agreed")
def test_replay_at_speed_waits_between_requests(
    heatpool: Heatpool, hub: Hub, recording: Path, fake_time: FakeTime
) -> None:
    """Ten minutes at 60x: a request every two seconds."""
    result = heatpool("replay", recording, "--speed", "60x", "--batch", 2, "--shift", "86400")
    assert result.exit_code == 0
    assert fake_time.slept == [1.0, 2.0, 2.0, 2.0, 2.0]
    assert len(hub.submissions) == 5
    assert times(hub)[0] == 1_581_168_600.0 + 86_400


def test_rejections_are_told_in_words(
    heatpool: Heatpool, hub: Hub, agreed: Config, recording: Path
) -> None:
    """The code, the count and the pool's text, in the owner's language."""
    hub.rejected_index = 0
    result = heatpool("submit", recording, "--language", "de")
    assert result.exit_code == 0
    assert "1 x timestamp_in_future" in result.stdout
    assert "bitte die Uhr des Loggers prüfen" in result.stdout.replace("\n", " ")
    assert agreed.language == "en"


@pytest.mark.usefixtures("agreed")
def test_a_submission_of_which_nothing_was_taken_fails(
    heatpool: Heatpool, hub: Hub, tmp_path: Path
) -> None:
    """Stored nothing is no success."""
    hub.rejected_index = 0
    path = tmp_path / "one.jsonl"
    path.write_text('{"timestamp":1,"a":2}\n')
    assert heatpool("submit", path).exit_code == 7


@pytest.mark.usefixtures("agreed")
def test_a_failure_in_the_middle_says_where_to_go_on(
    heatpool: Heatpool, hub: Hub, recording: Path
) -> None:
    """And with that option the rest arrives, nothing twice."""
    hub.scripted.append(refusal(Refusal.TOKEN_WRONG))
    first = heatpool("submit", recording, "--batch", 3)
    assert first.exit_code == 7
    assert "--skip" not in first.stdout  # nothing had been stored
    hub.scripted.extend([None, None, refusal(Refusal.TOKEN_WRONG)])
    second = heatpool("submit", recording, "--batch", 3)
    assert second.exit_code == 7
    assert "--skip 6" in second.stdout
    third = heatpool("submit", recording, "--batch", 3, "--skip", 6)
    assert third.exit_code == 0
    assert times(hub) == [1_581_168_600.0 + 60 * i for i in range(10)]


def test_ctrl_c_during_a_replay_still_reports(
    heatpool: Heatpool, hub: Hub, agreed: Config, recording: Path, fake_time: FakeTime
) -> None:
    """It is the usual end of a replay at speed: what was sent, and where to go on."""
    fake_time.interrupt_after = 3
    result = heatpool("replay", recording, "--speed", "60x", "--batch", 2)
    assert result.exit_code == 130
    assert "--skip 4" in result.stdout
    assert len(hub.submissions) == 2
    assert {one.installation_id for one in hub.submissions} == {agreed.installation_id}


def test_preview_prints_what_submit_sends(
    heatpool: Heatpool, hub: Hub, agreed: Config, recording: Path
) -> None:
    """The same bytes."""
    shown = heatpool("preview", recording)
    assert shown.exit_code == 0
    assert hub.requests == []
    heatpool("submit", recording)
    (sent,) = hub.submissions
    assert telemetry.decode(shown.stdout.encode()) == sent
    assert sent.installation_id == agreed.installation_id


def test_a_dry_run_needs_no_installation_and_sends_nothing(
    heatpool: Heatpool, hub: Hub, home: Home, recording: Path
) -> None:
    """What would be posted, and how the first request begins."""
    result = heatpool("replay", recording, "--dry-run", "--shift", "now", "--json", "--batch", 4)
    assert result.exit_code == 0
    totals = part(result, "totals")
    assert (totals["requests"], totals["records_posted"], totals["samples_posted"]) == (3, 10, 29)
    assert totals["last_s"] == NOW_S
    first = part(result, "first_payload")
    assert len(msgspec.convert(first["data"], list[object])) == 3
    assert document(result)["first_payload_records"] == 4
    assert heatpool("submit", recording, "--dry-run").exit_code == 0
    assert hub.requests == []
    assert not home.root.exists()


@pytest.mark.usefixtures("agreed")
def test_do_not_track_stops_every_command(
    heatpool: Heatpool, hub: Hub, recording: Path, environ: dict[str, str]
) -> None:
    """Exit status 4, not one request; looking and scoring stay possible."""
    environ["DO_NOT_TRACK"] = "1"
    for command in (["submit", recording], ["replay", recording], ["register"], ["update"]):
        result = heatpool(*command)
        assert result.exit_code == 4
        assert "DO_NOT_TRACK" in result.stderr
    assert hub.requests == []
    assert heatpool("preview", recording).exit_code == 0


@pytest.mark.parametrize(
    ("content", "options", "code"),
    [
        ("", [], "file_empty"),
        ("datetime;a\n", [], "file_empty"),
        ("when;a\n1;2\n", [], "time_column_missing"),
        ("datetime;a\n1;2\n", ["--time-column", "time"], "column_missing"),
        ("datetime;a\n1;2\n", ["--map", "b=c"], "column_missing"),
        ("datetime;a\n1;2\n", ["--where", "b=0"], "column_missing"),
        ("datetime;a\n1;x\n", [], "no_row_usable"),
        ("datetime;a\n1;x\n", ["--strict"], "row_broken"),
        ("datetime;a\n8/28/2007 0:00;1\n", [], "no_row_usable"),
        ("datetime;a\n1;2\n", ["--timezone", "Mars/Olympus"], "timezone_unknown"),
        ("datetime;a\n1;2\n", ["--encoding", "ascii"], None),
        ("datetime;ä\n1;2\n", ["--encoding", "ascii"], "file_not_text"),
    ],
)
@pytest.mark.usefixtures("agreed")
def test_bad_input_is_a_clear_error_in_two_languages(
    heatpool: Heatpool,
    hub: Hub,
    tmp_path: Path,
    content: str,
    options: list[str],
    code: str | None,
) -> None:
    """Exit status 5, the code in JSON, a sentence in English and German; nothing is sent."""
    path = tmp_path / "bad.csv"
    path.write_text(content, encoding="utf-8")
    result = heatpool("submit", path, *options, "--json")
    if code is None:
        assert result.exit_code == 0
        return
    assert result.exit_code == 5, result.output
    error = part(result, "error")
    assert error["code"] == code
    assert error["text"] != error["text_de"]
    german = heatpool("submit", path, *options, "--language", "de")
    assert german.exit_code == 5
    assert german.stderr.replace("\n", "") == f"Fehler: {error['text_de']}"
    assert hub.requests == []


@pytest.mark.parametrize(
    "options",
    [
        ["--speed", "fast"],
        ["--speed", "0"],
        ["--speed", "nan"],
        ["--shift", "yesterday"],
        ["--shift", "nan"],
        ["--map", "a"],
        ["--where", "=1"],
        ["--delimiter", ";;"],
        ["--batch", "0"],
        ["--batch", "20001"],
        ["--limit", "0"],
        ["--skip", "-1"],
    ],
)
@pytest.mark.usefixtures("agreed")
def test_wrong_usage_ends_with_status_two(
    heatpool: Heatpool, recording: Path, options: list[str]
) -> None:
    """Click's own convention."""
    assert heatpool("replay", recording, *options).exit_code == 2


@pytest.mark.usefixtures("agreed")
def test_standard_input_is_a_file_too(heatpool: Heatpool, hub: Hub) -> None:
    """With its format said; it cannot be read twice."""
    lines = '{"timestamp":1,"a":2}\n{"timestamp":2,"a":3}\n'
    assert heatpool("submit", "-", "--format", "jsonl", stdin=lines).exit_code == 0
    assert times(hub) == [1.0, 2.0]
    assert heatpool("submit", "-", stdin=lines).exit_code == 5
    shifted = heatpool("replay", "-", "--format", "jsonl", "--shift", "now", "--json", stdin=lines)
    assert part(shifted, "error")["code"] == "shift_needs_file"
