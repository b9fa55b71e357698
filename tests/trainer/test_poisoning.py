"""What one home can do to a model of many, and what is done with a home that does not fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest
from simulators.recorded import JANUARY_S, PLAN, record

from heatpool_fleet.faults import Fault, FaultKind
from heatpool_trainer.crew import Crew
from heatpool_trainer.evaluate import auc, score_home
from heatpool_trainer.gate import Policy, Refused, judge
from heatpool_trainer.outliers import Odd
from heatpool_trainer.plan import Candidate, TrainingPlan
from heatpool_trainer.readings import HomeSeries
from heatpool_trainer.rebuild import rebuild

if TYPE_CHECKING:
    from heatpool_trainer.catalogue import Catalogue
    from heatpool_trainer.native import Floats

AUC_CHANGE_MAX = 0.005
FULL = TrainingPlan(model="aero_slm")
ONSET_S = JANUARY_S + 7 * 86_400.0


def trained(homes: list[HomeSeries], catalogue: Catalogue, plan: TrainingPlan = PLAN) -> Candidate:
    """A candidate, or the test fails."""
    found = rebuild(homes, plan, catalogue)
    assert isinstance(found, Candidate)
    return found


@pytest.fixture(scope="module")
def usual(homes: list[HomeSeries], catalogue: Catalogue) -> Candidate:
    """Trained as in production: with fewer trees and samples, chance alone moves an AUC by 0.01."""
    return trained(homes, catalogue, FULL)


@pytest.fixture(scope="module")
def unseen() -> tuple[HomeSeries, HomeSeries]:
    """A home that no model here was trained on, well, and undercharged from the eighth day."""
    fault = {40: Fault(FaultKind.UNDERCHARGE, 0.15, ONSET_S)}
    return record([40], 14.0)[0], record([40], 14.0, faults=fault)[0]


def area(candidate: Candidate, unseen: tuple[HomeSeries, HomeSeries]) -> float:
    """AUC of the fault in the unseen home, mean over channels that score it."""
    areas = []
    for well, ill in zip(*(score_home(candidate.detector, one) for one in unseen), strict=True):
        later: list[Floats] = [
            one.scored.smoothed[one.scored.timestamps_ms >= ONSET_S * 1000] for one in (well, ill)
        ]
        if well.mode.name == "heating":
            areas.append(auc(later[0], later[1]))
    assert areas
    return float(np.mean(areas))


@pytest.mark.slow  # trained as in production
def test_fifty_times_the_share_of_one_home_changes_nothing_material(
    homes: list[HomeSeries],
    usual: Candidate,
    catalogue: Catalogue,
    unseen: tuple[HomeSeries, HomeSeries],
) -> None:
    """A reading every 1.2 s instead of every minute: thinned, and capped at the others' mass."""
    times = 50
    loud = homes[1]
    stamps = loud.timestamps_ms[:, None] + np.arange(times) * (60_000 // times)
    flooding = HomeSeries(
        loud.home,
        stamps.ravel(),
        {name: np.repeat(column, times) for name, column in loud.columns.items()},
    )

    found = trained([homes[0], flooding, *homes[2:]], catalogue, FULL)

    assert abs(area(found, unseen) - area(usual, unseen)) < AUC_CHANGE_MAX


@pytest.mark.slow  # trained as in production
@pytest.mark.parametrize("value", [1e9, np.inf])
def test_attack_44_one_absurd_record_changes_nothing_material(
    value: float,
    homes: list[HomeSeries],
    usual: Candidate,
    catalogue: Catalogue,
    unseen: tuple[HomeSeries, HomeSeries],
) -> None:
    """In every channel at once, in the middle of steady operation."""
    columns = {name: column.copy() for name, column in homes[2].columns.items()}
    for column in columns.values():
        column[1_000] = value
    spoilt = HomeSeries(homes[2].home, homes[2].timestamps_ms, columns)

    found = trained([*homes[:2], spoilt, *homes[3:]], catalogue, FULL)

    assert abs(area(found, unseen) - area(usual, unseen)) < AUC_CHANGE_MAX


@pytest.mark.slow  # one home is to be less than a tenth: many are simulated, trained three times
def test_a_home_that_the_others_reject_is_as_if_it_had_never_been(catalogue: Catalogue) -> None:
    """A condenser fouled by half, called healthy: out, reported, no byte left of it."""
    faults = {3: Fault(FaultKind.CONDENSER_FOULING, 0.5, JANUARY_S - 86_400.0)}
    homes = record(range(13), 12.0, faults=faults)

    found = trained(homes, catalogue)

    rejected = [one.home for one in found.report.homes_rejected]
    assert rejected == [homes[3].home]
    assert found.payload == trained([*homes[:3], *homes[4:]], catalogue).payload
    assert homes[3].home not in found.report.homes


def test_many_rejected_homes_are_for_somebody_to_look_at(candidate: Candidate) -> None:
    """One in five is more than a tenth: a reason of its own, which an operator may accept."""
    odd = (Odd(home="f" * 32, mode="heating", channel="fleet", deviations=9.0),)
    report = msgspec.structs.replace(candidate.report, homes_rejected=odd)
    strange = msgspec.structs.replace(candidate, report=report)

    verdict = judge(strange, 10**6, Policy())

    assert isinstance(verdict, Refused)
    assert verdict.reasons == ("homes_rejected",)
    looked_at = judge(strange, 10**6, Policy(), accepted=("homes_rejected",))
    assert not isinstance(looked_at, Refused)
    assert "accepted.homes_rejected" in {figure.name for figure in looked_at.figures}


@pytest.mark.slow  # a whole training more
def test_several_processes_make_the_same_bytes(
    homes: list[HomeSeries], candidate: Candidate, catalogue: Catalogue
) -> None:
    """How many hands there are does not matter."""
    stages: set[str] = set()
    crew = Crew(2, lambda stage, _share: stages.add(stage))
    found = rebuild(homes, PLAN, catalogue, crew)

    assert isinstance(found, Candidate)
    assert found.payload == candidate.payload
    assert {"survey", "sample", "residuals"} <= stages
