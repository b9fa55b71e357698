"""Days, hard rules and wear in training: the client's numbers, budgets, reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest
from simulators.recorded import PLAN, disturbed

from heatpool_contract import cycles
from heatpool_contract.detector import decode
from heatpool_contract.scoring import Scorer
from heatpool_contract.self_testing import self_test
from heatpool_contract.verdict import Score
from heatpool_contract.watches import WearRule, WearTarget
from heatpool_trainer.beside_evaluate import first_raised_ms, score_days, worn
from heatpool_trainer.gate import Policy, Refused, judge
from heatpool_trainer.plan import Candidate
from heatpool_trainer.readings import HomeSeries
from heatpool_trainer.rebuild import rebuild

if TYPE_CHECKING:
    from collections.abc import Mapping

    from heatpool_contract.detector import Detector
    from heatpool_trainer.catalogue import Catalogue

WEAR = WearRule(
    sample_ms=1_800_000,
    samples_min=2,
    days_max=30,
    block_days=1,
    blocks_min=4,
    z_min=1.0,
    days_confirmed=1,
    targets=tuple(
        WearTarget(mode="heating", field=field, worse="both", change_min=1e-6)
        for field in ("cop_current", "pressure_low")
    ),
)


def with_wear(candidate: Candidate) -> Detector:
    """Twelve days are too few to set limits of wear; these are only followed."""
    return msgspec.structs.replace(candidate.detector, wear=WEAR)


def at_home(
    detector: Detector, series: HomeSeries
) -> tuple[Scorer, dict[str, list[tuple[int, float, float, bool]]], dict[str, int]]:
    """What a client sees reading by reading: scores of days by channel, rules when first raised."""
    scorer, raised = Scorer(detector), dict[str, int]()
    days: dict[str, list[tuple[int, float, float, bool]]] = {}
    rows = zip(*(column.tolist() for column in series.columns.values()), strict=True)
    for timestamp_ms, row in zip(series.timestamps_ms.tolist(), rows, strict=True):
        before = scorer.beside
        scorer.observe(timestamp_ms, dict(zip(series.columns, row, strict=True)))
        if scorer.beside is before:
            continue
        for one in scorer.beside.raised:
            raised.setdefault(one.rule, timestamp_ms)
        if isinstance(scorer.beside.cycle, Score):
            for channel in scorer.beside.cycle.channels:
                days.setdefault(channel.channel, []).append(
                    (timestamp_ms, channel.raw, channel.smoothed, channel.over)
                )
    return scorer, days, raised


def spoilt(series: HomeSeries) -> HomeSeries:
    """A stuck pressure, a fan that stands, a heater that stays on."""
    columns = {name: column.copy() for name, column in series.columns.items()}
    columns["pressure_low"][5_000:6_000] = 3.21
    columns["fan_speed"][9_000:] = 0.0
    return HomeSeries(series.home, series.timestamps_ms, columns)


@pytest.mark.parametrize("home", [0, 3])
def test_days_rules_and_wear_in_bulk_equal_the_clients_bit_for_bit(
    homes: list[HomeSeries], candidate: Candidate, home: int
) -> None:
    """On recordings with gaps, missing values, error codes, and faults."""
    detector, series = with_wear(candidate), spoilt(disturbed(homes[home]))

    scorer, days, raised = at_home(detector, series)

    bulk = {
        one.channel.name: list(
            zip(
                one.scored.timestamps_ms.tolist(),
                one.scored.raw.tolist(),
                one.scored.smoothed.tolist(),
                one.over.tolist(),
                strict=True,
            )
        )
        for one in score_days(detector, series)
    }
    assert days == {name: rows for name, rows in bulk.items() if rows}
    assert set(days) == {"home", "fleet"}
    assert raised == first_raised_ms(detector, series)
    assert {"stuck_pressure_low", "fan_stopped"} <= set(raised)
    assert scorer.state.wear == worn(detector, series)
    assert any(trend is not None for trend in scorer.state.wear["heating"].trends)


def test_the_payload_carries_all_channels_with_proofs(candidate: Candidate) -> None:
    """A client reproduces the days' scores and both machines."""
    detector = decode(candidate.payload)

    assert detector.cycle is not None
    assert {one.name for one in detector.cycle.rule.features} <= set(cycles.FEATURES)
    assert {one.name for one in detector.rules} == {
        one.rule for one in candidate.report.rules if one.released
    }
    assert all(one.homes == 5 and one.homes_raised == 0 for one in detector.rules)
    assert self_test(detector) is None


