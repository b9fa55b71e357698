"""What a logger sent -> the quantities of a detector, and which operating mode they show.

In: a mapping from the logger's field names to numbers. Out: values by canonical name, without those
that are out of range or not valid now; the index of the first mode that fits. Guaranteed: never an
exception for any numbers; a missing value is absent, it is never guessed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from heatpool_contract.detector import Condition, Derived, Detector, Field


class Reader:
    """Turns readings into values, by the rules of one detector."""

    def __init__(self, detector: Detector) -> None:
        """Take the rules."""
        self._fields = detector.fields
        self._conditional = tuple(field for field in detector.fields if field.valid_when)
        self._derived = detector.derived
        self._modes = tuple(mode.conditions for mode in detector.modes)

    def values(self, reading: Mapping[str, float]) -> dict[str, float]:
        """Canonical values of a reading; NaN counts as not sent."""
        values: dict[str, float] = {}
        for field in self._fields:
            value = _sent(field, reading)
            if value is not None:
                values[field.name] = value
        for field in self._conditional:
            if field.name in values and not holds(field.valid_when, values):
                del values[field.name]
        for derived in self._derived:
            value = _derive(derived, values)
            if value is not None:
                values[derived.name] = value
        return values

    def mode(self, values: Mapping[str, float]) -> int | None:
        """Index of the first mode whose conditions all hold."""
        for index, conditions in enumerate(self._modes):
            if holds(conditions, values):
                return index
        return None


def holds(conditions: Iterable[Condition], values: Mapping[str, float]) -> bool:
    """Whether all conditions hold; none at all hold always."""
    for condition in conditions:
        value = values.get(condition.field)
        if value is None:
            return False
        if condition.low is not None and value < condition.low:
            return False
        if condition.high is not None and value > condition.high:
            return False
    return True


def _sent(field: Field, reading: Mapping[str, float]) -> float | None:
    for source in field.sources:
        sent = reading.get(source.name)
        if sent is None or sent != sent:  # noqa: PLR0124 - NaN
            continue
        value = source.scale * sent + source.shift
        return value if field.low <= value <= field.high else None
    return None


def _derive(derived: Derived, values: Mapping[str, float]) -> float | None:
    left, right = values.get(derived.left), values.get(derived.right)
    if left is None or right is None:
        return None
    match derived.operation:
        case "difference":
            return left - right
        case "product":
            return left * right
        case "ratio":
            return left / right if right > derived.right_min else None
