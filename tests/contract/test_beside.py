"""Days, hard rules and wear at home: what each sees, what each says, and over restarts."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING

import msgspec
import pytest
from simulators.small_detector import MINUTE_MS, START_MS, reading, small
from simulators.watched_detector import HOUR_MS, days_of, watched

from heatpool_contract import cycles, rules, wear
from heatpool_contract.beside_texts import rule_sentence, wear_sentence
from heatpool_contract.scorer_state import ScorerState
from heatpool_contract.scoring import Scorer, StateMismatch
from heatpool_contract.verdict import Beside, NotScored, Reason, Score
from heatpool_contract.wear import Trend, WearState

if TYPE_CHECKING:
    from collections.abc import Iterable

DETECTOR = watched()
GAP_MS = float(DETECTOR.gap_ms_max)


def beside(scorer: Scorer, readings: Iterable[tuple[int, dict[str, float]]]) -> list[Beside]:
    """What the other channels said after each reading."""
    said = []
    for timestamp_ms, sent in readings:
        scorer.observe(timestamp_ms, sent)
        said.append(scorer.beside)
    return said


def last_day(readings: Iterable[tuple[int, dict[str, float]]]) -> dict[str, float]:
    """Features at the last end of an hour."""
    memory, out = cycles.initial(), [0.0] * len(cycles.FEATURES)
    found: dict[str, float] = {}
    for timestamp_ms, sent in readings:
        on, defrost = float(sent["hertz"] > 5), float(sent["status"] >= 8)
        outdoor, power = sent.get("temp_outdoor", math.nan), sent.get("power", math.nan)
        if cycles.advance(
            memory, out, float(timestamp_ms), on, defrost, 0.0, outdoor, power, 1.0, GAP_MS
        ):
            found = dict(zip(cycles.FEATURES, out, strict=True))
    return found


def test_a_day_is_summed_up() -> None:
    """20 minutes on, 40 off: a start an hour, runs of 20 minutes, a third of the day on."""
    readings = [
        (time, sent | {"power": 2.5 if sent["hertz"] else 0.03})
        for time, sent in days_of(30, 20, 40)
    ]

    day = last_day(readings)

    assert day["cycle_outdoor"] == pytest.approx(2.0)
    assert day["cycle_starts"] == pytest.approx(1.0)
    assert day["cycle_run"] == pytest.approx(20.0)
    assert day["cycle_on_share"] == pytest.approx(100 / 3)
    assert day["cycle_heater"] == pytest.approx(1.5)
    assert day["cycle_standby"] == pytest.approx(30.0)
    assert day["cycle_defrosts"] == 0.0
    assert math.isnan(day["cycle_defrost_length"])


def test_defrosts_are_counted_by_hours_in_frost() -> None:
    """Six minutes of defrost in every second hour of a machine that runs through at 2 degrees."""
    readings = [
        (time, sent | {"status": 8.0 if minute % 120 >= 114 else 1.0})
        for minute, (time, sent) in enumerate(days_of(30, 60, 0))
    ]

    day = last_day(readings)

    assert day["cycle_defrosts"] == pytest.approx(0.5)
    assert day["cycle_defrost_length"] == pytest.approx(6.0)
    assert day["cycle_run"] == cycles.RUN_MS_MAX / cycles.MINUTE_MS  # it never stopped


def test_a_silence_makes_neither_start_nor_run() -> None:
    """Readings that stop while the machine rests and come back while it runs."""
    whole = days_of(30, 600, 600)  # 10 hours on, 10 off
    gappy = [one for one in whole if not 1190 * MINUTE_MS < one[0] - START_MS <= 1215 * MINUTE_MS]

    assert last_day(whole)["cycle_starts"] == pytest.approx(1 / 24)
    assert last_day(gappy)["cycle_starts"] == 0.0


def test_a_day_of_which_too_little_was_seen_says_nothing() -> None:
    """18 of 24 hours must have been observed; after a clock that jumps it starts anew."""
    assert math.isnan(last_day(days_of(17.5, 20, 40))["cycle_starts"])
    assert last_day(days_of(20, 20, 40))["cycle_starts"] == pytest.approx(1.0, abs=0.02)
    jumped = [*days_of(30, 20, 40), *days_of(2, 20, 40, first_minute=60 * 24 * 30)]
    assert math.isnan(last_day(jumped)["cycle_starts"])


def test_short_cycling_is_said_in_words() -> None:
    """The day's score, the alarm of its own, and the sentence in both languages."""
    said = beside(Scorer(DETECTOR), days_of(26, 6, 9))

    day = next(one for one in reversed(said) if one.cycle is not None)
    assert isinstance(day.cycle, Score)
    assert day.cycle.alarm
    assert day.cycle_en == (
        "4.00 compressor starts an hour, usual 0.00 to 0.80 (at cycle_outdoor 2.00 °C)",
    )
    assert day.cycle_de == (
        "4,00 Verdichterstarts je Stunde, üblich 0,00 bis 0,80 (bei cycle_outdoor 2,00 °C)",
    )


