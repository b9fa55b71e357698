"""What a detector means: readings in, scores out, the same after a restart and on every machine."""

from __future__ import annotations

import math
import random
from array import array
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulators.small_detector import MINUTE_MS, START_MS, reading, small

from heatpool_contract.channel_scoring import CompiledForest
from heatpool_contract.explanation import Circumstance, sentence
from heatpool_contract.own_normal import Trust, factored, leverage, solve_ridge
from heatpool_contract.scorer_state import ScorerState
from heatpool_contract.scoring import Scorer, StateMismatch
from heatpool_contract.self_testing import self_test
from heatpool_contract.verdict import NotScored, Reason, Score

if TYPE_CHECKING:
    from collections.abc import Iterable

    from heatpool_contract.detector import Detector

DETECTOR = small()
LEARNT = 131  # minutes: ten to settle, then two hours for the home's own normal


def run(scorer: Scorer, minutes: Iterable[int], cop: float = 1.0) -> list[Score | NotScored]:
    """Feed minutes of the simulated home."""
    return [scorer.observe(START_MS + m * MINUTE_MS, reading(m, cop=cop)) for m in minutes]


def scores(answers: list[Score | NotScored]) -> list[Score]:
    """Only what was scored."""
    return [answer for answer in answers if isinstance(answer, Score)]


def reasons(answers: list[Score | NotScored]) -> set[Reason]:
    """Why the rest was not."""
    return {answer.reason for answer in answers if isinstance(answer, NotScored)}


def test_the_payloads_own_vectors_are_reproduced() -> None:
    """What a client does before it activates a payload."""
    assert self_test(DETECTOR) is None


def test_a_single_changed_mass_fails_the_self_test() -> None:
    """A payload that scores differently here than at the trainer is not activated."""
    mode = DETECTOR.modes[1]
    home = msgspec.structs.replace(mode.channels[0], forests=mode.channels[0].forests[:1])
    modes = (DETECTOR.modes[0], msgspec.structs.replace(mode, channels=(home, mode.channels[1])))

    assert self_test(msgspec.structs.replace(DETECTOR, modes=modes)) is not None


def test_a_self_test_outside_of_the_reference_fails() -> None:
    """A vector without a reference has no score to compare."""
    test = DETECTOR.self_tests[0]
    vectors = array("d", test.vectors)
    vectors[0] = 99.0
    tests = (msgspec.structs.replace(test, vectors=vectors.tobytes()), DETECTOR.self_tests[1])

    difference = self_test(msgspec.structs.replace(DETECTOR, self_tests=tests))

    assert difference is not None
    assert Reason.OUTSIDE_REFERENCE in difference


@given(seed=st.integers(0, 10_000))
@settings(max_examples=50)
def test_compiled_walks_sum_what_a_full_walk_sums(seed: int) -> None:
    """Dropping nodes that no walk reaches changes no score (river's `_walk_score`)."""
    structure, forest = DETECTOR.structures[0], DETECTOR.modes[1].channels[0].forests[0]
    vector = [random.Random(seed + i).random() for i in range(3)]
    thresholds, masses = array("d", structure.threshold), array("I", forest.r_mass)
    inner, size = 2**structure.height - 1, 2 ** (structure.height + 1) - 1
    total = 0.0
    for tree in range(structure.trees):
        node, weight = 0, 1
        for depth in range(structure.height + 1):
            mass = masses[tree * size + node]
            total += mass * weight
            if mass < 0.1 * forest.window_size or depth == structure.height:
                break
            split = tree * inner + node
            left = vector[structure.feature[split]] < thresholds[split]
            node = 2 * node + (1 if left else 2)
            weight *= 2
    expected = 1 - total / (structure.trees * forest.window_size * size)

    assert CompiledForest(structure, forest).score(vector) == expected


def test_a_reading_becomes_a_score_after_settling_filling_and_learning() -> None:
    """Each stage says what it waits for."""
    answers = run(Scorer(DETECTOR), range(200))

    first = next(i for i, answer in enumerate(answers) if isinstance(answer, Score))
    both = next(i for i, a in enumerate(answers) if isinstance(a, Score) and len(a.channels) == 2)

    assert answers[0] == NotScored(Reason.NOT_STEADY, "heating")
    assert answers[10] == NotScored(Reason.FILLING, "heating")
    assert first == 19  # ten minutes to settle, ten rows of residuals
    assert both > LEARNT
    assert reasons(answers[first:]) == {Reason.BETWEEN}
    assert [s.timestamp_ms % (5 * MINUTE_MS) for s in scores(answers)] == [
        scores(answers)[0].timestamp_ms % (5 * MINUTE_MS)
    ] * len(scores(answers))


