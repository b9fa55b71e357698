"""Why a score is high: which features, what was expected of them, and under what circumstances.

In: a mode with what it remembers, the vector that was scored, the terms of the reading. Out: the
words' raw material, the weightiest feature first. Guaranteed: what is told is what was measured; a
mean that counted for less because the home doubts itself is told whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from heatpool_contract.explanation import Circumstance, Contribution, contribution
from heatpool_contract.own_normal import evaluate
from heatpool_contract.reference import references

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from heatpool_contract.channel_scoring import CompiledChannel
    from heatpool_contract.detector import Derived, Field, Mode
    from heatpool_contract.scorer_state import ModeState


def contributions(
    quantities: Mapping[str, Field | Derived],
    mode: Mode,
    state: ModeState,
    compiled: CompiledChannel,
    vector: Sequence[float],
    basis: list[float],
) -> tuple[Contribution, ...]:
    """Every feature by how much it lifts the score (conditional ablation).

    Args:
        quantities: by name, for labels and units.
        mode: that was scored.
        state: of the mode.
        compiled: the channel that leads.
        vector: what it scored.
        basis: terms of the present operating point.
    """
    own, expected, shown = state.own.frozen, references(mode, basis), list(vector)
    if compiled.channel.relative_to == "home" and own is not None:
        widths = state.widths.means(mode) or [1.0] * len(shown)
        shown = [value * (width or 1.0) for value, width in zip(shown, widths, strict=True)]
        for feature, target in enumerate(mode.targets):
            offset = evaluate(own[feature], basis)
            expected[feature] = (
                expected[feature] + offset
                if target.residual == "difference"
                else expected[feature] * (1 + offset)
            )
    drops = compiled.ablated(vector)
    order = sorted(range(len(shown)), key=lambda feature: drops[feature], reverse=True)
    return tuple(
        contribution(
            quantities[mode.targets[feature].field],
            mode.targets[feature],
            expected[feature],
            shown[feature],
            drops[feature][0],
        )
        for feature in order
    )


def circumstances(
    quantities: Mapping[str, Field | Derived], mode: Mode, values: Mapping[str, float]
) -> tuple[Circumstance, ...]:
    """What the reference is conditioned on, as it was."""
    names = [conditioner.field for conditioner in mode.conditioners]
    return tuple(
        Circumstance(
            label_en=quantities[name].label_en,
            label_de=quantities[name].label_de,
            unit=quantities[name].unit,
            value=values[name],
        )
        for name in names
    )
