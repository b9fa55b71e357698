"""A verdict in the owner's words, and a reading in the detector's. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heatpool_client.intake import number
from heatpool_contract.explanation import sentence

if TYPE_CHECKING:
    from collections.abc import Mapping

    from heatpool_client.faults import Language
    from heatpool_contract.verdict import Score


def numeric(reading: Mapping[str, object]) -> dict[str, float]:
    """What is a number of a reading; the rest counts as not sent."""
    values: dict[str, float] = {}
    for name, value in reading.items():
        found = number(value)
        if not isinstance(found, str):
            values[name] = float(found)
    return values


def explained(score: Score, language: Language, parts_max: int = 3) -> list[str]:
    """The heaviest contributions, each as a sentence with what was expected and what is usual.

    Args:
        score: empty unless it is over its threshold.
        language: of the sentences.
        parts_max: how many.
    """
    lines = []
    for part in score.contributions[:parts_max]:
        said = sentence(part, score.circumstances, language)
        unit = f" {part.unit}" if part.unit else ""
        words = "usual in the fleet" if language == "en" else "in der Flotte üblich"
        usual = f"{part.usual_low:.1f} – {part.usual_high:.1f}{unit}"  # noqa: RUF001 - a range
        if language == "de":
            usual = usual.replace(".", ",")
        lines.append(f"{said}; {words}: {usual}")
    return lines