def test_a_detector_relative_to_homes_only_says_that_it_learns() -> None:
    """Without a channel against the fleet there is nothing to show at first."""
    mode = DETECTOR.modes[1]
    alone = msgspec.structs.replace(mode, channels=mode.channels[:1])
    answers = run(
        Scorer(msgspec.structs.replace(DETECTOR, modes=(DETECTOR.modes[0], alone))), range(60)
    )

    assert Reason.LEARNING_OFFSET in reasons(answers)
    assert not scores(answers)


def test_the_homes_own_normal_is_taken_off() -> None:
    """A home that is 8 % better than its model is usual to itself and unusual to the fleet."""
    last = scores(run(Scorer(DETECTOR), range(400)))[-1]

    home, fleet = last.channels
    assert home.raw < fleet.raw
    assert not home.over


def test_the_own_normal_is_learnt_once() -> None:
    """A fault that lasts for days never becomes the home's normal."""
    scorer = Scorer(DETECTOR)
    run(scorer, range(150))
    frozen = scorer.state.modes[1].own.frozen
    run(scorer, range(150, 600), cop=0.6)

    assert frozen is not None
    assert scorer.state.modes[1].own.frozen == frozen


def test_a_fault_raises_the_alarm_after_the_debounce_and_names_its_feature() -> None:
    """A COP a fifth too low: over the threshold, alarm, and COP first among the contributions."""
    scorer = Scorer(DETECTOR)
    before = scores(run(scorer, range(300)))
    after = scores(run(scorer, range(300, 500), cop=0.8))
    over = [score for score in after if score.leading.over]

    assert not any(score.leading.over or score.alarm or score.contributions for score in before)
    assert over
    assert all(score.alarm for score in over)
    # What the smoothed score exceeds is shown at once, the alarm waits for the debounce time.
    first_ms = next(
        s.timestamp_ms for s in after if s.channels[0].smoothed >= s.channels[0].threshold
    )
    assert over[0].timestamp_ms - first_ms == 10 * MINUTE_MS
    part = over[-1].contributions[0]
    assert part.feature == "cop"
    assert part.own == pytest.approx(0.8 * part.expected, rel=0.05)
    assert over[-1].leading.rarity_weeks == 20.0


def test_a_learning_detector_shows_but_never_alarms() -> None:
    """Too few unseen homes: the threshold may be wrong, so nobody is disturbed."""
    scorer = Scorer(small("learning"))
    run(scorer, range(300))
    after = scores(run(scorer, range(300, 500), cop=0.8))

    assert any(score.leading.over for score in after)
    assert not any(score.alarm for score in after)


@given(stop=st.integers(1, 420))
@settings(max_examples=15, deadline=None)
def test_a_restart_changes_nothing(stop: int) -> None:
    """State to JSON and back at any minute: all later answers are the same to the last bit."""
    whole, first = Scorer(DETECTOR), Scorer(DETECTOR)
    expected = run(whole, range(450))[stop:]
    run(first, range(stop))

    state = msgspec.json.decode(msgspec.json.encode(first.state), type=ScorerState)

    assert run(Scorer(DETECTOR, state), range(stop, 450)) == expected


def test_a_state_of_another_detector_is_refused() -> None:
    """Residuals of one release mean nothing to the next."""
    other: Detector = msgspec.structs.replace(DETECTOR, modes=DETECTOR.modes[:1])

    with pytest.raises(StateMismatch):
        Scorer(DETECTOR, Scorer(other).state)


def test_readings_out_of_order_or_too_close_are_passed_over() -> None:
    """They leave no trace: the next score is what it would have been."""
    plain, disturbed = Scorer(DETECTOR), Scorer(DETECTOR)
    run(plain, range(60))
    run(disturbed, range(60))
    at_ms = START_MS + 59 * MINUTE_MS

    assert disturbed.observe(at_ms, reading(59)) == NotScored(Reason.OUT_OF_ORDER)
    assert disturbed.observe(at_ms + 1_000, reading(59)) == NotScored(Reason.TOO_SOON)
    assert run(plain, range(60, 90)) == run(disturbed, range(60, 90))


