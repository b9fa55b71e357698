"""Which models have news, and when they are trained."""

from __future__ import annotations

from heatpool_contract.release import News
from heatpool_trainer import news

WHEN = {"quiet_s": 10.0, "interval_s_min": 60.0, "interval_s_max": 600.0}


def test_news_are_counted_by_model() -> None:
    """What is no telemetry of a heat pump is passed over; the newest sequence is kept."""
    seen = [("telemetry.a.x", 3), ("telemetry.b.y", 5), ("telemetry.a.z", 4), ("other", 6)]
    seen.append(("telemetry.heatpool_canary.x", 7))  # an operator's, not a heat pump's

    found = news.fold({}, seen, 1000)

    assert {model: (item.messages, item.seq_last) for model, item in found.items()} == {
        "a": (2, 4),
        "b": (1, 5),
    }


def test_messages_that_the_stream_let_go_are_missed_and_repeats_are_not() -> None:
    """Before the first that came, and between two that came together."""
    assert news.missed(3, [7, 8, 10]) == 4
    assert news.missed(3, [2, 3, 4]) == 0
    assert news.missed(0, [7]) == 0


def test_a_quiet_model_with_news_is_due_and_one_without_is_not() -> None:
    """Quiet for long enough, and not trained a moment ago."""
    item = News(model="a", messages=1, seq_last=1, seen_ms=100_000)

    assert not news.is_due(item, 109_000, **WHEN)
    assert news.is_due(item, 110_000, **WHEN)
    assert not news.is_due(News(model="a", messages=0, seq_last=1, seen_ms=0), 10**9, **WHEN)


def test_a_model_that_is_never_quiet_is_trained_at_the_latest_after_the_longest_interval() -> None:
    """Busy streams do not starve their model."""
    item = News(model="a", messages=9, seq_last=9, seen_ms=700_000, trained_ms=100_000)

    assert not news.is_due(item, 699_000, **WHEN)
    assert news.is_due(item, 701_000, **WHEN)


def test_what_came_during_a_training_stays_news() -> None:
    """A training takes only what was there when it began."""
    before = News(model="a", messages=3, seq_last=3, seen_ms=1)
    current = News(model="a", messages=5, seq_last=5, seen_ms=2)

    after = news.after_training(before, current, 77, failed=False)

    assert (after.messages, after.trained_ms, after.failures) == (2, 77, 0)


def test_a_training_that_broke_off_is_repeated_after_a_growing_pause() -> None:
    """Nothing is forgotten, and nothing runs hot."""
    item = News(model="a", messages=3, seq_last=3, seen_ms=0)
    pauses = []
    for _ in range(10):
        item = news.after_training(item, item, 1_000_000, failed=True)
        pauses.append(news.pause_s(item.failures))

    assert item.messages == 3
    assert pauses[:3] == [30.0, 60.0, 120.0]
    assert pauses[-1] == news.RETRY_S_MAX
    assert not news.is_due(item, 1_000_000 + 3_599_000, **WHEN)
    assert news.is_due(item, 1_000_000 + 3_600_000, **WHEN)
