"""What the summary of a scored recording counts."""

from __future__ import annotations

import pytest
from simulators.tiny_detector import HOT, USUAL, tiny

from heatpool_client.scores import EPISODE_GAP_S, EPISODES_LISTED_MAX, Scored, Summary, score
from heatpool_client.submission import Row
from heatpool_contract.scoring import Scorer


def scored(rows: list[Row], state: str = "released") -> tuple[list[Scored], Summary]:
    """All verdicts and their summary."""
    summary = Summary()
    return list(score(rows, Scorer(tiny(state=state)), summary, "en")), summary


def rows(*flows: float, step_s: float = 60.0) -> list[Row]:
    """Readings of the flow temperature."""
    return [Row(step_s * (i + 1), {"temp_flow": flow}) for i, flow in enumerate(flows)]


def test_usual_readings_are_usual() -> None:
    """No row over the threshold, no episode."""
    verdicts, summary = scored(rows(USUAL, USUAL, USUAL))
    assert [one.over for one in verdicts] == [False] * 3
    assert (summary.rows, summary.scored, summary.over) == (3, 3, 0)
    assert (summary.over_share, summary.episodes) == (0.0, [])


def test_unusual_readings_are_an_episode_with_a_reason() -> None:
    """Start, end, peak, and the heaviest feature in words and units."""
    verdicts, summary = scored(rows(USUAL, HOT, HOT, USUAL))
    assert [one.over for one in verdicts] == [False, True, True, False]
    assert summary.over_share == 0.5
    (episode,) = summary.episodes
    assert (episode.start_s, episode.end_s, episode.alarm) == (120.0, 180.0, True)
    assert episode.peak == summary.smoothed_max > verdicts[1].threshold
    assert "flow temperature 90.0 °C, 30.0 K above" in episode.reason
    assert summary.modes == {"heating": 4}
    assert (summary.first_s, summary.last_s) == (60.0, 240.0)


@pytest.mark.parametrize(("gap_s", "episodes"), [(EPISODE_GAP_S, 1), (EPISODE_GAP_S + 1, 2)])
def test_what_comes_back_within_twelve_hours_is_the_same_episode(
    gap_s: float, episodes: int
) -> None:
    """As the pool's calibration counts."""
    _, summary = scored(rows(HOT, HOT, step_s=gap_s))
    assert (summary.episodes_over, summary.episodes_alarm) == (episodes, episodes)


def test_a_learning_model_raises_no_alarm() -> None:
    """Scores and episodes are shown, nobody is disturbed."""
    verdicts, summary = scored(rows(HOT), "learning")
    assert (verdicts[0].over, verdicts[0].alarm) == (True, False)
    assert (summary.episodes_over, summary.episodes_alarm, summary.alarms) == (1, 0, 0)


def test_rows_without_a_score_are_counted_by_reason() -> None:
    """Rows = scored + not scored."""
    _, summary = scored([*rows(USUAL), Row(30.0, {"temp_flow": USUAL}), Row(90.0, {"other": 1})])
    assert summary.rows == summary.scored + sum(summary.not_scored.values()) == 3
    assert summary.not_scored == {"out_of_order": 1, "nothing_measured": 1}


def test_the_list_of_episodes_is_bounded_and_their_number_is_not() -> None:
    """A recording of years cannot fill memory."""
    count = EPISODES_LISTED_MAX + 5
    _, summary = scored(rows(*[HOT] * count, step_s=EPISODE_GAP_S + 60))
    assert (summary.episodes_over, len(summary.episodes)) == (count, EPISODES_LISTED_MAX)
