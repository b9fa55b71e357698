"""What days, hard rules and wear found, told and written down."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from simulators.watched_detector import days_of, watched

from heatpool_client.alerts import AlertState, Event, Policy, decide
from heatpool_client.besides import NOTES_MAX, Finding, Note, findings, keep
from heatpool_client.scores import Summary, score
from heatpool_client.submission import Row
from heatpool_contract.scoring import Scorer
from heatpool_contract.verdict import Beside, Degrading
from heatpool_contract.wear import Trend

if TYPE_CHECKING:
    from heatpool_client.faults import Language

DAY_S = 86_400.0
WORN = Degrading(
    mode="heating",
    mode_en="heating",
    mode_de="Heizen",
    feature="pressure_low",
    label_en="Low pressure",
    label_de="Niederdruck",
    unit="bar",
    relative=False,
    trend=Trend(slope_per_day=-0.01, z=-4.0, days=42.0),
)


def summary_of(readings: list[tuple[int, dict[str, float]]], language: Language = "en") -> Summary:
    """A recording through the detector with all channels."""
    summary = Summary()
    rows = [Row(time_ms / 1000, dict(sent)) for time_ms, sent in readings]
    for _ in score(rows, Scorer(watched()), summary, language):
        pass
    return summary


def test_a_recording_has_notes_of_each_channel() -> None:
    """Short cycling at too high a speed: a note of the days, one of the rule, each once."""
    hot = [
        (time_ms, sent | {"hertz": 120.0 * (sent["hertz"] > 0), "p_low": time_ms % 977 + 100.0})
        for time_ms, sent in days_of(30, 6, 9)
    ]

    summary = summary_of(hot)

    assert [(note.kind, note.name) for note in summary.notes] == [
        ("rule", "hertz_high"),
        ("cycle", "fleet"),
    ]
    assert all(note.alarm for note in summary.notes)
    assert "hertz_high is broken, for 0.50 h (hertz 120 Hz)" in summary.notes[0].text
    assert "compressor starts an hour, usual 0.00 to 0.80" in summary.notes[1].text
    assert summary.notes[1].end_s > summary.notes[1].start_s + 3600
    assert summary.days_scored >= 6
    assert "Verdichterstarts je Stunde, üblich 0,00 bis 0,80" in summary_of(hot, "de").notes[1].text


def test_a_healthy_recording_has_none() -> None:
    """Three starts in eight hours, pressures that move."""
    usual = [
        (time_ms, sent | {"p_low": time_ms % 977 + 100.0}) for time_ms, sent in days_of(40, 40, 140)
    ]

    assert summary_of(usual).notes == []


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", "Low pressure (heating): 0.07 bar less than expected with every week, for 42 days"),
        ("de", "Niederdruck (Heizen): jede Woche 0,07 bar weniger als erwartet, seit 42 Tagen"),
    ],
)
def test_wear_is_found_once_a_day_in_words(language: Language, words: str) -> None:
    """With rate, weeks and confidence; between two days nothing is said again."""
    (found,) = findings(Beside(degrading=(WORN,), day_ended=True), 0.0, language)

    assert (found.kind, found.alarm) == ("wear", False)
    assert found.text.startswith(words)
    assert findings(Beside(degrading=(WORN,)), 0.0, language) == []


def finding(name: str = "fan_stopped") -> Finding:
    """Of a rule."""
    return Finding(kind="rule", name=name, alarm=True, text="x")


def test_notes_join_what_comes_back_soon_and_are_bounded() -> None:
    """Half a day is the same finding; the number of new ones is counted beyond the list."""
    notes: list[Note] = []
    assert keep(notes, [finding()], 0.0) == 1
    assert keep(notes, [finding()], 43_200.0) == 0
    assert keep(notes, [finding()], 43_200.0 + 43_201.0) == 1
    assert (len(notes), notes[0].end_s) == (2, 43_200.0)
    new = sum(keep(notes, [finding(f"rule {number}")], 0.0) for number in range(2 * NOTES_MAX))
    assert (new, len(notes)) == (2 * NOTES_MAX, NOTES_MAX)


def told(state: AlertState, kind: str, subject: str, at_s: float) -> tuple[AlertState, bool]:
    """Whether an event is sent."""
    event = Event(
        kind="wear" if kind == "wear" else "rule",
        severity="warning",
        at_s=at_s,
        title="",
        text="",
        subject=subject,
    )
    state, due = decide(state, event, Policy(), 720)
    return state, bool(due)


def test_wear_is_told_once_a_month_and_every_rule_by_itself() -> None:
    """A long cooldown for wear; a rule does not silence another."""
    state, first = told(AlertState(), "wear", "heating.cop", 0.0)
    state, again = told(state, "wear", "heating.cop", 29 * DAY_S)
    state, other = told(state, "wear", "heating.pressure_low", 29 * DAY_S)
    state, later = told(state, "wear", "heating.cop", 30 * DAY_S)
    assert [first, again, other, later] == [True, False, True, True]
    state, fan = told(state, "rule", "fan_stopped", 31 * DAY_S)
    state, stuck = told(state, "rule", "stuck_temp_flow", 31 * DAY_S)
    state, soon = told(state, "rule", "fan_stopped", 31 * DAY_S + 3600)
    assert [fan, stuck, soon] == [True, True, False]
