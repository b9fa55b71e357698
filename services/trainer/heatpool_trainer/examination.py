"""A candidate on the bench: known faults in homes that it has not seen, beside its predecessor.

In: a candidate with its witnesses, homes, the payload in force. Out: `Examination`, figures alone.
Guaranteed: a home is judged by the witness that was made without it, the predecessor on the same
readings (it may have seen the home, which is to its advantage, not to the candidate's); pure: the
same homes give the same figures.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from heatpool_trainer.cleaning import clean
from heatpool_trainer.evaluate import auc, score_home
from heatpool_trainer.looks import loaded
from heatpool_trainer.native import Floats
from heatpool_trainer.readings import select
from heatpool_trainer.scenarios import afflicted, scenarios_for

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from heatpool_contract.detector import Detector
    from heatpool_trainer.catalogue import Catalogue
    from heatpool_trainer.crew import Crew
    from heatpool_trainer.evaluate import ChannelScores
    from heatpool_trainer.looks import Homes
    from heatpool_trainer.plan import Candidate
    from heatpool_trainer.readings import HomeSeries
    from heatpool_trainer.scenarios import Scenario
    from heatpool_trainer.spool import StoredHome

HOMES_MAX: Final = 12  # examined: the mean of so many AUCs moves by 0.01 from one dozen to the next
SPAN_MS: Final = 14 * 86_400_000  # of each home: some days for its own normal, then the fault
ONSET_SHARE: Final = 0.6  # of the span is healthy
SCORES_MIN: Final = 5  # on each side, for an AUC

ChannelName = tuple[str, str]


class Tried(msgspec.Struct, frozen=True):
    """One scenario over all homes that can show it."""

    scenario: str
    homes: int
    auc: float
    """In the channel that sees it best, mean over homes."""


class Examination(msgspec.Struct, frozen=True, kw_only=True):
    """What came out."""

    tried: tuple[Tried, ...]
    auc: float | None
    """Mean over scenarios; None: nothing could be tried."""
    auc_predecessor: float | None = None
    """None: there is none, or it scores nothing here."""
    agreement: float | None = None
    """Rank correlation of both detectors' scores, healthy and faulty, in channels they share."""


class _Result(msgspec.Struct, frozen=True, eq=False):
    """One home: AUC by scenario and channel, and scores to compare."""

    areas: dict[tuple[str, ChannelName], float]
    scores: dict[tuple[str, ChannelName], tuple[Floats, Floats]]
    """Times (as numbers) and smoothed scores."""


def examine(
    candidate: Candidate,
    homes: Homes,
    predecessor: Detector | None,
    catalogue: Catalogue,
    crew: Crew,
) -> Examination:
    """Try the candidate's witnesses, and the predecessor, on up to `HOMES_MAX` of its homes."""
    names = candidate.report.homes
    chosen = {
        names[i * len(names) // min(HOMES_MAX, len(names))]
        for i in range(min(HOMES_MAX, len(names)))
    }
    subjects = sorted((one for one in homes if one.home in chosen), key=lambda one: one.home)
    trial = partial(_tried, candidate.witnesses, candidate.folds, predecessor, catalogue)
    results = list(crew.each("examine", trial, subjects))
    own = [result for result, _before in results]
    tried = _summary(own)
    before = [result for _own, result in results if result is not None]
    tried_before = {one.scenario: one.auc for one in _summary(before)}
    common = [one for one in tried if one.scenario in tried_before]
    return Examination(
        tried=tried,
        auc=_mean([one.auc for one in tried]),
        auc_predecessor=_mean([tried_before[one.scenario] for one in common]),
        agreement=_agreement(results),
    )


def _tried(
    witnesses: Sequence[Detector],
    folds: dict[str, int],
    predecessor: Detector | None,
    catalogue: Catalogue,
    home: HomeSeries | StoredHome,
) -> tuple[_Result, _Result | None]:
    series, _counters = clean(loaded(home), catalogue)
    # A home that was cut into parts is in every fold: its last part was unseen by the last one.
    fold = folds.get(series.home, len(witnesses) - 1)
    end_ms = int(series.timestamps_ms[-1])
    recent = select(series, series.timestamps_ms > end_ms - SPAN_MS)
    start_ms = int(recent.timestamps_ms[0])
    onset_ms = start_ms + int(ONSET_SHARE * (end_ms - start_ms))
    witness = witnesses[fold]
    scenarios = scenarios_for(witness)
    return (
        _judged(witness, scenarios, recent, onset_ms),
        _judged(predecessor, scenarios, recent, onset_ms) if predecessor is not None else None,
    )


def _judged(
    detector: Detector, scenarios: Iterable[Scenario], series: HomeSeries, onset_ms: int
) -> _Result:
    healthy = _later(score_home(detector, series), onset_ms)
    areas: dict[tuple[str, ChannelName], float] = {}
    scores = {("", name): found for name, found in healthy.items()}
    known = {field.name for field in detector.fields}
    for scenario in scenarios:
        if not {effect.sensor for effect in scenario.effects} <= known:
            continue  # a predecessor with other sensors
        ill = afflicted(scenario, detector, series, onset_ms)
        if ill is None:
            continue
        for name, found in _later(score_home(detector, ill), onset_ms).items():
            usual = healthy.get(name)
            if usual is not None and min(usual[1].size, found[1].size) >= SCORES_MIN:
                areas[scenario.name, name] = auc(usual[1], found[1])
                scores[scenario.name, name] = found
    return _Result(areas, scores)


def _later(
    scores: Sequence[ChannelScores], onset_ms: int
) -> dict[ChannelName, tuple[Floats, Floats]]:
    found = {}
    for one in scores:
        later = one.scored.timestamps_ms >= onset_ms
        found[one.mode.name, one.channel.name] = (
            one.scored.timestamps_ms[later].astype(np.float64),
            one.scored.smoothed[later],
        )
    return found


def _summary(results: Sequence[_Result]) -> tuple[Tried, ...]:
    """Per scenario the channel that sees it best over all homes."""
    areas: dict[str, dict[ChannelName, list[float]]] = {}
    for result in results:
        for (scenario, channel), area in result.areas.items():
            areas.setdefault(scenario, {}).setdefault(channel, []).append(area)
    tried = []
    for scenario in sorted(areas):
        best = max(
            areas[scenario].values(), key=lambda found: (sum(found) / len(found), len(found))
        )
        tried.append(Tried(scenario, len(best), sum(best) / len(best)))
    return tuple(tried)


def _agreement(results: Sequence[tuple[_Result, _Result | None]]) -> float | None:
    """Mean over channels of Spearman's correlation, scores of all homes and scenarios pooled."""
    pairs: dict[ChannelName, list[tuple[Floats, Floats]]] = {}
    for own, before in results:
        for key, (times, scores) in own.scores.items() if before is not None else ():
            other = before.scores.get(key) if before is not None else None
            if other is not None:
                _same, mine, theirs = np.intersect1d(times, other[0], return_indices=True)
                pairs.setdefault(key[1], []).append((scores[mine], other[1][theirs]))
    found = []
    for parts in pairs.values():
        left, right = (np.concatenate([part[side] for part in parts]) for side in (0, 1))
        if left.size > SCORES_MIN and np.ptp(left) > 0 and np.ptp(right) > 0:
            found.append(float(np.corrcoef(_ranks(left), _ranks(right))[0, 1]))
    return _mean(found)


def _ranks(values: Floats) -> Floats:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2.0)[inverse])


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None
