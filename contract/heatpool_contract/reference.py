"""The reference regression: what a healthy machine of the model would show at this operating point.

In: a mode and the values of a reading. Out: terms, one reference per target, and the residuals.
Guaranteed: no extrapolation (outside of the conditioners' range there is no reference), and the
arithmetic order that `scoring` promises.

Residuals against a reference conditioned on weather and control: Li and Braun's decoupling approach
as NIST uses it for residential machines (NIST TN 1602).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from heatpool_contract.own_normal import evaluate
from heatpool_contract.verdict import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

    from heatpool_contract.detector import Mode

MINUTE_MS: Final = 60_000.0


def terms(mode: Mode, values: Mapping[str, float]) -> list[float] | Reason:
    """The basis of the regression at a reading, or why there is no reference for it."""
    scaled = []
    for conditioner in mode.conditioners:
        value = values.get(conditioner.field)
        low, high = conditioner.low, conditioner.high
        if value is None:
            return Reason.CONDITIONS_MISSING
        if not low <= value <= high:
            return Reason.OUTSIDE_REFERENCE
        scaled.append((2.0 * value - low - high) / (high - low))
    found = []
    for first, second in mode.terms:
        term = 1.0 if first < 0 else scaled[first]
        found.append(term if second < 0 else term * scaled[second])
    return found


def references(mode: Mode, basis: list[float]) -> list[float]:
    """Reference value of every target."""
    return [evaluate(target.coefficients, basis) for target in mode.targets]


def residuals(
    mode: Mode, values: Mapping[str, float], references: list[float]
) -> list[float | None]:
    """Residual of every target; None where it was not measured or has no ratio."""
    row: list[float | None] = []
    for target, reference in zip(mode.targets, references, strict=True):
        value = values.get(target.field)
        if value is None:
            row.append(None)
        elif target.residual == "difference":
            row.append(value - reference)
        elif reference > target.reference_min:
            row.append(value / reference - 1.0)
        else:
            row.append(None)
    return row
