"""What the page says about the heat pump itself: scores, alarms, curves, comparison.

In: the history, the opened detector, the pool's statistics. Out: one Struct a card. Guarantee:
sentences are the detector's own (`contract.explanation`), an alarm is what the pool's calibration
counts as one (12 hours of peace end it), and a list holds no more than a chart can show.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

from heatpool_client.besides import TITLES, Finding, Note, keep
from heatpool_client.history import POOL
from heatpool_client.history_rows import ScoreRow, why_of
from heatpool_client.scores import EPISODE_GAP_S
from heatpool_client.web.shapes import (
    Alarm,
    AlarmsCard,
    Compared,
    CopBin,
    CopCard,
    CurveCard,
    Moment,
    NoteSeen,
    ScoresCard,
)
from heatpool_contract.community import COP, ELECTRICITY, HEAT, METRICS, WINDOW_DAYS
from heatpool_contract.explanation import sentence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from heatpool_client.history import History
    from heatpool_client.history_rows import Why
    from heatpool_contract.answers import AveragesAnswer
    from heatpool_contract.detector import Derived, Detector, Field, Mode, Target
    from heatpool_contract.explanation import Contribution

DAY_S: Final = 86_400.0
POINTS_MAX: Final = 700  # a wide screen shows no more
STALE_S: Final = 3 * 3600.0  # a logger scores every few minutes
ALARMS_MAX: Final = 20
PARTS_MAX: Final = 3
PART_SHARE_MIN: Final = 0.1  # of the heaviest; what carries less explains nothing
BIN_CELSIUS: Final = 3.0
BIN_READINGS_MIN: Final = 20  # fewer say little about a temperature
WATTS_PEAK: Final = 100.0  # a machine's peak above it was sent in W, else in kW (as the hub)
STEPS_S: Final = (60, 300, 900, 1800, 3600, 7200, 14_400, 86_400)


def scores_card(history: History, detector: Detector | None, now_s: float, days: int) -> ScoresCard:
    """The score over `days`."""
    since_s = now_s - days * DAY_S
    rows = history.scores(since_s)
    step_s = _step(days)
    highest: dict[int, ScoreRow] = {}
    for row in rows:
        at_s = row.timestamp_s // step_s * step_s
        known = highest.get(at_s)
        if known is None or row.smoothed > known.smoothed:
            highest[at_s] = row
    last = rows[-1] if rows else None
    return ScoresCard(
        days=days,
        times_s=list(highest),
        smoothed=[round(row.smoothed, 4) for row in highest.values()],
        threshold=[row.threshold for row in highest.values()],
        latest=None if last is None else _moment(last, detector),
        stale_since_s=last.timestamp_s if last and now_s - last.timestamp_s > STALE_S else None,
    )


def alarms_card(history: History, now_s: float, days: int) -> AlarmsCard:
    """Every stretch over the threshold in `days`."""
    over = [row for row in history.scores(now_s - days * DAY_S) if row.is_over]
    episodes: list[list[ScoreRow]] = [over[:1]] if over else []
    for before, row in pairwise(over):
        if row.timestamp_s - before.timestamp_s > EPISODE_GAP_S:
            episodes.append([])
        episodes[-1].append(row)
    notes = _notes(history, now_s - days * DAY_S)
    return AlarmsCard(
        days=days, notes=notes, alarms=[_alarm(one) for one in episodes[: -ALARMS_MAX - 1 : -1]]
    )


def curve_card(
    history: History,
    detector: Detector | None,
    feature: tuple[str, str | None],
    span: tuple[float, int],
) -> CurveCard:
    """A quantity of the detector over time.

    Args:
        history: own readings.
        detector: says what is usual, and in which mode; None: all readings, without a band.
        feature: name of the quantity, and of the mode; None: the one it ran in most.
        span: now and the days before it.
    """
    now_s, days = span
    name, mode = feature
    found = _target(history, detector, name, (mode, now_s - days * DAY_S))
    index = found[0] if found else None
    points = history.curve(name, now_s - days * DAY_S, _step(days), index)
    label, label_de, unit = _names(detector, name)
    return CurveCard(
        feature=name,
        label=label,
        label_de=label_de,
        unit=unit,
        times_s=[at_s for at_s, _, _ in points],
        own=[round(own, 4) for _, own, _ in points],
        expected=[None if one is None else round(one, 4) for _, _, one in points],
        usual_low=found[1].usual[0] if found else None,
        usual_high=found[1].usual[2] if found else None,
    )


def compared(
    history: History, averages: AveragesAnswer | None, now_s: float, window: str
) -> list[Compared]:
    """Own values beside those of the homes with the same model, over the same days."""
    homes = averages.metrics if averages else {}
    since_s = now_s - WINDOW_DAYS[window] * DAY_S
    return [
        Compared(
            metric=name,
            unit=metric.unit,
            decimals=max(0, metric.decimals),
            own=_own(history, name, since_s),
            homes=homes.get(name),
        )
        for name, metric in METRICS.items()
    ]


def cop_card(history: History, detector: Detector | None, now_s: float, days: int) -> CopCard:
    """COP by outdoor temperature; with a detector steady readings in its busiest mode."""
    feature, mode, since_s = POOL + COP, None, now_s - days * DAY_S
    for name in METRICS[COP].fields + _features(detector):
        found = _target(history, detector, name, (None, since_s))
        if found is not None and name.startswith("cop"):
            feature, mode = name, found[0]
            break
    outdoor = POOL + "temp_outdoor"
    bins = history.by_bin(feature, outdoor, BIN_CELSIUS, since_s, mode)
    return CopCard(
        days=days,
        bins=[
            CopBin(
                outdoor_celsius=one.middle,
                own=round(one.mean, 2),
                expected=None if one.expected is None else round(one.expected, 2),
                readings=one.count,
            )
            for one in bins
            if one.count >= BIN_READINGS_MIN
        ],
    )


def _step(days: int) -> int:
    wanted_s = days * DAY_S / POINTS_MAX
    return next((step_s for step_s in STEPS_S if step_s >= wanted_s), STEPS_S[-1])


def _moment(row: ScoreRow, detector: Detector | None) -> Moment:
    modes: Sequence[Mode] = detector.modes if detector else ()
    label = next(((one.label_en, one.label_de) for one in modes if one.name == row.mode), None)
    return Moment(
        timestamp_s=row.timestamp_s,
        mode=label[0] if label else row.mode,
        mode_de=label[1] if label else row.mode,
        smoothed=row.smoothed,
        threshold=row.threshold,
        is_over=row.is_over,
        is_alarm=row.is_alarm,
    )


def _alarm(rows: list[ScoreRow]) -> Alarm:
    peak = max(rows, key=lambda row: row.smoothed)
    why: Why | None = why_of(peak)
    parts = _heavy(why.contributions) if why else ()
    given = why.circumstances if why else ()
    first = parts[0] if parts else None
    return Alarm(
        start_s=rows[0].timestamp_s,
        end_s=rows[-1].timestamp_s,
        is_alarm=any(row.is_alarm for row in rows),
        peak=peak.smoothed,
        threshold=peak.threshold,
        mode=peak.mode,
        sentences=[sentence(part, given, "en") for part in parts],
        sentences_de=[sentence(part, given, "de") for part in parts],
        feature=first.feature if first else None,
        label=first.label_en if first else "",
        label_de=first.label_de if first else "",
        unit=first.unit if first else "",
        usual_low=first.usual_low if first else None,
        usual_high=first.usual_high if first else None,
    )


def _notes(history: History, since_s: float) -> list[NoteSeen]:
    """Findings over time, newest first, by the rules of `besides`."""
    notes: list[Note] = []
    german: list[Note] = []
    for row in history.findings(since_s):
        for into, text in ((notes, row.text), (german, row.text_de)):
            one = Finding(kind=row.kind, name=row.name, alarm=row.is_alarm, text=text)
            keep(into, [one], row.timestamp_s)
    pairs = zip(notes, german, strict=True)
    return [
        NoteSeen(
            kind=one.kind,
            name=one.name,
            start_s=one.start_s,
            end_s=one.end_s,
            is_alarm=one.alarm,
            title=TITLES[one.kind][0],
            title_de=TITLES[one.kind][1],
            text=one.text,
            text_de=other.text,
        )
        for one, other in list(pairs)[: -ALARMS_MAX - 1 : -1]
    ]


def _heavy(parts: tuple[Contribution, ...]) -> tuple[Contribution, ...]:
    least = PART_SHARE_MIN * parts[0].drop if parts else 0.0
    return tuple(part for part in parts[:PARTS_MAX] if part is parts[0] or part.drop > least)


def _own(history: History, name: str, since_s: float) -> float | None:
    """Mean over the window; energies a day from mean power; COP from energies if both are there."""
    if name in (HEAT, ELECTRICITY):
        found = history.mean(POOL + name, since_s)
        if found is None:
            return None
        _, mean, peak = found
        return mean * 24 / (1000 if peak > WATTS_PEAK else 1)
    if name == COP:
        heat, electricity = (_own(history, one, since_s) for one in (HEAT, ELECTRICITY))
        if heat and electricity and electricity > 0:
            return heat / electricity
    found = history.mean(POOL + name, since_s)
    return None if found is None else found[1]


def _target(
    history: History, detector: Detector | None, feature: str, within: tuple[str | None, float]
) -> tuple[int, Target] | None:
    """The mode that judges the quantity, and how: the named one, or that with most readings."""
    wanted, since_s = within
    judging = [
        (index, target)
        for index, mode in enumerate(detector.modes if detector else ())
        for target in mode.targets
        if target.field == feature and wanted in (None, mode.name)
    ]
    if len(judging) < 2:  # noqa: PLR2004 - nothing to choose from
        return judging[0] if judging else None
    return max(judging, key=lambda one: history.steady_readings(one[0], since_s))


def _features(detector: Detector | None) -> tuple[str, ...]:
    modes = detector.modes if detector else ()
    return tuple(target.field for mode in modes for target in mode.targets)


def _names(detector: Detector | None, feature: str) -> tuple[str, str, str]:
    quantities: list[Field | Derived] = []
    if detector is not None:
        quantities += [*detector.fields, *detector.derived]
    for one in quantities:
        if one.name == feature:
            return one.label_en, one.label_de, one.unit
    return feature, feature, ""
