"""Days, hard rules and wear of whole recordings, as the client would see them.

In: a finished detector and recordings of homes it was not trained on. Out: scores of the days, when
a rule is first raised, the trends of residuals. Guaranteed: the client's numbers, bit for bit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from heatpool_contract.wear import WearState
from heatpool_trainer import features, residual_means
from heatpool_trainer.cross_fit import Inputs
from heatpool_trainer.cycle_rows import day_rows
from heatpool_trainer.evaluate import ChannelScores, score_home
from heatpool_trainer.readings import thinned
from heatpool_trainer.rules_fit import raised_in
from heatpool_trainer.wear_fit import followed, followed_home

if TYPE_CHECKING:
    from collections.abc import Iterator

    from heatpool_contract.detector import Detector
    from heatpool_contract.watches import WearRule
    from heatpool_trainer.native import Integers
    from heatpool_trainer.readings import HomeSeries


def score_days(detector: Detector, series: HomeSeries) -> list[ChannelScores]:
    """Scores of the last 24 hours at the end of every hour."""
    if detector.cycle is None:
        return []
    found = features.values(detector, thinned(series, detector))
    days = day_rows(series.home, detector.cycle.rule, found, detector.gap_ms_max)
    return score_home(detector.cycle.detector, days)


def raised_ms(detector: Detector, series: HomeSeries) -> dict[str, Integers]:
    """By rule: the times at which it is raised; only those that are."""
    found = features.values(detector, thinned(series, detector))
    raised = {one.name: raised_in(one, found, detector.gap_ms_max) for one in detector.rules}
    return {name: found.timestamps_ms[where] for name, where in raised.items() if where.any()}


def first_raised_ms(detector: Detector, series: HomeSeries) -> dict[str, int]:
    """By rule: when it is first raised; only those that are."""
    return {name: int(times[0]) for name, times in raised_ms(detector, series).items()}


def worn(detector: Detector, series: HomeSeries) -> dict[str, WearState]:
    """By mode: what the client would remember of the home's wear at the end."""
    return {
        mode: followed_home(rule, mode, names, seen)
        for rule, mode, names, seen in _residuals(detector, series)
    }


def first_degrading_ms(detector: Detector, series: HomeSeries) -> int | None:
    """When the client first speaks of wear."""
    firsts = []
    for rule, mode, names, seen in _residuals(detector, series):
        state = WearState()
        firsts += [
            now_ms
            for now_ms in followed(state, rule, mode, names, seen)
            if any(days >= rule.days_confirmed for days in state.confirmed)
        ][:1]
    return min(firsts, default=None)


def _residuals(
    detector: Detector, series: HomeSeries
) -> Iterator[tuple[WearRule, str, list[str], Inputs]]:
    """What wear looks at: of every followed mode, names and running means."""
    if detector.wear is None:
        return
    found = features.values(detector, thinned(series, detector))
    for index, mode in enumerate(detector.modes):
        if any(one.mode == mode.name for one in detector.wear.targets):
            means = residual_means.means(mode, detector, features.rows(mode, index, found))
            seen = Inputs(means.fleet_timestamps_ms, means.fleet)
            yield detector.wear, mode.name, [one.field for one in mode.targets], seen
