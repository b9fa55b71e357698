"""What days, hard rules and wear find in unseen homes, and that they leave healthy ones alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pytest
from simulators.recorded import DAY_MS, JANUARY_S, record

from heatpool_fleet.faults import Fault, FaultKind
from heatpool_trainer.beside_evaluate import first_degrading_ms, first_raised_ms, score_days
from heatpool_trainer.evaluate import first_over_ms, score_home
from heatpool_trainer.plan import Candidate, TrainingPlan
from heatpool_trainer.readings import HomeSeries
from heatpool_trainer.rebuild import rebuild

if TYPE_CHECKING:
    from heatpool_trainer.catalogue import Catalogue

UNSEEN: Final = (40, 41, 42, 43)
START_S: Final = JANUARY_S + 20 * 86_400.0
ONSET_S: Final = START_S + 12 * 86_400.0
ONSET_MS: Final = int(ONSET_S * 1000)
DAYS: Final = 17.0

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]  # trains on twelve homes


@pytest.fixture(scope="module")
def fleet(catalogue: Catalogue) -> Candidate:
    """Twelve homes for five weeks, as in the demo."""
    found = rebuild(record(range(12), 35.0), TrainingPlan(model="aero_slm"), catalogue)
    assert isinstance(found, Candidate)
    return found


def faulty(kind: FaultKind, grade: float, sensor: str = "temp_flow") -> list[HomeSeries]:
    """The unseen homes, with a fault from the twelfth day on."""
    faults = {index: Fault(kind, grade, ONSET_S, sensor) for index in UNSEEN}
    return record(UNSEEN, DAYS, seed=5, start_s=START_S, faults=faults)


@pytest.mark.parametrize(
    ("kind", "grade"), [(FaultKind.DEFROST_EXCESSIVE, 1.0), (FaultKind.SHORT_CYCLING, 1.0)]
)
def test_the_days_show_what_steady_operation_does_not(
    fleet: Candidate, kind: FaultKind, grade: float
) -> None:
    """Half-hourly defrosts and nervous controls are found within three days, in most homes."""
    found = 0
    for series in faulty(kind, grade):
        first_ms = first_over_ms(score_days(fleet.detector, series), ONSET_MS)
        found += first_ms is not None and first_ms < ONSET_MS + 3 * DAY_MS

    assert found >= 3


def test_healthy_homes_have_quiet_days_and_break_no_rule(fleet: Candidate) -> None:
    """Six unseen homes, three weeks each: 18 pump-weeks at a budget of 0.05 each."""
    homes = record(range(50, 56), 21.0, seed=9, start_s=START_S)

    episodes = sum(one.episodes for series in homes for one in score_days(fleet.detector, series))

    assert episodes <= 3
    assert [first_raised_ms(fleet.detector, series) for series in homes] == [{}] * 6
    assert all(one.released for one in fleet.report.rules)


@pytest.mark.parametrize(
    ("kind", "grade", "sensor", "rule"),
    [
        (FaultKind.HEATER_ON, 0.3, "", "heater_on"),
        (FaultKind.SENSOR_STUCK, 0.0, "pressure_low", "stuck_pressure_low"),
        (FaultKind.SENSOR_OFFSET, 4.0, "temp_return", "balance_high"),
    ],
)
def test_rules_name_what_is_broken(
    fleet: Candidate, kind: FaultKind, grade: float, sensor: str, rule: str
) -> None:
    """A backup heater that is always on, a dead sensor, one far off: then, and not before."""
    found = [first_raised_ms(fleet.detector, series) for series in faulty(kind, grade, sensor)]

    raised = [one[rule] for one in found if rule in one]
    assert len(raised) >= 3
    assert min(raised) >= ONSET_MS
    assert {name for one in found for name in one} <= {rule, "balance_low"}


def test_a_coil_that_fouls_slowly_is_wear_before_it_is_an_alarm(fleet: Candidate) -> None:
    """Air flow falls by a quarter of a percent every ten days; healthy homes do not wear."""
    segments = []
    for part in range(10):
        start_s = JANUARY_S + 10 * 86_400.0 + part * 6 * 86_400.0
        grade = 0.015 * part / 9
        faults = {
            index: Fault(FaultKind.EVAPORATOR_FOULING, grade, start_s - 2 * 86_400.0)
            for index in (40, 41, 42, 43)
        }
        segments.append(record(range(40, 52), 6.0, seed=5, start_s=start_s, faults=faults))
    homes = [
        HomeSeries(
            pieces[0].home,
            np.concatenate([one.timestamps_ms for one in pieces]),
            {
                name: np.concatenate([one.columns[name] for one in pieces])
                for name in pieces[0].columns
            },
        )
        for pieces in zip(*segments, strict=True)
    ]

    firsts = [first_degrading_ms(fleet.detector, series) for series in homes]
    alarms = [first_over_ms(score_home(fleet.detector, series), 0) for series in homes]

    assert sum(one is not None for one in firsts[4:]) <= 1  # of eight, in a season's two months
    told = [(wear, alarm) for wear, alarm in zip(firsts[:4], alarms, strict=False) if wear]
    assert len(told) >= 3
    assert sum(alarm is None or wear < alarm for wear, alarm in told) >= 2
