"""Known faults on the bench: what they change, and what the gate makes of the outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest

from heatpool_trainer.crew import Crew
from heatpool_trainer.examination import Examination, Tried, examine
from heatpool_trainer.gate import Passed, Policy, Refused, judge
from heatpool_trainer.readings import HomeSeries
from heatpool_trainer.scenarios import SCENARIOS, afflicted, scenarios_for

if TYPE_CHECKING:
    from heatpool_trainer.catalogue import Catalogue
    from heatpool_trainer.plan import Candidate

FINE = Examination(tried=(Tried("a", 5, 0.9),), auc=0.9, auc_predecessor=0.9, agreement=0.9)


def test_a_scenario_changes_its_sensors_from_its_onset_on(
    candidate: Candidate, homes: list[HomeSeries]
) -> None:
    """Nothing before, nothing else; gaps stay gaps, and no value leaves the sensor's limits."""
    home = homes[0]
    onset_ms = int(home.timestamps_ms[5_000])
    fields = {field.name: field for field in candidate.detector.fields}
    sources = {source.name: field.name for field in fields.values() for source in field.sources}

    assert {one.name for one in scenarios_for(candidate.detector)} == {
        one.name for one in SCENARIOS
    }
    for scenario in scenarios_for(candidate.detector):
        ill = afflicted(scenario, candidate.detector, home, onset_ms)
        assert ill is not None
        changed = {
            sources[name]
            for name, column in ill.columns.items()
            if not np.array_equal(column, home.columns[name], equal_nan=True)
        }
        assert changed <= {effect.sensor for effect in scenario.effects}
        assert scenario.effects[0].sensor in changed
        for name, column in ill.columns.items():
            assert np.array_equal(column[:5_000], home.columns[name][:5_000], equal_nan=True)
            assert np.array_equal(np.isnan(column), np.isnan(home.columns[name]))


def test_a_home_without_the_sensor_is_not_tried(
    candidate: Candidate, homes: list[HomeSeries]
) -> None:
    """Of a fault's sensors the first must be there; without others it is what is left of it."""
    bare = HomeSeries(
        homes[0].home,
        homes[0].timestamps_ms,
        {k: v for k, v in homes[0].columns.items() if not k.startswith("pressure")},
    )
    found = {
        one.name: afflicted(one, candidate.detector, bare, 0)
        for one in scenarios_for(candidate.detector)
    }

    assert found["pressure_stuck"] is None
    assert found["undercharge_30"] is not None


@pytest.mark.slow  # nine recordings of each home are scored, twice
def test_unseen_homes_show_the_faults_and_a_predecessor_is_compared(
    candidate: Candidate, homes: list[HomeSeries], catalogue: Catalogue
) -> None:
    """Each by the witness made without it; a detector agrees with itself better than by chance."""
    found = examine(candidate, homes, candidate.detector, catalogue, Crew())

    assert {one.scenario for one in found.tried} == {one.name for one in SCENARIOS}
    assert found.auc is not None
    assert found.auc > 0.9
    assert found.auc_predecessor is not None
    assert found.agreement is not None
    assert found.agreement > 0.7
    again = examine(candidate, list(reversed(homes)), candidate.detector, catalogue, Crew())
    assert again == found


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"auc": 0.7, "auc_predecessor": 0.7}, "auc"),
        ({"auc_predecessor": 0.93}, "auc_change"),
        ({"agreement": 0.5}, "agreement"),
    ],
)
def test_each_outcome_of_the_bench_refuses_alone(
    candidate: Candidate, change: dict[str, float], reason: str
) -> None:
    """The reason is the figure's name; what is known passes into the provenance."""
    bad = msgspec.structs.replace(FINE, **change)

    verdict = judge(candidate, 10**6, Policy(), examination=bad)
    fine = judge(candidate, 10**6, Policy(), examination=FINE)

    assert isinstance(verdict, Refused)
    assert verdict.reasons == (reason,)
    assert isinstance(fine, Passed)
    assert {"auc", "auc.a", "auc_change", "agreement"} <= {one.name for one in fine.figures}


def test_what_could_not_be_tried_is_no_reason(candidate: Candidate) -> None:
    """A first release has no predecessor, and an unknown machine may show no scenario."""
    nothing = Examination(tried=(), auc=None)

    assert isinstance(judge(candidate, 10**6, Policy(), examination=nothing), Passed)


@pytest.mark.parametrize("reason", ["payload_bytes", "channels"])
def test_what_clients_cannot_use_cannot_be_accepted(candidate: Candidate, reason: str) -> None:
    """An operator overrules judgement, not facts."""
    report = msgspec.structs.replace(candidate.report, channels=())
    bad = msgspec.structs.replace(candidate, report=report)

    verdict = judge(bad, 10**6, Policy(payload_bytes_max=1), accepted=("payload_bytes", "channels"))

    assert isinstance(verdict, Refused)
    assert reason in verdict.reasons
