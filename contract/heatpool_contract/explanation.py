"""Why a score is high, in the units and words of the owner.

In: what channel and reading know of one feature. Out: a `Contribution` and its sentence in English
or German. Guaranteed: the numbers are those of the detector, rounded only here, for print.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from heatpool_contract.detector import Derived, Field, Target

PERCENT = 100.0
NEAR_ZERO = 1e-9  # an expectation this small has no percentage


class Contribution(msgspec.Struct, frozen=True, kw_only=True):
    """One feature's part in a score."""

    feature: str
    label_en: str
    label_de: str
    unit: str
    drop: float
    """How much lower the score is with the feature at its expectation given the others."""
    own: float
    """Mean of the last steady readings, brought to the present operating point."""
    expected: float
    """What the reference says for this operating point, or the home's own normal."""
    usual_low: float
    """Quantile .05 of the fleet in this mode, at any operating point."""
    usual_high: float
    """Quantile .95."""


class Circumstance(msgspec.Struct, frozen=True, kw_only=True):
    """A quantity that the reference is conditioned on, as it was."""

    label_en: str
    label_de: str
    unit: str
    value: float


def contribution(
    quantity: Field | Derived, target: Target, expected: float, residual: float, drop: float
) -> Contribution:
    """Bring a residual back to the quantity's own unit.

    Args:
        quantity: what the feature is called.
        target: how its residual is taken.
        expected: reference at the present operating point, by the home's own normal if it counts.
        residual: against that.
        drop: of the score, see `Contribution`.
    """
    low, _, high = target.usual
    own = expected + residual if target.residual == "difference" else expected * (1 + residual)
    return Contribution(
        feature=target.field,
        label_en=quantity.label_en,
        label_de=quantity.label_de,
        unit=quantity.unit,
        drop=drop,
        own=own,
        expected=expected,
        usual_low=low,
        usual_high=high,
    )


def sentence(
    part: Contribution,
    circumstances: Sequence[Circumstance] = (),
    language: Literal["en", "de"] = "en",
) -> str:
    """`COP 3.10, 12 % below the expected 3.52 (outdoor temperature 2.0 °C)`, or in German."""
    german = language == "de"
    label = part.label_de if german else part.label_en
    below = part.own < part.expected
    if german:
        direction, word = ("unter" if below else "über"), "dem erwarteten Wert"
    else:
        direction, word = ("below" if below else "above"), "the expected"
    distance = abs(part.own - part.expected)
    if abs(part.expected) > NEAR_ZERO and part.unit != "°C":
        size = f"{rounded(distance / abs(part.expected) * PERCENT, german)} %"
    else:
        size = f"{rounded(distance, german)} {'K' if part.unit == '°C' else part.unit}".rstrip()
    own, expected = (
        f"{rounded(value, german)} {part.unit}".rstrip() for value in (part.own, part.expected)
    )
    points = [
        (one.label_de if german else one.label_en, rounded(one.value, german), one.unit)
        for one in circumstances
    ]
    given = ", ".join(" ".join(point).rstrip() for point in points)
    where = f" ({'bei' if german else 'at'} {given})" if given else ""
    return f"{label} {own}, {size} {direction} {word} {expected}{where}"


def rounded(value: float, german: bool) -> str:  # noqa: FBT001 - two languages, one flag
    """Three digits, and a comma where Germans write one."""
    size = abs(value)
    digits = 0 if size >= 100 else 1 if size >= 10 else 2  # noqa: PLR2004 - three digits are enough
    text = f"{value:.{digits}f}"
    return text.replace(".", ",") if german else text
