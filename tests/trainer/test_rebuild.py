"""Homes in, candidate out: the same bytes in any order, no home too heavy, no record too absurd."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
from simulators.recorded import PLAN

from heatpool_contract.detector import decode
from heatpool_contract.detector_checks import SELF_TESTS_MIN
from heatpool_contract.self_testing import self_test
from heatpool_trainer.calibrate import UNREACHABLE
from heatpool_trainer.evaluate import score_home
from heatpool_trainer.plan import Candidate, TooLittle
from heatpool_trainer.readings import HomeSeries, select
from heatpool_trainer.rebuild import rebuild

if TYPE_CHECKING:
    from collections.abc import Iterator

    from heatpool_trainer.catalogue import Catalogue
    from heatpool_trainer.native import Floats


def trained(homes: list[HomeSeries], catalogue: Catalogue) -> Candidate:
    """A candidate, or the test fails."""
    found = rebuild(homes, PLAN, catalogue)
    assert isinstance(found, Candidate)
    return found


def healthy_scores(candidate: Candidate, series: HomeSeries) -> Floats:
    """Smoothed scores of heating against the fleet."""
    return next(
        one.scored.smoothed
        for one in score_home(candidate.detector, series)
        if (one.mode.name, one.channel.name) == ("heating", "fleet")
    )


def test_a_candidate_is_a_payload_that_clients_accept(candidate: Candidate) -> None:
    """It passes every check of the contract, and plain Python scores its vectors as numba did."""
    assert decode(candidate.payload) == candidate.detector
    assert self_test(candidate.detector) is None
    assert {(t.mode, t.channel) for t in candidate.detector.self_tests} == {
        (mode, channel) for mode in ("water", "heating") for channel in ("home", "fleet")
    }
    assert all(len(test.scores) >= 8 * SELF_TESTS_MIN for test in candidate.detector.self_tests)


def test_the_order_of_arrival_does_not_change_a_byte(
    homes: list[HomeSeries], candidate: Candidate, catalogue: Catalogue
) -> None:
    """Homes and columns may come in any order."""
    turned = [
        msgspec.structs.replace(one, columns=dict(reversed(one.columns.items())))
        for one in reversed(homes)
    ]

    assert trained(turned, catalogue).payload == candidate.payload


def test_homes_are_read_one_at_a_time(homes: list[HomeSeries], catalogue: Catalogue) -> None:
    """Any iterable that can be gone through again will do: three times is enough."""

    class Spool:
        passes = 0

        def __iter__(self) -> Iterator[HomeSeries]:
            self.passes += 1
            return iter(homes)

    spool = Spool()
    found = rebuild(spool, PLAN, catalogue)

    assert isinstance(found, Candidate)
    assert spool.passes == 3


def test_a_home_that_sent_nothing_leaves_no_trace_but_its_name(
    homes: list[HomeSeries], candidate: Candidate, catalogue: Catalogue
) -> None:
    """Dropped homes are reported; the detector is the one without them."""
    silent = HomeSeries("f" * 32, homes[0].timestamps_ms[:500], {"note": np.ones(500)})

    found = trained([silent, *homes], catalogue)

    assert found.report.homes_dropped == ("f" * 32,)
    assert found.payload == candidate.payload


def test_one_absurd_record_changes_nothing_material(
    homes: list[HomeSeries], candidate: Candidate, catalogue: Catalogue
) -> None:
    """3276.7 in every channel: counted as impossible, and the scores stay where they are."""
    columns = {name: column.copy() for name, column in homes[2].columns.items()}
    for column in columns.values():
        column[1_000] = 3276.7
    spoilt = HomeSeries(homes[2].home, homes[2].timestamps_ms, columns)

    found = trained([*homes[:2], spoilt, *homes[3:]], catalogue)

    before, after = healthy_scores(candidate, homes[4]), healthy_scores(found, homes[4])
    # In watts and litres an hour 3276.7 is possible.
    assert found.report.cleaned.impossible == candidate.report.cleaned.impossible + 10
    assert np.abs(after - before).mean() < 0.005


def test_a_loud_home_has_the_mass_of_any_other(
    homes: list[HomeSeries], catalogue: Catalogue
) -> None:
    """Every home contributes as many vectors as most homes have, at most."""
    quiet = [select(one, slice(0, 6_000)) for one in homes[:4]]

    found = trained([*quiet, homes[4]], catalogue)

    fleet = next(c for c in found.report.channels if (c.mode, c.channel) == ("heating", "fleet"))
    alone = trained(quiet, catalogue)
    usual = next(c for c in alone.report.channels if (c.mode, c.channel) == ("heating", "fleet"))
    assert fleet.vectors <= usual.vectors * 5 / 4 * 1.2


def test_few_unseen_homes_make_a_learning_detector(candidate: Candidate) -> None:
    """Five homes cannot promise an alarm rate."""
    assert candidate.detector.state == "learning"
    assert candidate.detector.calibration_homes == 5
    assert all(channel.calibration_homes == 5 for channel in candidate.report.channels)


def test_enough_unseen_homes_and_weeks_release(
    homes: list[HomeSeries], catalogue: Catalogue
) -> None:
    """The numbers are the plan's; a channel that has too few of them shows scores only."""
    plan = msgspec.structs.replace(PLAN, calibration_homes_min=5, calibration_weeks_min=4.0)
    found = rebuild(homes, plan, catalogue)

    assert isinstance(found, Candidate)
    assert found.detector.state == "released"
    weeks = {(one.mode, one.channel): one.pump_weeks for one in found.report.channels}
    for mode in found.detector.modes:
        for channel in mode.channels:
            reachable = channel.threshold < UNREACHABLE
            assert reachable == (weeks[mode.name, channel.name] >= 4.0)
    assert weeks["water", "home"] < 4.0 < weeks["heating", "home"]


def test_a_single_recording_is_cut_into_parts_and_stays_learning(catalogue: Catalogue) -> None:
    """One machine, unknown fields: trained, calibrated on its own parts, never released."""
    chance = np.random.default_rng(1)
    x = np.cumsum(chance.normal(0, 0.1, 900)) * 0.1
    series = HomeSeries(
        "a" * 32,
        np.arange(900) * 1_000,
        {"x": x, "y": x + chance.normal(0, 0.1, 900), "z": chance.normal(0, 1, 900)},
    )

    found = rebuild([series], msgspec.structs.replace(PLAN, calibration_homes_min=0), catalogue)

    assert isinstance(found, Candidate)
    assert found.report.profile == "any_machine"
    assert found.report.homes == ("a" * 32,)
    assert found.detector.calibration_homes == 0
    assert self_test(found.detector) is None


def test_too_little_says_what_is_missing(homes: list[HomeSeries], catalogue: Catalogue) -> None:
    """No homes, no common field, no steady operation, too few readings: words, not exceptions."""
    standing = [
        msgspec.structs.replace(one, columns=one.columns | {"status": one.columns["status"] * 0})
        for one in homes
    ]
    short = [select(one, slice(0, 15)) for one in homes]

    for few in ([], standing, short):
        assert isinstance(rebuild(few, PLAN, catalogue), TooLittle)
