"""What the owner sees of the past weeks: kept, merged, forgotten in time."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest
from simulators.publisher import NOW_S, release
from simulators.tiny_detector import HOT, USUAL, payload
from simulators.watched_detector import days_of, watched

from heatpool_client.history import (
    EXPECTED,
    FINDING_S,
    FLUSH_S,
    KEPT_S,
    POOL,
    History,
    community_values,
)
from heatpool_client.history_rows import Bin, why_of
from heatpool_client.telemetry import Telemetry
from heatpool_client.watching import Detector
from heatpool_client.web import own
from heatpool_contract.scoring import Scorer

if TYPE_CHECKING:
    from simulators.faketime import FakeTime
    from simulators.hub import Hub

    from heatpool_client.home import Home
    from heatpool_client.pool import Pool


@pytest.fixture
def history(home: Home, fake_time: FakeTime) -> History:
    """An empty one."""
    home.create()
    return History(home.history, fake_time.clock())


def test_values_of_one_moment_are_merged_over_processes(
    history: History, home: Home, fake_time: FakeTime
) -> None:
    """The sender knows the pool's quantities, the detector its own; both write."""
    other = History(home.history, fake_time.clock())
    history.measured(NOW_S, {"a": 1.0})
    other.measured(NOW_S, {"b": 3.0})
    history.measured(NOW_S + 60, {"a": 2.0})
    history.flush()
    other.flush()

    assert history.curve("a", NOW_S, 3600) == [(NOW_S // 3600 * 3600, 1.5, None)]
    assert history.mean("b", NOW_S) == (1, 3.0, 3.0)
    assert history.mean("c", NOW_S) is None
    assert stat.S_IMODE(home.history.stat().st_mode) == 0o600


def test_the_disk_is_written_seldom(history: History, home: Home, fake_time: FakeTime) -> None:
    """Nothing is on disk before five minutes have passed."""
    history.measured(NOW_S, {"a": 1.0})
    assert not home.history.exists()
    fake_time.now_s += FLUSH_S
    history.measured(NOW_S + 60, {"a": 1.0})
    assert len(history.curve("a", NOW_S, 60)) == 2


def test_what_is_old_goes(history: History, fake_time: FakeTime) -> None:
    """Five weeks, no more."""
    history.measured(NOW_S, {"a": 1.0})
    history.flush()
    fake_time.now_s += KEPT_S + 1
    history.measured(fake_time.now_s, {"a": 2.0})
    history.flush()

    assert history.mean("a", 0) == (1, 2.0, 2.0)


def test_a_history_that_cannot_be_written_costs_no_reading(
    history: History, home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    """A damaged file is said once; the logger goes on."""
    home.history.write_bytes(b"no database" * 100)
    for minute in range(3):
        history.measured(NOW_S + minute, {"a": 1.0})
        history.flush()

    assert history.curve("a", 0, 60) == []
    assert [one.getMessage() for one in caplog.records].count(
        "the history cannot be written: file is not a database"
    ) == 1


def test_bins_go_by_the_nearest_middle(history: History) -> None:
    """Number, mean and what was expected, by outdoor temperature, also below zero."""
    for at, (outdoor, cop) in enumerate([(-4.0, 2.0), (-3.0, 3.0), (1.0, 4.0), (2.9, 5.0)]):
        history.measured(NOW_S + at, {"outdoor": outdoor, "cop": cop, EXPECTED + "cop": cop + 1})
    history.measured(NOW_S + 9, {"outdoor": 0.0})
    history.flush()

    assert history.by_bin("cop", "outdoor", 3.0, NOW_S) == [
        Bin(-3.0, 2, 2.5, 3.5),
        Bin(0.0, 1, 4.0, 5.0),
        Bin(3.0, 1, 5.0, 6.0),
    ]


def test_the_pools_quantities_are_told_by_the_loggers_names() -> None:
    """The first name that is there counts; what is out of range does not."""
    found = community_values({"temp_outside": 3.0, "temp_flow": 900.0, "power_current": 6000.0})

    assert found == {POOL + "temp_outdoor": 3.0, POOL + "heat_energy": 6000.0}


def test_a_detector_leaves_scores_and_what_it_expected(
    pool: Pool, hub: Hub, fake_time: FakeTime
) -> None:
    """Why a score is high can be told later, in any language."""
    hub.release = release(payload())
    pool.update()
    detector = Detector(pool)
    for minute, value in enumerate((USUAL, HOT)):
        detector.score({"temp_flow": value}, NOW_S + 60 * minute)
    detector.save()
    history = History(pool.home.history, fake_time.clock())

    usual, hot = history.scores(NOW_S)
    assert (usual.is_over, usual.why, hot.is_alarm) == (False, None, True)
    why = why_of(hot)
    assert why is not None
    assert (why.contributions[0].feature, why.contributions[0].own) == ("flow", HOT)
    assert history.mean("flow", NOW_S) == (2, 65.0, 90.0)
    assert history.curve("flow", NOW_S, 60, 0) == [(NOW_S, USUAL, 60.0), (NOW_S + 60, HOT, 60.0)]
    assert history.curve("flow", NOW_S, 60, 1) == []


def test_a_recorded_reading_is_in_the_history(pool: Pool, fake_time: FakeTime) -> None:
    """Also before there is a detector; a withdrawn consent keeps nothing."""
    with Telemetry(
        pool.config,
        home=pool.home.root,
        environ={},
        clock=fake_time.clock(),
        background=False,
    ) as telemetry:
        assert telemetry.record({"temp_outdoor": 2.5})

    assert History(pool.home.history, fake_time.clock()).mean("pool.temp_outdoor", 0) == (
        1, 2.5, 2.5,
    )  # fmt: skip  # one value


def test_clearing_leaves_nothing_in_the_file(history: History, home: Home) -> None:
    """The file holds no value afterwards."""
    history.measured(NOW_S, {"somethingrare": 1.0})
    history.flush()
    history.clear()

    assert history.mean("somethingrare", 0) is None
    assert b"somethingrare" not in home.history.read_bytes()


def test_what_days_and_rules_found_is_kept_in_both_languages(
    history: History, fake_time: FakeTime
) -> None:
    """Once in a quarter of an hour as long as it holds, under the detector's own words."""
    scorer = Scorer(watched())
    for time_ms, sent in days_of(30, 2, 9):
        scorer.observe(time_ms, sent | {"hertz": 120.0 * (sent["hertz"] > 0)})
        history.found(time_ms / 1000, scorer.beside)
        fake_time.now_s = time_ms / 1000
    history.flush()

    rows = [row for row in history.findings(0) if row.kind == "rule"]
    assert {(row.name, row.is_alarm) for row in rows} == {("hertz_high", True)}
    assert len({row.timestamp_s for row in rows}) == len(rows) > 1
    assert all(row.timestamp_s % FINDING_S == 0 for row in rows)
    assert rows[0].text.startswith("hertz_high is broken")
    assert rows[0].text_de != rows[0].text
    (note,) = [
        one for one in own.alarms_card(history, fake_time.now_s, 7).notes if one.kind == "rule"
    ]
    assert (note.title_de, note.is_alarm) == ("Wärmepumpe: bitte prüfen", True)