def test_a_clock_that_was_far_ahead_does_not_silence_the_scorer() -> None:
    """A logger that started in 2035 goes on from its right time, and keeps its own normal."""
    scorer = Scorer(DETECTOR)
    run(scorer, range(150))
    frozen = scorer.state.modes[1].own.frozen
    scorer.observe(START_MS + 10**11, reading(0))

    assert scores(run(scorer, range(200, 300)))
    assert scorer.state.modes[1].own.frozen == frozen


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"status": 8.0}, Reason.MODE_NOT_SCORED),
        ({"status": 0.0}, Reason.NO_MODE),
        ({"status": math.nan}, Reason.NO_MODE),
        ({"hertz": 0.0}, Reason.NOT_STEADY),
        ({"hertz": 54.0}, Reason.NOT_STEADY),
        ({"T_a": 30.0}, Reason.OUTSIDE_REFERENCE),
        ({"T_a": 3276.7}, Reason.CONDITIONS_MISSING),
    ],
)
def test_what_cannot_be_judged_is_not_scored(changes: dict[str, float], reason: Reason) -> None:
    """Other modes, motion, weather no home has seen, error codes of sensors."""
    scorer = Scorer(DETECTOR)
    run(scorer, range(60))

    answer = scorer.observe(START_MS + 60 * MINUTE_MS, reading(60) | changes)

    assert isinstance(answer, NotScored)
    assert answer.reason == reason


def test_a_silence_breaks_the_steady_state() -> None:
    """Nobody knows what the machine did meanwhile."""
    scorer = Scorer(DETECTOR)
    run(scorer, range(60))

    assert run(scorer, [75]) == [NotScored(Reason.NOT_STEADY, "heating")]


def test_missing_sensors_are_imputed_and_all_missing_is_not_scored() -> None:
    """A home without a pressure sensor is scored on the rest; one without any is not."""

    def without(*names: str) -> list[Score | NotScored]:
        scorer = Scorer(DETECTOR)
        answers = []
        for minute in range(60):
            sent = {k: v for k, v in reading(minute).items() if k not in names}
            answers.append(scorer.observe(START_MS + minute * MINUTE_MS, sent))
        return answers

    assert scores(without("p_low"))
    assert not scores(without("p_low", "cop", "return"))
    assert Reason.NOTHING_MEASURED in reasons(without("p_low", "cop", "return"))


def test_the_first_source_that_a_reading_carries_is_taken() -> None:
    """Two loggers' names for one quantity, NaN counting as not sent."""
    scorer = Scorer(DETECTOR)
    plain = scores(run(scorer, range(60)))
    other = Scorer(DETECTOR)
    answers = [
        other.observe(
            START_MS + m * MINUTE_MS,
            reading(m) | {"temp_outdoor": reading(m)["T_a"] if m % 2 else math.nan, "T_a": 49.0}
            if m % 2
            else reading(m) | {"temp_outdoor": math.nan},
        )
        for m in range(60)
    ]

    assert scores(answers) == plain


@given(
    values=st.dictionaries(
        st.sampled_from(["status", "hertz", "T_a", "flow", "return", "cop", "p_low", "x"]),
        st.floats(),
    )
)
@settings(max_examples=200)
def test_no_numbers_make_it_fail(values: dict[str, float]) -> None:
    """Whatever a logger sends, the answer is a score or a reason."""
    scorer = Scorer(DETECTOR)
    run(scorer, range(30))

    answer = scorer.observe(START_MS + 30 * MINUTE_MS, values)

    assert isinstance(answer, Score | NotScored)


