"""`update` and `score`: reports, rows, exit statuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec
import pytest
from click.testing import Result
from simulators.command_output import document, part
from simulators.publisher import DAY_S, NOW_S, release
from simulators.tiny_detector import HOT, USUAL, payload

if TYPE_CHECKING:
    from pathlib import Path

    from simulators.faketime import FakeTime
    from simulators.hub import Hub

    from heatpool_client.config import Config

Heatpool = Callable[..., Result]


@pytest.fixture
def opened(heatpool: Heatpool, hub: Hub, agreed: Config) -> Config:
    """An installation with an active model."""
    hub.release = release(payload())
    result = heatpool("update", "--json")
    assert (result.exit_code, document(result)["outcome"]) == (0, "activated")
    return agreed


@pytest.fixture
def week(tmp_path: Path) -> Path:
    """Four usual readings, two hot ones, one with nothing to say."""
    path = tmp_path / "week.csv"
    flows = [USUAL, USUAL, HOT, HOT, USUAL, USUAL, ""]
    lines = [f"{NOW_S + 60 * i},{flow},1" for i, flow in enumerate(flows)]
    path.write_text("time,temp_flow,other\n" + "\n".join(lines) + "\n")
    return path


@pytest.mark.usefixtures("opened")
def test_update_reports_and_ends_with_its_outcome(heatpool: Heatpool, hub: Hub) -> None:
    """0 with a model, 8 without, and people read why."""
    again = heatpool("update")
    assert again.exit_code == 0
    assert "current" in again.stdout
    hub.eligible = False
    refused = heatpool("update", "--language", "de")
    assert refused.exit_code == 8
    assert "Ein Text." in refused.stdout


@pytest.mark.usefixtures("opened")
def test_update_with_a_forged_model_ends_with_nine(heatpool: Heatpool, hub: Hub) -> None:
    """The present model stays, and `status` names the refusal."""
    hub.release = release(payload(), seq=9, signers=("release 2",))
    result = heatpool("update", "--json")
    assert result.exit_code == 9
    assert part(result, "error")["code"] == "model_rejected"
    status = document(heatpool("status", "--json"))
    assert status["last_refusal"] == "threshold"
    active = msgspec.convert(status["active"], dict[str, object])
    assert (active["version"], active["expired"], active["stale"]) == ("v2026.11", False, False)


@pytest.mark.usefixtures("opened")
def test_score_summarises_and_writes_rows(
    heatpool: Heatpool, hub: Hub, week: Path, tmp_path: Path
) -> None:
    """Share over the threshold, episodes with reasons, a line per scored row; nothing is sent."""
    hub.requests.clear()
    output = tmp_path / "scores.csv"
    result = heatpool("score", week, "--output", output, "--json")
    assert result.exit_code == 0, result.output
    report, summary = document(result), part(result, "summary")
    assert (summary["rows"], summary["scored"], summary["over"]) == (7, 6, 2)
    assert report["over_share"] == pytest.approx(1 / 3)
    assert (summary["episodes_over"], summary["episodes_alarm"]) == (1, 1)
    assert (report["state"], report["expired"]) == ("released", False)
    header, *rows = output.read_text().splitlines()
    assert header == "timestamp,mode,channel,score,smoothed,threshold,over,alarm,reason"
    assert len(rows) == 6
    assert rows[2].startswith(f"{NOW_S + 120}.0,heating,all,")
    assert "flow temperature" in rows[2]
    assert hub.requests == []


@pytest.mark.usefixtures("opened")
def test_history_is_seen_before_and_not_counted(
    heatpool: Heatpool, week: Path, tmp_path: Path
) -> None:
    """The scorer has gone through it: older rows of the file are then out of order."""
    history = tmp_path / "history.csv"
    history.write_text(f"time,temp_flow\n{NOW_S - 60},{USUAL}\n{NOW_S + 30},{USUAL}\n")
    summary = part(heatpool("score", week, "--history", history, "--json"), "summary")
    assert (summary["rows"], summary["scored"]) == (7, 5)
    assert msgspec.convert(summary["not_scored"], dict[str, int])["out_of_order"] == 1


@pytest.mark.usefixtures("opened")
def test_score_speaks_to_people_and_to_pipes(heatpool: Heatpool, week: Path) -> None:
    """Rows as JSON lines on stdout, the summary beside them on stderr; German reasons."""
    human = heatpool("score", week, "--language", "de")
    assert "2 of 6" in human.stdout
    assert "Vorlauftemperatur" in human.stdout
    piped = heatpool(
        "score", "--stdin", "--format", "csv", "--output", "-", "--output-format", "jsonl",
        stdin=week.read_text(),
    )  # fmt: skip  # a command line
    assert piped.exit_code == 0, piped.output
    first, *_ = piped.stdout.splitlines()
    assert msgspec.json.decode(first, type=dict[str, object])["mode"] == "heating"
    assert len(piped.stdout.splitlines()) == 6
    assert "2 of 6" in piped.stderr


@pytest.mark.usefixtures("agreed")
def test_score_without_file_model_or_room_fails(
    heatpool: Heatpool, hub: Hub, week: Path, tmp_path: Path
) -> None:
    """2, 8 and 5; a model that has expired still scores and says so."""
    assert heatpool("score").exit_code == 2
    assert heatpool("score", week, "--stdin").exit_code == 2
    assert heatpool("score", week).exit_code == 8
    hub.release = release(payload())
    heatpool("update")
    assert heatpool("score", week, "--output", tmp_path / "no" / "folder.csv").exit_code == 5


@pytest.mark.usefixtures("opened")
def test_an_expired_model_still_scores_and_says_so(
    heatpool: Heatpool, week: Path, fake_time: FakeTime
) -> None:
    """Better an old detector that is named so than none."""
    fake_time.now_s += 120 * DAY_S
    result = heatpool("score", week, "--json")
    assert (result.exit_code, document(result)["expired"]) == (0, True)
    status = msgspec.convert(document(heatpool("status", "--json"))["active"], dict[str, object])
    assert (status["expired"], status["stale"]) == (True, True)