def test_days_speak_once_an_hour_and_quiet_ones_have_no_words() -> None:
    """24 verdicts a day, none of them over."""
    said = beside(Scorer(DETECTOR), days_of(48, 40, 140))
    days = [one for one in said if one.cycle is not None]

    assert len(days) == 48
    assert {one.cycle.reason for one in days if isinstance(one.cycle, NotScored)} == {
        Reason.CONDITIONS_MISSING  # not yet a day
    }
    assert sum(isinstance(one.cycle, Score) for one in days) >= 28
    assert not any(one.cycle_en for one in days)


def raised(
    rule: int, rows: Iterable[tuple[float, float, float, float]], minutes: float = 1.0
) -> list[bool]:
    """Where one of the rules is raised; rows a minute apart."""
    one, memory = DETECTOR.rules[rule], rules.initial()
    return [
        rules.advance(
            memory,
            rules.KINDS[one.kind],
            START_MS + step * minutes * MINUTE_MS,
            relevant,
            wrong,
            value,
            float(one.lasting_ms),
            float(one.hold_ms),
            GAP_MS,
            one.drop,
        )
        for step, (_, relevant, wrong, value) in enumerate(rows)
    ]


def test_a_rule_must_be_broken_for_long_and_is_held() -> None:
    """Raised after 30 minutes, cleared after 20 right ones; time out of context does not count."""
    broken = [(0.0, 1.0, 1.0, 0.0)]
    right = [(0.0, 1.0, 0.0, 0.0)]
    outside = [(0.0, 0.0, 1.0, 0.0)]

    up = raised(0, [*right, *broken * 30, *right * 20])
    assert up.index(True) == 30
    assert up[-2:] == [True, False]
    assert not any(raised(0, [*right, *broken * 29, *right, *broken * 29]))
    assert raised(0, [*right, *broken * 15, *outside * 100, *broken * 15])[-1]
    assert not any(raised(0, [*right, *outside * 100]))


def test_missing_values_prove_and_clear_nothing() -> None:
    """They stop the clock and leave a raised rule up."""
    missing = [(0.0, 1.0, -1.0, math.nan)]
    broken = [(0.0, 1.0, 1.0, 0.0)]

    assert not any(raised(0, missing * 200))
    assert raised(0, [*broken * 31, *missing * 200])[-1]
    assert not any(raised(0, [*broken * 20, *missing * 5, *broken * 9]))


def test_a_silence_breaks_off_what_is_counted() -> None:
    """Readings further apart than the gap are no proof of what was between."""
    assert not any(raised(0, [(0.0, 1.0, 1.0, 0.0)] * 50, minutes=11.0))


def test_a_sensor_that_repeats_itself_is_stuck() -> None:
    """One other value is enough to be alive."""
    same = [(0.0, 1.0, 1.0, 3.5)] * 31
    assert raised(1, same)[-1]
    assert not any(raised(1, [*same[:20], (0.0, 1.0, 1.0, 3.6), *same[:20]]))


def test_a_temperature_that_keeps_falling_is_seen_and_one_that_settles_is_not() -> None:
    """0.25 K a minute for half an hour; a fall that ends within minutes is fine."""
    falling = [(0.0, 1.0, 1.0, 40.0 - 0.25 * step) for step in range(40)]
    settling = [(0.0, 1.0, 1.0, max(40.0 - 0.5 * step, 30.0)) for step in range(200)]

    assert raised(2, falling).index(True) == 30
    assert not any(raised(2, settling))


def test_a_raised_rule_says_for_how_long_with_values() -> None:
    """In both languages, and as an alarm only if the model is released."""
    hot = [(time, sent | {"hertz": 120.0}) for time, sent in days_of(1, 60, 0)]
    last = beside(Scorer(DETECTOR), hot)[-1]

    (found,) = [one for one in last.raised if one.rule == "hertz_high"]
    assert found.alarm
    now_ms = hot[-1][0]
    assert rule_sentence(found, now_ms) == "hertz_high is broken, for 0.98 h (hertz 120 Hz)"
    german = rule_sentence(found, now_ms, "de")
    assert german == "hertz_high ist verletzt, seit 0,98 h (hertz-de 120 Hz)"
    quiet = beside(Scorer(watched("learning")), hot)[-1]
    assert [one.alarm for one in quiet.raised if one.rule == "hertz_high"] == [False]


def followed(values: Iterable[float | None]) -> WearState:
    """Wear of one residual, a sample every half hour of the first hours of each day."""
    assert DETECTOR.wear is not None
    state = WearState()
    for day, value in enumerate(values):
        for sample in range(3):
            now_ms = (20_000 + day) * wear.DAY_MS + sample * DETECTOR.wear.sample_ms
            wear.take(state, DETECTOR.wear, "heating", ("cop", "pressure"), now_ms, [value, None])
    return state


def test_a_slow_loss_is_wear_with_its_rate() -> None:
    """A percent a week in noise of two percent; memory ends with the days of the rule."""
    chance = random.Random(2)
    state = followed([-0.01 * day / 7 + chance.gauss(0.0, 0.02) for day in range(90)])

    trend = state.trends[0]
    assert trend is not None
    assert trend.per_week == pytest.approx(-0.01, abs=0.003)
    assert trend.confidence > 0.999
    assert state.confirmed[0] >= 2
    assert state.confirmed[1] == 0
    assert len(state.days) == len(state.medians) == 60