@given(
    rows=st.lists(st.tuples(*[st.floats(-1, 1)] * 3, st.floats(-10, 10)), min_size=1, max_size=30),
    penalty=st.tuples(*[st.floats(0.01, 100)] * 3),
)
def test_the_ridge_solution_has_no_gradient(
    rows: list[tuple[float, ...]], penalty: tuple[float, ...]
) -> None:
    """(G + diag(penalty)) a = m holds for what `solve_ridge` returns."""
    gram = [sum(r[i] * r[j] for r in rows) for i in range(3) for j in range(i + 1)]
    moments = [sum(r[i] * r[3] for r in rows) for i in range(3)]
    full = [
        [gram[max(i, j) * (max(i, j) + 1) // 2 + min(i, j)] for j in range(3)] for i in range(3)
    ]

    solution = solve_ridge(gram, moments, penalty)

    for i in range(3):
        left = sum(full[i][j] * solution[j] for j in range(3)) + penalty[i] * solution[i]
        assert left == pytest.approx(moments[i], abs=1e-6)


@given(
    rows=st.lists(st.tuples(*[st.floats(-1, 1)] * 3), max_size=30),
    penalty=st.tuples(*[st.floats(0.01, 100)] * 3),
    terms=st.tuples(*[st.floats(-1, 1)] * 3),
)
def test_leverage_is_the_variance_of_what_was_learnt(
    rows: list[tuple[float, ...]], penalty: tuple[float, ...], terms: tuple[float, ...]
) -> None:
    """X' (G + diag(penalty))^-1 x, as a general solver has it; more rows never raise it."""
    gram = [sum(r[i] * r[j] for r in rows) for i in range(3) for j in range(i + 1)]
    matrix = np.array(rows).reshape(len(rows), 3)
    inverse = np.linalg.inv(matrix.T @ matrix + np.diag(penalty))

    found = leverage(*factored(gram, penalty), terms)

    assert found == pytest.approx(float(np.array(terms) @ inverse @ np.array(terms)), rel=1e-6)
    assert found <= leverage(*factored([0.0] * 6, penalty), terms) * (1 + 1e-9)


def test_where_a_home_has_not_learnt_its_own_normal_is_doubted() -> None:
    """Hardly where it learnt, plainly beyond; without doubt, nowhere."""
    scorer = Scorer(DETECTOR)
    run(scorer, range(300))
    own, targets = scorer.state.modes[1].own, DETECTOR.modes[1].targets
    blocks = own.gram[0][0]
    usual = [own.gram[0][i * (i + 1) // 2] / blocks for i in range(6)]
    beyond = [1.0, 3.0, 0.0, 9.0, 0.0, 0.0]

    assert blocks > 10
    trust = Trust(targets, own, 4.0)
    assert max(trust.widths(usual)) < 1.2
    assert min(trust.widths(beyond)) > 1.5
    assert Trust(targets, own, 0.0).widths(beyond) == [1.0] * 3


def test_doubt_makes_a_score_quiet_and_leaves_its_words_true() -> None:
    """The same fault is less odd to a home that doubts itself, and as many percent."""
    rule = msgspec.structs.replace(DETECTOR.offset, doubt=4.0)
    found: list[dict[int, Score]] = []
    for detector in (DETECTOR, msgspec.structs.replace(DETECTOR, offset=rule)):
        scorer = Scorer(detector)
        run(scorer, range(300))
        after = scores(run(scorer, range(300, 500), cop=0.8))
        found.append({one.timestamp_ms: one for one in after if one.leading.over})
    at_ms = min(found[0].keys() & found[1].keys())
    sure, doubting = (one[at_ms] for one in found)
    said, again = (
        {part.feature: part.own for part in one.contributions} for one in (sure, doubting)
    )

    assert doubting.leading.raw < sure.leading.raw
    assert doubting.contributions[0].feature == "cop"
    assert again == pytest.approx(said, rel=1e-9)


def test_an_explanation_reads_like_a_sentence_in_both_languages() -> None:
    """Units, percent, direction and operating point; a decimal comma in German."""
    scorer = Scorer(DETECTOR)
    run(scorer, range(300))
    over = [s for s in scores(run(scorer, range(300, 500), cop=0.8)) if s.leading.over][-1]
    cold = (
        Circumstance(
            label_en="outdoor temperature", label_de="Außentemperatur", unit="°C", value=2.04
        ),
    )

    english = sentence(over.contributions[0], cold)
    german = sentence(over.contributions[0], cold, "de")

    assert english.startswith("cop ")
    assert " % below the expected " in english
    assert english.endswith("(at outdoor temperature 2.04 °C)")
    assert " % unter dem erwarteten Wert " in german
    assert "2,04 °C" in german
    assert [one.label_en for one in over.circumstances] == ["outdoor", "flow"]
