"""The scoring chain over a whole recording at once: what `heatpool_contract.scoring` does, in bulk.

In: a detector, or the part of one that exists so far, and the readings of one home. Out: values,
steady rows, residuals, running means, smoothed scores. Guaranteed: every number equals the one the
client computes reading by reading, bit for bit; `tests/trainer/test_features.py` holds it to that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from heatpool_contract.reference import MINUTE_MS
from heatpool_trainer.native import Bools, Floats, Integers, compiled

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from heatpool_contract.detector import (
        Channel,
        Condition,
        Derived,
        Detector,
        Field,
        Mode,
    )
    from heatpool_trainer.readings import HomeSeries


class Values(msgspec.Struct, frozen=True, eq=False):
    """Canonical values of a recording and where they are steady."""

    timestamps_ms: Integers
    columns: dict[str, Floats]
    """Fields and derived fields; NaN = missing."""
    modes: Integers
    """Index of the mode, -1 = none."""
    steady: Bools


class Rows(msgspec.Struct, frozen=True, eq=False):
    """Steady readings of one mode at operating points the reference covers."""

    timestamps_ms: Integers
    conditioners: Floats
    """Shape (n, conditioners)."""
    targets: Floats
    """Shape (n, targets); NaN = missing."""


def values(detector: Detector, series: HomeSeries) -> Values:
    """Rename, scale, range, derive; then find mode and steady state of every reading.

    `series` must be thinned to the detector's `spacing_ms_min`.
    """
    size = series.timestamps_ms.size
    columns = {field.name: sent(field, series) for field in detector.fields}
    for field in detector.fields:
        if field.valid_when:
            valid = holds(field.valid_when, columns, size)
            columns[field.name] = np.where(valid, columns[field.name], np.nan)
    for derived in detector.derived:
        columns[derived.name] = _derive(derived, columns)
    modes = np.full(size, -1, np.int64)
    for index in range(len(detector.modes) - 1, -1, -1):
        modes[holds(detector.modes[index].conditions, columns, size)] = index
    steady = _steady(detector, series.timestamps_ms, columns, modes)
    return Values(series.timestamps_ms, columns, modes, steady)


def sent(field: Field, series: HomeSeries) -> Floats:
    """One field of a recording: the first source that a reading carries, if in range."""
    found = np.full(series.timestamps_ms.size, np.nan)
    taken = np.zeros(found.size, np.bool_)
    for source in field.sources:
        column = series.columns.get(source.name)
        if column is not None:
            new = ~taken & ~np.isnan(column)
            found[new] = source.scale * column[new] + source.shift
            taken |= new
    return np.where((found >= field.low) & (found <= field.high), found, np.nan)


def holds(conditions: Iterable[Condition], columns: dict[str, Floats], size: int) -> Bools:
    """Where all conditions hold."""
    result = np.ones(size, np.bool_)
    for condition in conditions:
        column = columns[condition.field]
        result &= ~np.isnan(column)
        if condition.low is not None:
            result &= column >= condition.low
        if condition.high is not None:
            result &= column <= condition.high
    return result


def rows(mode: Mode, index: int, found: Values) -> Rows:
    """Steady readings of a mode whose conditioners are in range."""
    chosen = found.steady & (found.modes == index)
    for conditioner in mode.conditioners:
        column = found.columns[conditioner.field]
        chosen &= (column >= conditioner.low) & (column <= conditioner.high)
    names = [conditioner.field for conditioner in mode.conditioners]
    conditioners = _matrix([found.columns[name][chosen] for name in names], chosen)
    targets = _matrix([found.columns[target.field][chosen] for target in mode.targets], chosen)
    return Rows(found.timestamps_ms[chosen], conditioners, targets)


def since(steady: Rows, from_ms: int) -> Rows:
    """The rows from a time on."""
    first = int(np.searchsorted(steady.timestamps_ms, from_ms))
    return Rows(steady.timestamps_ms[first:], steady.conditioners[first:], steady.targets[first:])


def terms(mode: Mode, conditioners: Floats) -> Floats:
    """Basis of the regression at every row, shape (n, terms)."""
    low = np.array([one.low for one in mode.conditioners])
    high = np.array([one.high for one in mode.conditioners])
    pairs = np.array(mode.terms, np.int64).reshape(-1, 2)
    return _terms(conditioners, low, high, pairs)


def residuals(mode: Mode, steady: Rows) -> Floats:
    """Residual of every target at every row, shape (n, targets); NaN where there is none."""
    basis = terms(mode, steady.conditioners)
    result = np.empty_like(steady.targets)
    for column, target in enumerate(mode.targets):
        reference = evaluated(target.coefficients, basis)
        value = steady.targets[:, column]
        if target.residual == "difference":
            result[:, column] = value - reference
        else:
            usable = reference > target.reference_min
            ratio = value / np.where(usable, reference, 1.0) - 1.0
            result[:, column] = np.where(usable, ratio, np.nan)
    return result


def evaluated(coefficients: Sequence[float] | Floats, basis: Floats) -> Floats:
    """Sum of coefficient times term at every row, in the client's order."""
    return _sums(basis, np.array(coefficients))