def test_each_channel_has_a_budget_of_its_own(candidate: Candidate) -> None:
    """Episodes of the days stay within the days' budget, whatever the residuals raise."""
    for one in candidate.report.cycle:
        assert one.episodes <= PLAN.cycle_episodes_per_week_max / 2 * one.pump_weeks
    assert {one.channel for one in candidate.report.cycle} == {"home", "fleet"}


def test_the_gate_holds_each_channel_against_its_own_limit(candidate: Candidate) -> None:
    """Figures of the other channels are in the provenance, and refuse by themselves."""
    figures = judge(candidate, candidate.report.samples, Policy()).figures
    names = {one.name for one in figures}
    assert names >= {"cycle_episodes_per_pump_week", "rule_homes_share", "hard_rules"}
    strict = Policy(cycle_episodes_per_week_max=-0.1, rule_homes_share_max=-0.1)
    verdict = judge(candidate, candidate.report.samples, strict)
    assert isinstance(verdict, Refused)
    assert set(verdict.reasons) == {"cycle_episodes_per_pump_week", "rule_homes_share"}


def test_wear_waits_for_weeks(candidate: Candidate) -> None:
    """Twelve days show no trend, so none is released, and the report says how many homes did."""
    assert candidate.detector.wear is None
    assert candidate.report.wear_homes == 0


def test_a_rule_that_healthy_homes_break_is_not_released(
    homes: list[HomeSeries], catalogue: Catalogue
) -> None:
    """One of five homes is more than the budget; the report names rule and homes."""
    found = rebuild([spoilt(homes[0]), *homes[1:]], PLAN, catalogue)

    assert isinstance(found, Candidate)
    reports = {one.rule: one for one in found.report.rules}
    for name in ("fan_stopped", "stuck_pressure_low"):
        assert (reports[name].homes, reports[name].homes_raised) == (5, 1)
        assert not reports[name].released
    assert reports["stuck_pressure_high"].released
    assert "fan_stopped" not in {one.name for one in found.detector.rules}
    verdict = judge(found, found.report.samples, Policy())
    assert {one.name: one.value for one in verdict.figures}["rule_left_out.fan_stopped"] == 0.2


def test_what_the_homes_do_not_measure_is_left_out(
    homes: list[HomeSeries], catalogue: Catalogue
) -> None:
    """Without fan, pressures and compressor power their rules and features are not there."""

    def poor(columns: Mapping[str, object]) -> list[str]:
        gone = {"fan_speed", "pressure_high", "pressure_low", "power_compressor"}
        return [name for name in columns if name not in gone]

    fewer = [
        msgspec.structs.replace(one, columns={k: one.columns[k] for k in poor(one.columns)})
        for one in homes
    ]
    found = rebuild(fewer, PLAN, catalogue)

    assert isinstance(found, Candidate)
    names = {one.name for one in found.detector.rules}
    assert names == {
        "reversing_valve",
        "balance_high",
        "balance_low",
        "stuck_temp_flow",
        "stuck_temp_return",
        "stuck_temp_outdoor",
    }
    assert found.detector.cycle is not None
    features = {one.name for one in found.detector.cycle.rule.features}
    assert "cycle_starts" in features
    assert "cycle_heater" not in features


def test_another_homes_days_do_not_depend_on_the_order(
    homes: list[HomeSeries], candidate: Candidate, catalogue: Catalogue
) -> None:
    """The channel of the days is a function of the homes, not of their arrival."""
    found = rebuild(homes[::-1], PLAN, catalogue)

    assert isinstance(found, Candidate)
    assert found.detector.cycle == candidate.detector.cycle
    assert found.detector.rules == candidate.detector.rules
    assert np.isfinite([one.threshold for one in found.report.cycle]).all()
