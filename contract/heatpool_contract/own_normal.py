"""The home's own normal: how this machine differs from its model's reference while it is healthy.

In: residuals of the first days of a home. Out: one correction per target as a function of the
operating point, then frozen. Guaranteed: bounded memory (sums only); shrunk towards the fleet, so
that few days or one-sided weather cannot invent a dependence; learnt once, because a home that kept
learning would get used to a fault. What was broken from the start hides in it; that is what the
channels relative to the fleet are for.

Ridge regression of block means on the terms of the reference. The penalty of a term is the variance
of block means over the variance of that term's coefficient between homes, which makes the solution
the posterior mean of a normal model (empirical Bayes); for a constant it is the familiar
n / (n + penalty) of the mean.

The same model says how far the own normal can be trusted where the home has not learnt: at terms x
its variance is that of block means times x' (X'X + penalty)^-1 x. A mean against it is divided by
sqrt(1 + doubt times that) (Rasmussen and Williams 2006, section 2.1, the predictive variance of
Bayesian linear regression): a home that learnt in mild weather says little about the first frost,
and it says it quietly.
"""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from heatpool_contract.detector import Mode, OffsetRule, Target

OWN_SHARE_MIN: Final = 0.1
"""A home whose own normal lies below this share of the reference has no ratio to it."""


class OwnNormal(msgspec.Struct):
    """A mode's own normal, while it is learnt and after."""

    term_sums: list[float]
    """Of the block in progress."""
    sums: list[float]
    counts: list[int]
    gram: list[list[float]]
    """Per target: lower triangle of X'X over its blocks, row by row."""
    moments: list[list[float]]
    """Per target: X'y."""
    first_ms: int | None = None
    readings: int = 0
    frozen: list[list[float]] | None = None
    """Per target: coefficients of the mode's terms."""

    def add(
        self,
        rule: OffsetRule,
        mode: Mode,
        timestamp_ms: int,
        terms: Sequence[float],
        row: Sequence[float | None],
    ) -> None:
        """Take a steady reading; freeze when the rule says it is enough."""
        if self.frozen is not None:
            return
        if self.first_ms is None:
            self.first_ms = timestamp_ms
        self.readings += 1
        for index, term in enumerate(terms):
            self.term_sums[index] += term
        for feature, value in enumerate(row):
            if value is not None:
                self.sums[feature] += value
                self.counts[feature] += 1
        if self.readings % rule.block_readings == 0:
            self._close_block(rule)
        if self.readings >= rule.readings_min and timestamp_ms - self.first_ms >= rule.span_ms_min:
            self.frozen = [
                solve_ridge(gram, moments, target.home_penalty)
                for gram, moments, target in zip(self.gram, self.moments, mode.targets, strict=True)
            ]

    def relative(
        self, mode: Mode, terms: Sequence[float], row: Sequence[float | None]
    ) -> list[float | None]:
        """Residuals against the home's own normal; only when it is frozen."""
        relative: list[float | None] = []
        for target, own, value in zip(mode.targets, self.frozen or (), row, strict=True):
            offset = evaluate(own, terms)
            if value is None:
                relative.append(None)
            elif target.residual == "difference":
                relative.append(value - offset)
            elif 1.0 + offset > OWN_SHARE_MIN:
                relative.append((value - offset) / (1.0 + offset))
            else:
                relative.append(None)
        return relative

    def _close_block(self, rule: OffsetRule) -> None:
        means = [total / rule.block_readings for total in self.term_sums]
        for feature, count in enumerate(self.counts):
            if 2 * count >= rule.block_readings:
                value = self.sums[feature] / count
                entry = 0
                for i, first in enumerate(means):
                    self.moments[feature][i] += first * value
                    for second in means[: i + 1]:
                        self.gram[feature][entry] += first * second
                        entry += 1
        self.term_sums = [0.0] * len(self.term_sums)
        self.sums = [0.0] * len(self.sums)
        self.counts = [0] * len(self.counts)


def initial_normal(mode: Mode) -> OwnNormal:
    """Nothing learnt yet."""
    terms, features = len(mode.terms), len(mode.targets)
    return OwnNormal(
        term_sums=[0.0] * terms,
        sums=[0.0] * features,
        counts=[0] * features,
        gram=[[0.0] * (terms * (terms + 1) // 2) for _ in range(features)],
        moments=[[0.0] * terms for _ in range(features)],
    )


def evaluate(coefficients: Sequence[float], terms: Sequence[float]) -> float:
    """Sum of coefficient times term, from left to right."""
    total = 0.0
    for coefficient, term in zip(coefficients, terms, strict=True):
        total += coefficient * term
    return total


class Trust:
    """How far a home's own normal can be trusted at an operating point; made when it is frozen."""

    def __init__(self, targets: Sequence[Target], own: OwnNormal, doubt: float) -> None:
        """Factor (X'X + penalty) of every target."""
        self._doubt = doubt
        self._factors = [
            factored(gram, target.home_penalty)
            for gram, target in zip(own.gram, targets, strict=True)
        ]

    def widths(self, terms: Sequence[float]) -> list[float]:
        """Per target sqrt(1 + doubt x' (X'X + penalty)^-1 x): 1 where the home has learnt much."""
        return [
            sqrt(1.0 + self._doubt * leverage(lower, diagonal, terms))
            for lower, diagonal in self._factors
        ]


def factored(
    gram: Sequence[float], penalty: Sequence[float]
) -> tuple[list[list[float]], list[float]]:
    """L and D of G + diag(penalty) = L D L' (Cholesky without square roots).

    Args:
        gram: lower triangle of G, row by row; positive semidefinite.
        penalty: above zero, which makes the sum definite.
    """
    size = len(penalty)
    lower = [[0.0] * size for _ in range(size)]
    diagonal = [0.0] * size
    entry = 0
    for i in range(size):
        for j in range(i):
            total = gram[entry]
            for k in range(j):
                total -= lower[i][k] * lower[j][k] * diagonal[k]
            lower[i][j] = total / diagonal[j]
            entry += 1
        total = gram[entry] + penalty[i]
        for k in range(i):
            total -= lower[i][k] * lower[i][k] * diagonal[k]
        diagonal[i] = total
        entry += 1
    return lower, diagonal


def leverage(
    lower: Sequence[Sequence[float]], diagonal: Sequence[float], terms: Sequence[float]
) -> float:
    """The quadratic form x' (L D L')^-1 x."""
    solved: list[float] = []
    total = 0.0
    for i, term in enumerate(terms):
        value = term
        for k in range(i):
            value -= lower[i][k] * solved[k]
        solved.append(value)
        total += value * value / diagonal[i]
    return total


def solve_ridge(
    gram: Sequence[float], moments: Sequence[float], penalty: Sequence[float]
) -> list[float]:
    """Solve (G + diag(penalty)) a = m; arguments as of `factored`, m as `moments`."""
    lower, diagonal = factored(gram, penalty)
    solution = list(moments)
    size = len(solution)
    for i in range(size):
        for k in range(i):
            solution[i] -= lower[i][k] * solution[k]
    for i in range(size):
        solution[i] /= diagonal[i]
    for i in range(size - 1, -1, -1):
        for k in range(i + 1, size):
            solution[i] -= lower[k][i] * solution[k]
    return solution