def whitened(channel: Channel, vectors: Floats) -> Floats:
    """Impute and whiten, shape (n, features)."""
    size = len(channel.centre)
    matrix = np.array(channel.whitening).reshape(size, size)
    imputed, centre = np.array(channel.imputed), np.array(channel.centre)
    return _whitened(np.ascontiguousarray(vectors), imputed, centre, matrix)


def squashed(channel: Channel, vectors: Floats) -> Floats:
    """Impute, whiten, scale and squash, shape (n, features) within [0, 1]."""
    white = whitened(channel, vectors)
    return _squashed(white, np.array(channel.median), np.array(channel.scale), channel.squash)


def median(column: Floats) -> float:
    """Median of the finite values as the client computes it; 0 if there are none."""
    ordered = np.sort(column[~np.isnan(column)])
    middle = ordered.size // 2
    if not ordered.size:
        return 0.0
    if ordered.size % 2:
        return float(ordered[middle])
    return float((ordered[middle - 1] + ordered[middle]) * 0.5)


@compiled
def _sums(matrix: Floats, coefficients: Floats) -> Floats:
    result = np.zeros(matrix.shape[0])
    for row in range(matrix.shape[0]):
        for i in range(coefficients.size):
            result[row] += coefficients[i] * matrix[row, i]
    return result


@compiled
def _terms(conditioners: Floats, low: Floats, high: Floats, pairs: Integers) -> Floats:
    rows, size = conditioners.shape
    basis = np.ones((rows, len(pairs)))
    scaled = np.empty(size)
    for row in range(rows):
        for i in range(size):
            scaled[i] = (2.0 * conditioners[row, i] - low[i] - high[i]) / (high[i] - low[i])
        for column in range(len(pairs)):
            first, second = pairs[column]
            if first >= 0:
                basis[row, column] = scaled[first]
            if second >= 0:
                basis[row, column] *= scaled[second]
    return basis


@compiled
def _whitened(vectors: Floats, imputed: Floats, centre: Floats, matrix: Floats) -> Floats:
    rows, size = vectors.shape
    result = np.empty((rows, size))
    offsets = np.empty(size)
    for row in range(rows):
        for j in range(size):
            value = vectors[row, j]
            offsets[j] = (imputed[j] if np.isnan(value) else value) - centre[j]
        for i in range(size):
            total = 0.0
            for j in range(size):
                total += matrix[i, j] * offsets[j]
            result[row, i] = total
    return result


@compiled
def _squashed(white: Floats, median: Floats, scale: Floats, squash: float) -> Floats:
    rows, size = white.shape
    result = np.empty((rows, size))
    for row in range(rows):
        for i in range(size):
            z = (white[row, i] - median[i]) / scale[i]
            result[row, i] = 0.5 + 0.5 * z / (squash + abs(z))
    return result


def _matrix(columns: list[Floats], chosen: Bools) -> Floats:
    return np.column_stack(columns) if columns else np.empty((int(chosen.sum()), 0))


def _derive(derived: Derived, columns: dict[str, Floats]) -> Floats:
    left, right = columns[derived.left], columns[derived.right]
    if derived.operation == "difference":
        return left - right
    if derived.operation == "product":
        return left * right
    usable = right > derived.right_min
    return np.where(usable, left / np.where(usable, right, 1.0), np.nan)


def _steady(
    detector: Detector, timestamps_ms: Integers, columns: dict[str, Floats], modes: Integers
) -> Bools:
    size = timestamps_ms.size
    running, calm = np.zeros(size, np.bool_), np.zeros(size, np.bool_)
    elapsed_ms = np.diff(timestamps_ms, prepend=timestamps_ms[:1])
    unbroken = elapsed_ms <= detector.gap_ms_max
    unbroken[:1] = False
    for index, mode in enumerate(detector.modes):
        here = modes == index
        running |= here & holds(mode.steady.running, columns, size)
        quiet = here.copy()
        for limit in mode.steady.rates:
            column = columns[limit.field]
            change = np.abs(np.diff(column, prepend=np.nan)) * MINUTE_MS
            quiet &= unbroken & (change <= limit.per_minute_max * elapsed_ms)
        calm |= quiet
    settle_ms = np.array([mode.steady.settle_ms for mode in detector.modes], np.int64)
    return _settled(timestamps_ms, modes, running, calm, unbroken, settle_ms)


@compiled
def _settled(
    timestamps_ms: Integers,
    modes: Integers,
    running: Bools,
    calm: Bools,
    unbroken: Bools,
    settle_ms: Integers,
) -> Bools:
    steady = np.zeros(modes.size, np.bool_)
    since = np.int64(0)
    held = False
    for i in range(modes.size):
        if not running[i]:
            held = False
            continue
        if not held or not unbroken[i] or modes[i] != modes[i - 1]:
            since = timestamps_ms[i]
        held = True
        steady[i] = calm[i] and timestamps_ms[i] - since >= settle_ms[modes[i]]
    return steady
