"""Running means of a home's residuals, against the fleet and against its own normal, in bulk.

In: steady readings of one mode. Out: `Means` where the scorer scores. Guaranteed: the numbers of
`heatpool_contract.own_normal` and `Window.means`, bit for bit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from heatpool_contract.own_normal import OWN_SHARE_MIN, factored, solve_ridge
from heatpool_trainer.features import evaluated, residuals, terms
from heatpool_trainer.native import Floats, Integers, compiled

if TYPE_CHECKING:
    from heatpool_contract.detector import Detector, Mode, OffsetRule
    from heatpool_trainer.features import Rows


class Means(msgspec.Struct, frozen=True, eq=False):
    """Running means of residuals where the scorer scores, gaps NaN."""

    fleet_timestamps_ms: Integers
    fleet: Floats
    """Against the reference, shape (n, targets)."""
    home_timestamps_ms: Integers
    home: Floats
    """Against the home's own normal, from when it was learnt."""


def means(mode: Mode, detector: Detector, steady: Rows, found: Floats | None = None) -> Means:
    """Running means of residuals, one per stride, against the fleet and against the home.

    Args:
        mode: of the detector.
        detector: the chain.
        steady: readings.
        found: their residuals, if they are known already.
    """
    found = residuals(mode, steady) if found is None else found
    home, learnt, widths = _relative(mode, detector.offset, steady, found)
    where, fleet, own = _running_means(
        steady.timestamps_ms,
        found,
        home,
        widths,
        learnt,
        mode.mean_readings,
        mode.mean_readings_min,
        mode.mean_age_ms_max,
        detector.stride_ms,
    )
    times_ms = steady.timestamps_ms[where]
    there = ~np.isnan(own).all(axis=1)
    return Means(times_ms, fleet, times_ms[there], own[there])


def _relative(
    mode: Mode, rule: OffsetRule, steady: Rows, found: Floats
) -> tuple[Floats, int, Floats]:
    """Residuals against the home's own normal, the row from which they exist, their widths."""
    size = len(found)
    result, widths = np.full_like(found, np.nan), np.ones_like(found)
    if not mode.targets or not all(target.home_penalty for target in mode.targets):
        return result, size, widths
    basis = terms(mode, steady.conditioners)
    learnt, gram, moments = _learn(
        steady.timestamps_ms,
        basis,
        found,
        rule.span_ms_min,
        rule.readings_min,
        rule.block_readings,
    )
    if learnt == size:
        return result, size, widths
    lower = np.tril_indices(len(mode.terms))
    for column, target in enumerate(mode.targets):
        triangle = gram[column][lower].tolist()
        own = solve_ridge(triangle, moments[column].tolist(), target.home_penalty)
        offset = evaluated(own, basis)
        if rule.doubt:
            factors, diagonal = factored(triangle, target.home_penalty)
            far = _leverages(np.array(factors), np.array(diagonal), basis)
            widths[:, column] = np.sqrt(1.0 + rule.doubt * far)
        if target.residual == "difference":
            result[:, column] = found[:, column] - offset
        else:
            usable = 1.0 + offset > OWN_SHARE_MIN
            ratio = (found[:, column] - offset) / np.where(usable, 1.0 + offset, 1.0)
            result[:, column] = np.where(usable, ratio, np.nan)
    return result, learnt, widths


@compiled
def _leverages(lower: Floats, diagonal: Floats, basis: Floats) -> Floats:
    """`own_normal.leverage` at every row."""
    result = np.zeros(basis.shape[0])
    solved = np.zeros(basis.shape[1])
    for row in range(basis.shape[0]):
        for i in range(basis.shape[1]):
            value = basis[row, i]
            for k in range(i):
                value -= lower[i, k] * solved[k]
            solved[i] = value
            result[row] += value * value / diagonal[i]
    return result


@compiled
def _mean(found: Floats, start: int, end: int, means: Floats, counts: Integers) -> bool:
    """Means of rows `start` to `end` (exclusive); whether any feature has one."""
    size = found.shape[1]
    for feature in range(size):
        means[feature] = 0.0
        counts[feature] = 0
    for row in range(start, end):
        for feature in range(size):
            value = found[row, feature]
            there = not np.isnan(value)
            means[feature] += value if there else 0.0
            counts[feature] += there
    measured = False
    for feature in range(size):
        if 2 * counts[feature] >= end - start:
            means[feature] /= counts[feature]
            measured = True
        else:
            means[feature] = np.nan
    return measured


@compiled
def _running_means(  # noqa: PLR0913, PLR0917 - numba takes arrays, not objects
    timestamps_ms: Integers,
    fleet: Floats,
    home: Floats,
    widths: Floats,
    learnt: int,
    readings: int,
    readings_min: int,
    age_ms_max: int,
    stride_ms: int,
) -> tuple[Integers, Floats, Floats]:
    size, features = fleet.shape
    where = np.empty(size, np.int64)
    fleet_means, home_means = np.empty((size, features)), np.empty((size, features))
    width_means = np.empty(features)
    counts = np.empty(features, np.int64)
    number = 0
    first = 0
    for i in range(size):
        first = max(first, i + 1 - readings)
        while timestamps_ms[first] < timestamps_ms[i] - age_ms_max:
            first += 1
        if i + 1 - first < readings_min:
            continue
        if number and timestamps_ms[i] - timestamps_ms[where[number - 1]] < stride_ms:
            continue
        if not _mean(fleet, first, i + 1, fleet_means[number], counts):
            continue
        start = max(first, learnt)
        if i + 1 - start >= readings_min:
            _mean(home, start, i + 1, home_means[number], counts)
            _mean(widths, start, i + 1, width_means, counts)
            home_means[number] /= width_means
        else:
            home_means[number] = np.nan
        where[number] = i
        number += 1
    return where[:number], fleet_means[:number], home_means[:number]


@compiled
def _learn(  # noqa: C901 - the scorer's rule, step by step
    timestamps_ms: Integers,
    basis: Floats,
    found: Floats,
    span_ms_min: int,
    readings_min: int,
    block: int,
) -> tuple[int, Floats, Floats]:
    """Row at which the own normal freezes (their number = never), its X'X and X'y per target."""
    size, features = found.shape
    terms = basis.shape[1]
    gram, moments = np.zeros((features, terms, terms)), np.zeros((features, terms))
    for i in range(size):
        readings = i + 1
        if readings % block == 0:
            means = np.zeros(terms)
            for row in range(readings - block, readings):
                means += basis[row]
            means /= block
            for feature in range(features):
                total, count = 0.0, 0
                for row in range(readings - block, readings):
                    if not np.isnan(found[row, feature]):
                        total += found[row, feature]
                        count += 1
                if 2 * count >= block:
                    for k in range(terms):
                        moments[feature, k] += means[k] * (total / count)
                        for m in range(k + 1):
                            gram[feature, k, m] += means[k] * means[m]
        if readings >= readings_min and timestamps_ms[i] - timestamps_ms[0] >= span_ms_min:
            return i, gram, moments
    return size, gram, moments
