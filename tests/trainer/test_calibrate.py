"""Thresholds are set in alarm episodes per pump-week, and keep that promise on the same data."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from heatpool_trainer.calibrate import (
    EPISODE_GAP_MS,
    UNREACHABLE,
    WEEK_MS,
    Scored,
    calibrate,
    episode_counts,
    episodes,
    over_threshold,
    scored,
)

STEP_MS = 300_000
RULE = {"debounce_ms": 2 * STEP_MS, "age_ms_max": 86_400_000}


def home(seed: int, number: int = 2_000) -> Scored:
    """Autocorrelated scores, one every five minutes."""
    chance = np.random.default_rng(seed)
    raw = np.clip(0.3 + 0.1 * np.cumsum(chance.normal(0, 0.05, number)), 0, 1)
    return scored(np.arange(number) * STEP_MS, raw, smoothing_ms=3_600_000, age_ms_max=86_400_000)


def one(smoothed: list[float], times_ms: list[int] | None = None) -> Scored:
    """Given scores."""
    times = np.array(times_ms or [i * STEP_MS for i in range(len(smoothed))], np.int64)
    return Scored(times, np.array(smoothed), np.array(smoothed))


def test_an_alarm_that_returns_within_half_a_day_is_the_same_one() -> None:
    """One more than half a day later is a second one."""
    high = [0.9] * 3
    close = [0, STEP_MS, 2 * STEP_MS]
    again = [EPISODE_GAP_MS + time for time in close]
    later = [EPISODE_GAP_MS + 5 * STEP_MS + time for time in close]

    assert episodes(one(high * 2, close + again), 0.5, **RULE) == 1
    assert episodes(one(high * 2, close + later), 0.5, **RULE) == 2


def test_what_is_shorter_than_the_debounce_is_no_alarm() -> None:
    """The score must stay up; a dip starts the time anew, and so does a long pause."""
    assert episodes(one([0.9, 0.9, 0.1, 0.9, 0.9]), 0.5, **RULE) == 0
    assert episodes(one([0.1, 0.9, 0.9, 0.9]), 0.5, **RULE) == 1
    pause = [0, STEP_MS, STEP_MS + 86_400_001, 2 * STEP_MS + 86_400_001]
    assert episodes(one([0.9] * 4, pause), 0.5, **RULE) == 0


def test_smoothing_starts_anew_after_a_long_pause() -> None:
    """Yesterday's score says little about today's."""
    times_ms = np.array([0, STEP_MS, STEP_MS + 86_400_001])

    found = scored(times_ms, np.array([1.0, 0.0, 0.5]), smoothing_ms=STEP_MS, age_ms_max=86_400_000)

    assert found.smoothed.tolist() == [1.0, 0.5, 0.5]


@given(seed=st.integers(0, 10_000), budget=st.floats(0.01, 5.0))
@settings(max_examples=20, deadline=None)
def test_the_budget_is_kept_and_used(seed: int, budget: float) -> None:
    """Within it at the threshold; one level lower would break it, or there is no lower one."""
    homes = [home(seed + i) for i in range(4)]
    weeks = sum(float(h.timestamps_ms[-1]) for h in homes) / WEEK_MS

    found = calibrate(homes, pump_weeks=weeks, episodes_per_week_max=budget, **RULE)

    counted = sum(episodes(h, found.threshold, **RULE) for h in homes)
    assert counted <= found.episodes <= budget * weeks
    rarer = [step for step in found.rarity if step.score > found.threshold]
    assert all(step.weeks >= weeks / max(1, found.episodes) for step in rarer)


def test_against_the_fleet_homes_are_counted_and_not_episodes() -> None:
    """One odd home in ten that alarms now and then keeps the budget, and is one home too many."""
    odd = one([*[0.9] * 4, 0.1], [*range(0, 4 * STEP_MS, STEP_MS), 5 * STEP_MS])
    homes = [one([0.1] * 9), *[one([0.2] * 9)] * 8, odd]

    by_episodes, by_homes = (
        calibrate(
            homes, pump_weeks=100.0, episodes_per_week_max=0.02, homes_share_max=share, **RULE
        )
        for share in (1.0, 0.05)
    )

    assert episodes(odd, by_episodes.threshold, **RULE) == by_episodes.episodes == 1
    assert episodes(odd, by_homes.threshold, **RULE) == by_homes.episodes == 0


@given(
    steps=st.lists(st.tuples(st.sampled_from([1, 2, 50, 500]), st.integers(0, 9)), max_size=60),
    levels=st.sets(st.integers(0, 10), min_size=1),
)
def test_counting_at_all_levels_at_once_is_counting_at_each(
    steps: list[tuple[int, int]], levels: set[int]
) -> None:
    """With dips, pauses and equal scores."""
    times_ms = np.cumsum(np.array([0, *(pause for pause, _ in steps)][1:], np.int64)) * STEP_MS
    scores = Scored(times_ms, np.empty(0), np.array([float(score) for _, score in steps]))
    tried = np.array(sorted(levels), np.float64)

    found = episode_counts(scores, tried, **RULE)

    assert found.tolist() == [episodes(scores, level, **RULE) for level in tried.tolist()]


def test_rarity_rises_with_the_score_and_claims_no_more_than_was_observed() -> None:
    """`Once in N weeks` with N at most the weeks looked at."""
    homes = [home(i) for i in range(6)]

    steps = calibrate(homes, pump_weeks=6.0, episodes_per_week_max=0.2, **RULE).rarity

    assert steps
    assert [s.score for s in steps] == sorted({s.score for s in steps})
    assert [s.weeks for s in steps] == sorted({s.weeks for s in steps})
    assert steps[-1].weeks <= 6.0


def test_without_unseen_homes_nothing_is_reachable() -> None:
    """A channel that nothing calibrates raises nothing."""
    found = calibrate([], pump_weeks=0.0, episodes_per_week_max=0.1, **RULE)

    assert found.threshold == UNREACHABLE
    assert not over_threshold(np.arange(3), np.ones(3), found.threshold, 0, 10).any()