def test_noise_and_improvement_are_no_wear() -> None:
    """A better COP is no wear; of 200 noisy quarters hardly any looks like it."""
    better = followed([0.01 * day / 7 for day in range(60)])
    assert better.confirmed == [0, 0]
    false = 0
    for seed in range(200):
        chance = random.Random(seed)
        false += followed([chance.gauss(0.0, 0.05) for _ in range(60)]).confirmed[0] > 0
    assert false <= 4


def test_odd_days_move_a_trend_by_little() -> None:
    """A fifth of the days far off, the slope stays."""
    chance = random.Random(3)
    values = [-0.01 * day / 7 + (0.5 if chance.random() < 0.2 else 0.0) for day in range(60)]

    trend = followed(values).trends[0]

    assert trend is not None
    assert trend.per_week == pytest.approx(-0.01, abs=0.003)


def test_a_day_of_a_wrong_clock_does_not_stop_the_days() -> None:
    """Days from the future are forgotten when the clock is right again."""
    assert DETECTOR.wear is not None
    state = WearState()
    for day in (30_000, 30_001, 20_000, 20_001, 20_002):
        for sample in range(3):
            now_ms = day * wear.DAY_MS + sample * DETECTOR.wear.sample_ms
            wear.take(state, DETECTOR.wear, "heating", ("cop", "pressure"), now_ms, [0.0, None])

    assert state.days == [20_000, 20_001]


def test_wear_is_said_in_words() -> None:
    """Feature, rate, weeks and confidence, in both languages, and only once a day."""
    scorer = Scorer(DETECTOR)
    said: list[Beside] = []
    for minute in range(0, 30 * 1440, 2):
        if minute % 1440 < 200:
            sent = reading(minute, cop=1.0 - 0.1 * minute / (30 * 1440))
            scorer.observe(START_MS + minute * MINUTE_MS, sent)
            said.append(scorer.beside)

    worn = next(one for one in said[::-1] if one.degrading)
    (found,) = worn.degrading
    assert (found.feature, found.relative) == ("cop", True)
    assert found.trend.per_week == pytest.approx(-0.1 / 30 * 7 * 1.08, rel=0.15)
    assert sum(one.day_ended for one in said) == 29
    fixed = msgspec.structs.replace(found, trend=Trend(slope_per_day=-0.01 / 7, z=-3.4, days=30.0))
    english = "cop (heating): 1.00 % less than expected with every week, for 30 days"
    assert wear_sentence(fixed) == f"{english} (confidence 99.9 %)"
    german = "cop-de (Heizen): jede Woche 1,00 % weniger als erwartet, seit 30 Tagen"
    assert wear_sentence(fixed, "de") == f"{german} (Sicherheit 99,9 %)"


@pytest.mark.parametrize("stop", [3, 700, 1501])
def test_a_restart_changes_nothing(stop: int) -> None:
    """The other channels go on where they were, through JSON."""
    readings = [
        (time, reading((time - START_MS) // MINUTE_MS) | sent) for time, sent in days_of(28, 50, 70)
    ]
    whole, first = Scorer(DETECTOR), Scorer(DETECTOR)
    expected = beside(whole, readings)[stop:]
    beside(first, readings[:stop])
    raw = msgspec.json.encode(first.state)

    again = Scorer(DETECTOR, msgspec.json.decode(raw, type=ScorerState))

    assert beside(again, readings[stop:]) == expected
    assert len(raw) < 100_000


def test_a_state_of_another_detectors_channels_is_refused() -> None:
    """Rather start anew than follow with foreign numbers."""
    state = Scorer(DETECTOR).state
    for flawed in (
        msgspec.structs.replace(state, cycle=[0.0]),
        msgspec.structs.replace(state, rules={"hertz_high": [0.0]}),
        msgspec.structs.replace(state, wear={"heating": WearState(days=[1], medians=[[0.0]])}),
        msgspec.structs.replace(state, cycle_scorer=Scorer(small()).state),
    ):
        with pytest.raises(StateMismatch):
            Scorer(DETECTOR, flawed)


def test_a_state_from_before_these_channels_is_gone_on_with() -> None:
    """What an older program wrote down has no members of theirs."""
    old = msgspec.json.decode(msgspec.json.encode(Scorer(small()).state))
    for member in ("cycle", "cycle_scorer", "rules", "wear"):
        del old[member]

    scorer = Scorer(DETECTOR, msgspec.convert(old, ScorerState))

    assert beside(scorer, days_of(1, 10, 10))[-1].raised == ()


def test_the_other_channels_leave_the_first_as_it_is() -> None:
    """Same scores with and without them: nothing is merged."""
    alone, together = Scorer(small()), Scorer(DETECTOR)
    for minute in range(400):
        moment_ms = START_MS + minute * MINUTE_MS
        assert alone.observe(moment_ms, reading(minute)) == together.observe(
            moment_ms, reading(minute)
        )
    assert HOUR_MS < 400 * MINUTE_MS
