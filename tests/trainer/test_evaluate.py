"""Figures of merit: the AUC by its definition, faults of a home found and named."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulators.recorded import DAY_MS, JANUARY_S, record

from heatpool_contract.detector_checks import ENGINE
from heatpool_contract.scoring import Scorer
from heatpool_contract.verdict import Score
from heatpool_fleet.faults import Fault, FaultKind
from heatpool_trainer.evaluate import auc, first_over_ms, score_home

if TYPE_CHECKING:
    from heatpool_trainer.plan import Candidate
    from heatpool_trainer.readings import HomeSeries

SCORES = st.lists(st.integers(0, 5), min_size=1, max_size=12)
ONSET_MS = int(JANUARY_S * 1000) + 8 * DAY_MS


@given(healthy=SCORES, faulty=SCORES)
def test_the_auc_is_the_probability_of_the_right_order(
    healthy: list[int], faulty: list[int]
) -> None:
    """Every pair counted: 1 if the faulty score is higher, 1/2 if equal."""
    wins = sum((f > h) + 0.5 * (f == h) for h in healthy for f in faulty)

    found = auc(np.array(healthy, float), np.array(faulty, float))

    assert found == pytest.approx(wins / (len(healthy) * len(faulty)))


def test_an_auc_of_nothing_is_an_error() -> None:
    """No number is better than a wrong one."""
    with pytest.raises(ValueError, match="needs healthy and faulty"):
        auc(np.array([1.0]), np.array([]))


@pytest.fixture(scope="module")
def fouled() -> HomeSeries:
    """A home the detector has not seen, its evaporator half blocked from day eight on."""
    fault = Fault(FaultKind.EVAPORATOR_FOULING, 0.5, JANUARY_S + 8 * 86_400.0)
    return record([9], 11.0, faults={9: fault})[0]


def test_a_fouled_evaporator_is_over_the_threshold_within_hours_and_not_before(
    candidate: Candidate, fouled: HomeSeries
) -> None:
    """First shown after the onset, in less than a day, and still there at the end."""
    scores = score_home(candidate.detector, fouled)
    home = next(s for s in scores if (s.mode.name, s.channel.name) == ("heating", "home"))
    times_ms = home.scored.timestamps_ms

    assert first_over_ms(scores, 0) == first_over_ms(scores, ONSET_MS)
    assert 0 < (first_over_ms(scores, ONSET_MS) or 0) - ONSET_MS < DAY_MS
    assert home.over[-1]
    assert home.episodes == 1
    assert (
        auc(home.scored.smoothed[times_ms < ONSET_MS], home.scored.smoothed[times_ms >= ONSET_MS])
        > 0.95
    )


def test_the_client_names_the_fouled_evaporator(candidate: Candidate, fouled: HomeSeries) -> None:
    """Low pressure, fan and what follows from them, in their units, at an operating point."""
    scorer = Scorer(candidate.detector)
    last = None
    rows = zip(*(column.tolist() for column in fouled.columns.values()), strict=True)
    for timestamp_ms, row in zip(fouled.timestamps_ms.tolist(), rows, strict=True):
        answer = scorer.observe(timestamp_ms, dict(zip(fouled.columns, row, strict=True)))
        if isinstance(answer, Score) and answer.leading.over and answer.mode == "heating":
            last = answer

    assert last is not None
    assert candidate.detector.engine == ENGINE
    assert {part.feature for part in last.contributions[:3]} & {"pressure_low", "fan_speed"}
    pressure = next(part for part in last.contributions if part.feature == "pressure_low")
    assert pressure.own < pressure.expected
    assert [one.label_en for one in last.circumstances] == [
        "Outdoor temperature",
        "Flow temperature",
        "Compressor frequency",
    ]
