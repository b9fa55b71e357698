"""The figures of the report, against published ones and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from evaluate import measures
from evaluate.measures import Scores

HOUR_MS = 3_600_000


def rows(share: float, far_percent: float, mar_percent: float) -> measures.Pooled:
    """Pooled figures of 100,000 rows with so many false and missed alarms."""
    labels = np.arange(100_000) < share * 100_000
    said = labels.copy()
    said[: round(share * 1_000 * mar_percent)] = False
    said[labels.size - round((1.0 - share) * 1_000 * far_percent) :] = True
    return measures.pooled([said[:300], said[300:]], [labels[:300], labels[300:]])


@pytest.mark.parametrize(
    ("f1", "far_percent", "mar_percent"),
    [
        (0.78, 13.55, 28.02),
        (0.78, 39.73, 14.13),
        (0.76, 26.62, 24.92),
        (0.74, 29.96, 25.92),
        (0.66, 19.21, 42.60),
        (0.54, 12.54, 59.53),
        (0.39, 2.59, 75.15),
        (0.29, 2.56, 82.89),
    ],
)
def test_f1_of_the_leaderboard_follows_from_its_rates(
    f1: float, far_percent: float, mar_percent: float
) -> None:
    """53.7 % of SKAB's judged rows are anomalous; published rates then give the published F1."""
    found = rows(0.537, far_percent, mar_percent)

    assert found.f1 == pytest.approx(f1, abs=0.01)
    assert found.far_percent == pytest.approx(far_percent, abs=0.01)
    assert found.mar_percent == pytest.approx(mar_percent, abs=0.01)


def test_always_alarming_looks_better_than_it_is() -> None:
    """F1 0.70 without looking: why the rates stand beside it."""
    assert rows(0.537, 100.0, 0.0).f1 == pytest.approx(0.70, abs=0.005)


def test_missed_alarms_do_not_depend_on_the_scale_of_scores() -> None:
    """A file whose scores are a thousand times larger counts as the others do."""
    random = np.random.default_rng(1)
    labels = random.random(500) < 0.5
    training, rest = random.normal(size=400), random.normal(size=500) + 2.0 * labels
    one = Scores(training, rest, labels)
    large = Scores(1_000.0 * training + 7.0, 1_000.0 * rest + 7.0, labels)

    assert measures.missed_at([one, large], 13.5) == pytest.approx(
        measures.missed_at([one, one], 13.5)
    )
    assert 0.0 < measures.missed_at([one], 13.5) < 60.0


def test_fewer_false_alarms_cost_missed_ones() -> None:
    """The curve falls from left to right."""
    random = np.random.default_rng(2)
    labels = random.random(2_000) < 0.5
    files = [Scores(random.normal(size=400), random.normal(size=2_000) + labels, labels)]
    missed = [measures.missed_at(files, far) for far in (1.0, 10.0, 50.0)]

    assert missed == sorted(missed, reverse=True)


def test_channels_that_alarm_together_are_one_episode() -> None:
    """Within twelve hours it is the same alarm, whichever channel says it."""
    first, second = np.array([0, HOUR_MS]), np.array([10 * HOUR_MS, 40 * HOUR_MS])

    assert measures.united_episodes([first, second]) == 2
    assert measures.united_episodes([second, first]) == 2
    assert measures.united_episodes([]) == 0


def test_delay_counts_operation_in_the_mode_of_the_fault() -> None:
    """A pump that rests has not had the chance to show it."""
    times_ms = np.arange(0, 10 * HOUR_MS, 60_000)
    heating = (times_ms // HOUR_MS) % 2 == 0

    assert measures.hours_until(times_ms, heating, 0, 4 * HOUR_MS - 60_000) == 2.0
    assert measures.hours_until(times_ms, heating, 2 * HOUR_MS, 2 * HOUR_MS + 29 * 60_000) == 0.5
