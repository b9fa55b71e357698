"""The scenarios detectors are held to: complete, graded, and possible."""

from __future__ import annotations

import itertools

from heatpool_fleet.faults import CURVES, FaultKind, check_fault
from heatpool_fleet.scenarios import SCENARIOS


def test_every_kind_of_fault_is_a_scenario() -> None:
    """What the simulator can break is evaluated; names are unique."""
    assert {one.kind for one in SCENARIOS} == set(FaultKind)
    assert len({one.name for one in SCENARIOS}) == len(SCENARIOS)


def test_every_scenario_is_within_its_source() -> None:
    """Grades beyond what the literature covers are refused by the simulator."""
    for one in SCENARIOS:
        check_fault(one.fault(0.0))


def test_machine_faults_come_light_moderate_and_severe() -> None:
    """Three sizes of each, ever larger."""
    machine = [one for one in SCENARIOS if one.kind in CURVES]
    for _, group in itertools.groupby(machine, lambda one: one.kind):
        levels = list(group)
        assert [one.level for one in levels] == ["light", "moderate", "severe"]
        assert levels[0].grade < levels[1].grade < levels[2].grade
