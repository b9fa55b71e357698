"""The chain in bulk: every number equals what the client computes reading by reading."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest
from simulators.recorded import disturbed

from heatpool_contract.detector import Condition
from heatpool_contract.scoring import Scorer
from heatpool_contract.verdict import Score
from heatpool_trainer import features
from heatpool_trainer.evaluate import score_home
from heatpool_trainer.readings import HomeSeries, thinned
from heatpool_trainer.whitening import covariance, inverse_root

if TYPE_CHECKING:
    from heatpool_trainer.plan import Candidate


@pytest.mark.parametrize("home", [0, 3])
def test_bulk_scores_equal_the_clients_bit_for_bit(
    homes: list[HomeSeries], candidate: Candidate, home: int
) -> None:
    """Raw, smoothed and over-threshold, of every channel, on a recording with every nuisance."""
    detector = msgspec.structs.replace(candidate.detector, state="released")
    series = disturbed(homes[home])
    said: dict[tuple[str, str], list[tuple[int, float, float, bool]]] = {}
    scorer = Scorer(detector)
    rows = zip(*(column.tolist() for column in series.columns.values()), strict=True)
    for timestamp_ms, row in zip(series.timestamps_ms.tolist(), rows, strict=True):
        answer = scorer.observe(timestamp_ms, dict(zip(series.columns, row, strict=True)))
        if isinstance(answer, Score):
            for one in answer.channels:
                said.setdefault((answer.mode, one.channel), []).append(
                    (timestamp_ms, one.raw, one.smoothed, one.over)
                )

    bulk = {
        (one.mode.name, one.channel.name): list(
            zip(
                one.scored.timestamps_ms.tolist(),
                one.scored.raw.tolist(),
                one.scored.smoothed.tolist(),
                one.over.tolist(),
                strict=True,
            )
        )
        for one in score_home(detector, series)
    }

    assert said == {key: rows for key, rows in bulk.items() if rows}
    assert {("heating", "home"), ("heating", "fleet"), ("water", "fleet")} <= set(said)


def test_the_first_mode_that_fits_is_taken(homes: list[HomeSeries], candidate: Candidate) -> None:
    """The status codes of the simulation end up in the modes of the catalogue."""
    series = thinned(homes[0], candidate.detector)

    found = features.values(candidate.detector, series)

    named = np.array([mode.name for mode in candidate.detector.modes])[found.modes]
    status = series.columns["status"]
    assert set(named[status == 8]) == {"defrost"}
    assert set(named[status == 4]) == {"water"}
    assert set(named[status == 1]) == {"heating"}
    assert set(named[status == 0]) == {"standby"}


def test_steady_means_settled_running_and_calm(
    homes: list[HomeSeries], candidate: Candidate
) -> None:
    """No steady reading within ten minutes of a start, and none while the speed changes."""
    series = thinned(homes[0], candidate.detector)
    found = features.values(candidate.detector, series)
    heating = [mode.name for mode in candidate.detector.modes].index("heating")
    steady = np.flatnonzero(found.steady & (found.modes == heating))
    hertz = series.columns["compressor_freq"]

    assert steady.size > 1_000
    for row in steady[::97]:
        assert (hertz[row - 10 : row] >= 5).all()
        assert abs(hertz[row] - hertz[row - 1]) <= 3.0


def test_conditions_on_missing_values_do_not_hold() -> None:
    """NaN is neither above nor below anything."""
    columns = {"x": np.array([1.0, math.nan, 3.0])}

    assert features.holds((Condition(field="x"),), columns, 3).tolist() == [True, False, True]
    assert features.holds((Condition(field="x", high=2),), columns, 3).tolist() == [
        True,
        False,
        False,
    ]
    assert features.holds((), columns, 3).all()


def test_whitened_vectors_are_uncorrelated() -> None:
    """W C W = 1 for the inverse root, and it is symmetric."""
    chance = np.random.default_rng(3)
    mixed = chance.normal(size=(500, 6)) @ chance.normal(size=(6, 6))
    matrix = covariance(mixed)

    root = inverse_root(matrix)

    assert np.allclose(root @ matrix @ root, np.eye(6), atol=1e-9)
    assert np.allclose(root, root.T, atol=1e-12)
