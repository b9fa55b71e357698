"""Which models have news, and when they are trained."""

from __future__ import annotations

import msgspec

from heatpool_contract.release import News
from heatpool_trainer import news

WHEN = news.Schedule(quiet_s=10.0, interval_s_min=60.0, interval_s_max=600.0)


def test_news_are_counted_by_model() -> None:
    """What is no telemetry of a heat pump is passed over; the newest sequence is kept."""
    seen = [("telemetry.a.x", 3), ("telemetry.b.y", 5), ("telemetry.a.z", 4), ("other", 6)]
    seen.append(("telemetry.heatpool_canary.x", 7))  # an operator's, not a heat pump's

    found = news.counted(seen)
    after = news.noted(News(model="a", messages=3, seq_last=9, seen_ms=1), *found["a"], 1000)

    assert found == {"a": (2, 4), "b": (1, 5)}
    assert (after.messages, after.seq_last, after.seen_ms) == (5, 9, 1000)


def test_messages_that_the_stream_let_go_are_missed_and_repeats_are_not() -> None:
    """Before the first that came, and between two that came together."""
    assert news.missed(3, [7, 8, 10]) == 4
    assert news.missed(3, [2, 3, 4]) == 0
    assert news.missed(0, [7]) == 0


def test_a_quiet_model_with_news_is_due_and_one_without_is_not() -> None:
    """Quiet for long enough, and not trained a moment ago."""
    item = News(model="a", messages=1, seq_last=1, seen_ms=100_000)

    assert not news.is_due(item, 109_000, WHEN)
    assert news.is_due(item, 110_000, WHEN)
    assert not news.is_due(News(model="a", messages=0, seq_last=1, seen_ms=0), 10**9, WHEN)


def test_a_model_that_is_never_quiet_is_trained_at_the_latest_after_the_longest_interval() -> None:
    """Busy streams do not starve their model."""
    item = News(model="a", messages=9, seq_last=9, seen_ms=700_000, trained_ms=100_000)

    assert not news.is_due(item, 699_000, WHEN)
    assert news.is_due(item, 701_000, WHEN)


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
    assert not news.is_due(item, 1_000_000 + 3_599_000, WHEN)
    assert news.is_due(item, 1_000_000 + 3_600_000, WHEN)


def test_a_model_is_trained_daily_at_its_time_however_little_is_new() -> None:
    """Once a day; not before the time, not twice, not without news."""
    day_ms, at_s = 86_400_000, 9_000
    when = news.Schedule(
        quiet_s=10.0, interval_s_min=86_400.0, interval_s_max=1e9, messages_min=99, daily_at_s=at_s
    )
    yesterday = News(model="a", messages=1, seq_last=1, seen_ms=1, trained_ms=3 * day_ms + 1)
    at_ms = 4 * day_ms + at_s * 1000

    assert not news.is_due(yesterday, at_ms - 1, when)
    assert news.is_due(yesterday, at_ms, when)
    assert news.is_due(yesterday, at_ms + 50_000_000, when)
    today = news.after_training(yesterday, yesterday, at_ms, failed=False)
    assert not news.is_due(msgspec.structs.replace(today, messages=5), at_ms + 50_000_000, when)
    assert not news.is_due(msgspec.structs.replace(yesterday, messages=0), at_ms, when)


def test_few_messages_wait_for_more() -> None:
    """The amount of new data that is worth a training is the operator's."""
    when = msgspec.structs.replace(WHEN, messages_min=3)

    assert not news.is_due(News(model="a", messages=2, seq_last=2, seen_ms=0), 10**6, when)
    assert news.is_due(News(model="a", messages=3, seq_last=3, seen_ms=0), 10**6, when)


def test_what_was_asked_for_is_made_once_and_again_after_a_failure() -> None:
    """Without news, too; what the operator accepted holds for that training alone."""
    asked = News(
        model="a", messages=0, seq_last=0, seen_ms=0, requested_ms=5_000, accepted=("agreement",)
    )

    done = news.after_training(asked, asked, 6_000, failed=False)
    failed = news.after_training(asked, asked, 6_000, failed=True)
    while_it_ran = msgspec.structs.replace(asked, requested_ms=7_000)

    assert news.is_due(asked, 6_000, WHEN)
    assert not news.is_due(done, 10**9, WHEN)
    assert done.accepted == ()
    assert news.is_due(failed, 10**9, WHEN)
    assert failed.accepted == ("agreement",)
    assert news.is_due(news.after_training(asked, while_it_ran, 6_000, failed=False), 10**9, WHEN)
