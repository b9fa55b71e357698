"""The main job end to end: homes contribute, a release is made, a home opens it and scores."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import httpx
import numpy as np
import pytest

from heatpool_deploy import keys
from heatpool_fleet import posting
from heatpool_fleet.demo.client import HomeCommands, write_csv
from heatpool_fleet.demo.running import wait_for_release
from heatpool_fleet.demo.scores import auc, read_scores
from heatpool_fleet.faults import Fault, FaultKind
from heatpool_fleet.homes import make_homes
from heatpool_fleet.simulation import simulate

if TYPE_CHECKING:
    from pathlib import Path

    from pool import Pool

    from heatpool_fleet.recording import Recording

pytestmark = [pytest.mark.pipeline, pytest.mark.slow, pytest.mark.timeout(400)]
MODEL = "AERO SLM 6-17"
SLUG = "aero_slm_6_17"
DAY_S = 86_400.0
DAYS = 16.0
SCORED_DAYS = 6.0
READINGS = '{__name__=~"heatpump_.+",__name__!~"heatpump_(batch_samples|info)"}'


def test_a_home_contributes_and_scores_with_the_community_detector(
    whole_pool: Pool, tmp_path: Path
) -> None:
    """Every station counts the same samples; the verified model tells a fault from health."""
    now_s = time.time() // 60 * 60
    own, *others = _recordings(now_s)
    until_s = now_s - SCORED_DAYS * DAY_S
    owner = HomeCommands(whole_pool.stack, MODEL, tmp_path / "home")
    owner.init()

    history = tmp_path / "history.csv"
    write_csv(own, history, 0.0, until_s)
    sent = owner.replay(history)
    target = posting.Target(whole_pool.stack.ingest_url, whole_pool.token)
    counts = asyncio.run(posting.post([_before(o, until_s) for o in others], target, _ignore))
    posted = counts.samples + int(str(sent["samples_accepted"]))
    stored = whole_pool.wait_until_counted(READINGS, posted)
    release = wait_for_release(whole_pool.stack, SLUG)
    first, again = owner.update(), owner.update()
    scores = _scores(owner, own, until_s, tmp_path)

    assert stored == posted == _before(own, until_s).samples * 8
    assert release["installations"] == 8
    assert first["outcome"] == "activated"
    assert first["model_hash"] == release["model_hash"]
    assert again["outcome"] == "current"
    assert scores >= 0.8
    _assert_only_contributors_are_served(whole_pool)
    _assert_no_id_is_known_past_the_edge(whole_pool, own.home.installation_id, owner)


def _recordings(now_s: float) -> list[Recording]:
    homes = make_homes(8, 7, MODEL)
    fault = Fault(FaultKind.UNDERCHARGE, 0.3, now_s - SCORED_DAYS / 2 * DAY_S)
    start_s = now_s - (DAYS + SCORED_DAYS) * DAY_S
    return simulate(homes, start_s, DAYS + SCORED_DAYS, 60.0, 7, {homes[0].index: fault})


def _before(recording: Recording, until_s: float) -> Recording:
    rows = recording.timestamps_s < until_s
    return type(recording)(
        recording.home,
        recording.timestamps_s[rows],
        {name: column[rows] for name, column in recording.columns.items()},
        None,
    )


def _scores(owner: HomeCommands, own: Recording, until_s: float, folder: Path) -> float:
    """AUC of the days with the fault against the healthy days before."""
    file, output = folder / "present.csv", folder / "scores.csv"
    write_csv(own, file, until_s - 8 * DAY_S, np.inf)
    owner.score(file, output)
    table, onset_s = read_scores(output), until_s + SCORED_DAYS / 2 * DAY_S
    healthy = table.between(until_s, onset_s)
    return auc(healthy.smoothed, table.between(onset_s, np.inf).smoothed)


def _assert_only_contributors_are_served(pool: Pool) -> None:
    """A stranger with the shared token is told why, and gets nothing."""
    headers = {"Authorization": f"Bearer {pool.token}"}
    stranger = {"installation_id": "00000000-0000-4000-8000-000000000001", "model": MODEL}
    hub = pool.stack.modelhub_url

    check = httpx.get(f"{hub}/api/v1/model/check", params=stranger, headers=headers).json()
    download = httpx.get(f"{hub}/api/v1/model/download", params=stranger, headers=headers)

    assert check["eligible"] is False
    assert check["reason"] == "no_recent_contribution"
    assert check.get("key_grant") is None
    assert download.status_code == 403


def _assert_no_id_is_known_past_the_edge(pool: Pool, fleet_id: str, owner: HomeCommands) -> None:
    """Neither logs nor labels hold a UUID or a token."""
    status = owner.status()
    own_id = str(status["installation_id"])
    logs = "".join(path.read_text("utf-8") for path in pool.stack.state.glob("*.log"))
    labels = httpx.get(f"{pool.stack.victoria_url}/api/v1/label/installation/values").text

    for secret in (fleet_id, own_id, pool.token, pool.stack.secret(keys.PSEUDONYM_KEY)):
        assert secret not in logs
        assert secret not in labels


def _ignore(_counts: posting.Counts) -> None:
    """No progress to show."""
