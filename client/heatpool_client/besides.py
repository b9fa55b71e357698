"""What the channels beside the residuals found, in the owner's words. Pure.

In: what a scorer says beside its score. Out: `Finding`s to tell, and notes of a whole recording.
Guarantee: each channel speaks for itself; nothing here changes what a detector said.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import msgspec

from heatpool_contract.beside_texts import rule_sentence, wear_sentence
from heatpool_contract.verdict import Score

if TYPE_CHECKING:
    from heatpool_client.faults import Language
    from heatpool_contract.verdict import Beside

NOTE_GAP_S: Final = 12 * 3600.0  # what comes back within it is the same one, as an episode
NOTES_MAX: Final = 100
DAY_PARTS_MAX: Final = 3

FindingKind = Literal["cycle", "rule", "wear"]
TITLES: Final[dict[FindingKind, tuple[str, str]]] = {
    "cycle": ("Unusual day of the heat pump", "Ungewöhnlicher Tag der Wärmepumpe"),
    "rule": ("Heat pump: check needed", "Wärmepumpe: bitte prüfen"),
    "wear": ("Heat pump is degrading slowly", "Wärmepumpe lässt langsam nach"),
}


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something one of the channels found with this reading."""

    kind: FindingKind
    name: str
    """Channel, rule, or mode and residual."""
    alarm: bool
    text: str

    def title(self, language: Language) -> str:
        """Of a notification."""
        english, german = TITLES[self.kind]
        return german if language == "de" else english


class Note(msgspec.Struct, kw_only=True):
    """A finding over time."""

    kind: FindingKind
    name: str
    start_s: float
    end_s: float
    alarm: bool
    text: str
    """As first found."""


def findings(beside: Beside, timestamp_s: float, language: Language) -> list[Finding]:
    """What holds after a reading; the days speak once an hour, wear once a day."""
    found: list[Finding] = []
    day = beside.cycle
    if isinstance(day, Score) and day.leading.over:
        words = beside.cycle_de if language == "de" else beside.cycle_en
        text = "; ".join(words[:DAY_PARTS_MAX])
        found.append(Finding(kind="cycle", name=day.leading.channel, alarm=day.alarm, text=text))
    now_ms = round(timestamp_s * 1000)
    found += [
        Finding(
            kind="rule",
            name=one.rule,
            alarm=one.alarm,
            text=rule_sentence(one, now_ms, language),
        )
        for one in beside.raised
    ]
    if beside.day_ended:
        found += [
            Finding(
                kind="wear",
                name=f"{one.mode}.{one.feature}",
                alarm=False,
                text=wear_sentence(one, language),
            )
            for one in beside.degrading
        ]
    return found


def keep(notes: list[Note], found: list[Finding], timestamp_s: float) -> int:
    """Write findings down; how many are new.

    Args:
        notes: changed; at most `NOTES_MAX`, the first ones.
        found: of one reading.
        timestamp_s: of the reading.
    """
    new = 0
    for one in found:
        gap_s = NOTE_GAP_S if one.kind != "wear" else 7 * NOTE_GAP_S  # it speaks once a day
        known = next(
            (
                note
                for note in reversed(notes)
                if (note.kind, note.name) == (one.kind, one.name)
                and timestamp_s - note.end_s <= gap_s
            ),
            None,
        )
        if known is not None:
            known.end_s = timestamp_s
            known.alarm = known.alarm or one.alarm
            continue
        new += 1
        if len(notes) < NOTES_MAX:
            notes.append(
                Note(
                    kind=one.kind,
                    name=one.name,
                    start_s=timestamp_s,
                    end_s=timestamp_s,
                    alarm=one.alarm,
                    text=one.text,
                )
            )
    return new
