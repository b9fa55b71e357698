"""The reference regression: what a healthy machine of the model would show at this operating point.

In: a mode and the values of a reading. Out: one reference per target, and the residuals against
them. Guaranteed: no extrapolation (outside of the conditioners' range there is no reference), and
the arithmetic order that `scoring` promises.

Residuals against a reference conditioned on weather and control: Li and Braun's decoupling approach
as NIST uses it for residential machines (NIST TN 1602).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from heatpool_contract.verdict import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

    from heatpool_contract.detector import Mode

MINUTE_MS: Final = 60_000.0


def references(mode: Mode, values: Mapping[str, float]) -> list[float] | Reason:
    """Reference value of every target, or why there is none."""
    scaled = []
    for conditioner in mode.conditioners:
        value = values.get(conditioner.field)
        low, high = conditioner.low, conditioner.high
        if value is None:
            return Reason.CONDITIONS_MISSING
        if not low <= value <= high:
            return Reason.OUTSIDE_REFERENCE
        scaled.append((2.0 * value - low - high) / (high - low))
    terms = []
    for first, second in mode.terms:
        term = 1.0 if first < 0 else scaled[first]
        terms.append(term if second < 0 else term * scaled[second])
    found = []
    for target in mode.targets:
        total = 0.0
        for coefficient, term in zip(target.coefficients, terms, strict=True):
            total += coefficient * term
        found.append(total)
    return found


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
