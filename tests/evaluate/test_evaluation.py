"""The evaluation's parts: who is compared with whom, what is kept, what is said of gaps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from evaluate import baselines, page, recordings, store, tables

from heatpool_fleet.scenarios import SCENARIOS
from heatpool_trainer.readings import HomeSeries

if TYPE_CHECKING:
    from pathlib import Path


def test_no_home_is_on_two_sides() -> None:
    """Homes that train, decide and are reported are others; so is their weather."""
    groups = [recordings.TRAINING, recordings.CHOOSING, recordings.REPORTED]
    seeds = [period.weather_seed for period in (*recordings.TRAINED, *recordings.JUDGED)]
    judged = {period.weather_seed for period in recordings.JUDGED}

    assert sum(len(set(group)) for group in groups) == len(set().union(*groups))
    assert len(set(seeds)) == len(seeds)
    assert recordings.ALIKE.weather_seed not in judged


@pytest.mark.parametrize("period", recordings.JUDGED, ids=lambda period: period.name)
def test_every_scenario_is_played_by_different_homes(period: recordings.Period) -> None:
    """Within a block each home occurs once; over all blocks each scenario as often as planned."""
    blocks = recordings.plays(period)
    homes = {
        name: [play.home for block in blocks for play in block if play.scenario.name == name]
        for name in (one.name for one in SCENARIOS)
    }

    for block in blocks:
        assert len({play.home for play in block}) == len(block)
    assert all(len(set(some)) == len(some) == period.players for some in homes.values())


def test_recordings_come_back_exactly(tmp_path: Path) -> None:
    """Tenths, hundredths and large whole numbers."""
    times_ms = np.arange(4) * 60_000
    columns = {"temp": np.array([-0.1, 21.3, 0.0, 54.0]), "power": np.array([0, 14_321.0, 7, 1])}
    path = tmp_path / "homes.npz"
    store.save_series(
        path, [HomeSeries("a", times_ms, columns), HomeSeries("b", times_ms, columns)]
    )

    first, second = store.Files([path])
    assert [first.home, second.home] == ["a", "b"]
    for name, column in columns.items():
        assert np.array_equal(first.columns[name], column)
        assert np.array_equal(second.columns[name], column)


@pytest.mark.parametrize("scorer", [scorer for _, scorer in baselines.ALL[2:]])
def test_the_others_see_an_outlier(scorer: baselines.Scorer) -> None:
    """What lies far outside scores higher than what they were trained on."""
    random = np.random.default_rng(3)
    training = random.normal(size=(300, 4))
    usual, odd = scorer(training, np.full((1, 4), 9.0), 1)

    assert odd[0] > usual.max()


def test_the_predecessor_learns_in_the_order_of_arrival() -> None:
    """Its window holds the last 250 rows: the same rows in another order give other scores."""
    random = np.random.default_rng(4)
    training = np.vstack([random.normal(0, 1, (300, 3)), random.normal(5, 1, (300, 3))])
    rest = random.normal(0, 1, (20, 3))
    forth = baselines.minmax_trees(training, rest, 1)[1]
    back = baselines.minmax_trees(training[::-1], rest, 1)[1]

    assert forth.mean() > back.mean() + 0.05


def test_what_was_not_measured_stands_on_the_page(tmp_path: Path) -> None:
    """An empty folder gives a page that claims nothing."""
    written = page.write(tmp_path).read_text("utf-8")

    assert written.count("NOT MEASURED") >= 5


def test_a_table_without_rows_says_why() -> None:
    """In the terminal, too."""
    assert "no data" in tables.text(tables.missing("SKAB", "no data"))
