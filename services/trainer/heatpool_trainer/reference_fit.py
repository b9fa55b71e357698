"""Fitting the reference regression: robust, one weight per home, the same bits in any order.

In: steady readings of many homes, in a fixed order of homes. Out: coefficients per target.
Guaranteed: a home's weight does not depend on how much it sent; a single absurd reading has a
bounded pull (Huber 1964); sums run in row order in compiled code, not in a BLAS whose blocking
depends on the processor.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from heatpool_trainer.features import evaluated
from heatpool_trainer.native import Bools, Floats, Integers, compiled

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal

HUBER_K: Final = 1.345  # 95 % efficient for normal errors
MAD_TO_SIGMA: Final = 1.4826
ROUNDS: Final = 12  # of weights and home effects
TINY: Final = 1e-300
CLIP_SIGMAS: Final = 6.0  # beyond, a reading pulls at a home's own coefficients no further
OWN_ROWS_MIN: Final = 100  # of a home, to tell how it differs
OWN_RIDGE: Final = 1e-5  # of terms within [-1, 1]: where a home shows no variation, none is claimed
PENALTY_MIN: Final = 1e-3
PENALTY_MAX: Final = 1e9
RIDGE: Final = 1e-6  # of the diagonal: a conditioner that hardly varies must not blow up
ROWS_QUADRATIC_MIN: Final = 400  # of all homes: ten coefficients need some
ROWS_LINEAR_MIN: Final = 100
REFERENCE_SHARE_MIN: Final = 0.05  # of the median: below, a ratio residual says nothing

Terms = tuple[tuple[int, int], ...]


def basis(conditioners: int, rows: int) -> Terms:
    """As rich a basis as the data carry: constant, linear, or all squares and products."""
    terms = [(-1, -1)]
    if rows >= ROWS_LINEAR_MIN:
        terms += [(i, -1) for i in range(conditioners)]
    if rows >= ROWS_QUADRATIC_MIN:
        terms += [(i, j) for i in range(conditioners) for j in range(i, conditioners)]
    return tuple(terms)


def fit(
    bases: Sequence[Floats], values: Sequence[Floats], residual: Literal["difference", "ratio"]
) -> tuple[tuple[float, ...], float]:
    """Coefficients of one target, and the least reference a ratio may have.

    Every home has an effect of its own (a factor for ratios, a shift for differences) that is
    fitted along: else a model whose leaky homes also have the higher flow temperatures would
    mistake the one for a consequence of the other. The median home has no effect.

    Args:
        bases: per home, shape (n, terms).
        values: per home, shape (n,), NaN = missing.
        residual: a ratio is fitted to relative errors.
    """
    usable = [~np.isnan(one) for one in values]
    homes = [(b[u], v[u]) for b, v, u in zip(bases, values, usable, strict=True) if u.any()]
    if not homes:
        return (0.0,) * bases[0].shape[1], 0.0
    ratio = residual == "ratio"
    matrix = np.concatenate([one[0] for one in homes])
    target = np.concatenate([one[1] for one in homes])
    sizes = np.array([len(one[1]) for one in homes])
    places = np.arange(sizes.max()) < sizes[:, None]
    equal = np.concatenate([np.full(len(v), 1.0 / len(v)) for _, v in homes])
    floor = REFERENCE_SHARE_MIN * abs(float(np.median(target))) if ratio else 0.0
    weights, effects = equal, np.full(len(target), 1.0 if ratio else 0.0)
    coefficients = np.zeros(matrix.shape[1])
    for _ in range(ROUNDS):
        plain = target / effects if ratio else target - effects
        coefficients = _solve(*_normal_equations(matrix, plain, weights))
        reference = evaluated(coefficients, matrix)
        size = np.maximum(reference, floor) if ratio else np.ones(len(target))
        size = np.where(size > 0, size, 1.0)
        apart = target / size if ratio else target - reference
        each = _medians(apart, places, sizes)
        each = each / np.median(each) if ratio else each - np.median(each)
        each = np.where(each > 0.0, each, 1.0) if ratio else each
        effects = np.repeat(each, sizes)
        errors = np.abs(target / effects - reference if ratio else target - effects - reference)
        errors = errors / size
        sigma = MAD_TO_SIGMA * float(np.median(errors))
        if sigma == 0.0:
            break
        pull = np.minimum(1.0, HUBER_K * sigma / np.maximum(errors, TINY))
        weights = equal * pull / (size * size)
    return tuple(float(one) for one in coefficients), floor


def penalties(
    bases: Sequence[Floats],
    values: Sequence[Floats],
    coefficients: Sequence[float],
    residual: Literal["difference", "ratio"],
) -> tuple[float, ...]:
    """How strongly a home's own normal is held to the reference, one number per term.

    Variance of residuals within homes over the mean square of the term's coefficient between
    homes (empirical Bayes, Morris 1983): what differs between homes anyway may differ here.
    """
    own, noise = [], []
    for matrix, value in zip(bases, values, strict=True):
        usable = ~np.isnan(value)
        if int(usable.sum()) < OWN_ROWS_MIN:
            continue
        basis_, reference = matrix[usable], evaluated(coefficients, matrix[usable])
        if residual == "ratio":
            away = value[usable] / np.where(reference > 0, reference, 1.0) - 1.0
        else:
            away = value[usable] - reference
        sigma = max(MAD_TO_SIGMA * float(np.median(np.abs(away - np.median(away)))), TINY)
        middle = float(np.median(away))
        kept = np.clip(away, middle - CLIP_SIGMAS * sigma, middle + CLIP_SIGMAS * sigma)
        left, right = _normal_equations(basis_, kept, np.full(len(kept), 1.0 / len(kept)))
        mine = _solve(left + OWN_RIDGE * np.eye(len(right)), right)
        own.append(mine)
        noise.append(float(np.mean((kept - evaluated(mine, basis_)) ** 2)))
    if not own:
        return (PENALTY_MAX,) * len(coefficients)
    between = np.mean(np.square(np.array(own)), axis=0)
    ratio = float(np.median(noise)) / np.maximum(between, TINY)
    return tuple(float(one) for one in np.clip(ratio, PENALTY_MIN, PENALTY_MAX))


def _medians(values: Floats, places: Bools, sizes: Integers) -> Floats:
    """Median of every home's values, which lie one home after the other and none of them missing.

    All homes at once, in rows as long as the longest: places tell where a row has values.
    """
    rows = np.full(places.shape, np.inf)
    rows[places] = values
    rows.sort(axis=1)
    homes = np.arange(sizes.size)
    found: Floats = (rows[homes, (sizes - 1) // 2] + rows[homes, sizes // 2]) / 2.0
    return found


@compiled
def _normal_equations(matrix: Floats, target: Floats, weights: Floats) -> tuple[Floats, Floats]:
    size = matrix.shape[1]
    left, right = np.zeros((size, size)), np.zeros(size)
    for row in range(matrix.shape[0]):
        for i in range(size):
            weighted = weights[row] * matrix[row, i]
            right[i] += weighted * target[row]
            for j in range(i + 1):
                left[i, j] += weighted * matrix[row, j]
    return left, right


@compiled
def _solve(left: Floats, right: Floats) -> Floats:
    """Cholesky with a ridge; `left` holds the lower triangle."""
    size = right.size
    lower = np.zeros((size, size))
    for i in range(size):
        for j in range(i + 1):
            total = left[i, j]
            if i == j:
                total += RIDGE * (left[i, i] + 1e-12)
            for k in range(j):
                total -= lower[i, k] * lower[j, k]
            lower[i, j] = np.sqrt(total) if i == j else total / lower[j, j]
    solution = right.copy()
    for i in range(size):
        for k in range(i):
            solution[i] -= lower[i, k] * solution[k]
        solution[i] /= lower[i, i]
    for i in range(size - 1, -1, -1):
        for k in range(i + 1, size):
            solution[i] -= lower[k, i] * solution[k]
        solution[i] /= lower[i, i]
    return solution
