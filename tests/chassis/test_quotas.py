"""Token buckets, back-pressure, clocks and receipts: the pure decisions of the edge."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heatpool_chassis.quotas import Buckets, Rate
from heatpool_ingest import clocks, receipts
from heatpool_ingest.lanes import Lane
from heatpool_ingest.pressure import BusState, attempt_of, retry_after_s, sheds

KEY = b"r" * 32
steps = st.lists(st.tuples(st.floats(0, 100), st.floats(0.1, 50)), max_size=40)


@given(steps)
def test_a_bucket_never_gives_more_than_burst_rate_and_one_request(
    sent: list[tuple[float, float]],
) -> None:
    """Whatever the pattern of requests."""
    buckets, now_s, taken, largest = Buckets(Rate(100, 2), 10), 0.0, 0.0, 0.0
    for pause_s, cost in sent:
        now_s += pause_s
        if buckets.take("home", cost, now_s) == 0:
            taken += cost
            largest = max(largest, cost)

    assert taken <= 100 + 2 * now_s + largest + 1e-6


@given(steps)
def test_who_waits_as_told_is_let_in(sent: list[tuple[float, float]]) -> None:
    """The wait that is answered is enough."""
    buckets, now_s = Buckets(Rate(10, 2), 10), 0.0
    for _pause_s, cost in sent:
        wait_s = buckets.take("home", cost, now_s)
        if wait_s:
            now_s += wait_s + 1e-6
            assert buckets.take("home", cost, now_s) == 0


def test_a_day_of_seconds_passes_at_once_and_a_year_of_minutes_later() -> None:
    """The default quota's promise (settings): 86,400 records in one go, then 100 a second."""
    buckets = Buckets(Rate(100_000, 100), 10)
    day = [buckets.take("home", 1_000, 0) for _request in range(86)]
    seconds, left = 0.0, 525_600
    while left > 0:
        wait_s = buckets.take("home", 20_000, seconds)
        seconds += wait_s
        left -= 0 if wait_s else 20_000

    assert set(day) == {0.0}
    assert 60 * 60 < seconds < 90 * 60


def test_one_home_does_not_use_up_anothers_share() -> None:
    """Buckets are apart."""
    buckets = Buckets(Rate(10, 1), 10)
    buckets.take("a", 500, 0)

    assert buckets.take("a", 1, 0) > 0
    assert buckets.take("b", 1, 0) == 0


def test_memory_is_bounded_and_the_idle_are_forgotten_first() -> None:
    """A flood of invented ids cannot empty the bucket of who is active, nor fill memory."""
    buckets = Buckets(Rate(10, 0.001), 100)
    buckets.take("active", 500, 0)
    for number in range(1000):
        buckets.take(f"invented {number}", 1, 0)
        if number % 50 == 0:
            buckets.give_back("active", 0, 0)

    assert len(buckets) == 100
    assert buckets.take("active", 1, 0) > 0


def test_what_was_not_stored_is_not_charged() -> None:
    """An outage must not use up the quota of those who repeat."""
    buckets = Buckets(Rate(10, 1), 10)
    for _attempt in range(100):
        assert buckets.take("home", 10, 0) == 0
        buckets.give_back("home", 10, 0)


@given(st.integers(0, 999), st.floats(0, 1, exclude_max=True))
def test_retry_after_grows_spreads_and_ends(attempt: int, chance: float) -> None:
    """Between 1 and 450 seconds, and later attempts never sooner at the same chance."""
    wait_s = retry_after_s(attempt, chance)

    assert 1 <= wait_s <= 450
    assert retry_after_s(attempt + 1, chance) >= wait_s
    assert retry_after_s(attempt, 0.99) > retry_after_s(attempt, 0.0)


@pytest.mark.parametrize(
    ("header", "expected"),
    [(None, 0), ("3", 3), ("0", 0), ("-1", 0), ("1e9", 0), ("9999", 0), ("x", 0), ("²", 0)],
)
def test_attempt(header: str | None, expected: int) -> None:
    """Only a small number counts."""
    assert attempt_of(header) == expected


@pytest.mark.parametrize(
    ("state", "live", "bulk"),
    [
        pytest.param(BusState(), False, False, id="idle"),
        pytest.param(BusState(fill=0.85), False, False, id="janitor's level"),
        pytest.param(BusState(fill=0.93), False, True, id="bulk sheds first"),
        pytest.param(BusState(fill=0.98), True, True, id="almost full"),
        pytest.param(BusState(pending=30_000), False, True, id="writer behind"),
        pytest.param(BusState(pending=600_000), True, True, id="writer far behind"),
    ],
)
def test_pressure(state: BusState, live: bool, bulk: bool) -> None:  # noqa: FBT001 - a table
    """The bulk lane waits long before the live one."""
    assert (sheds(state, Lane.LIVE), sheds(state, Lane.BULK)) == (live, bulk)


@given(st.integers(0, 2**64 - 1), st.integers(1, 1000), st.integers(0, 20_000))
def test_a_receipt_names_what_it_was_made_for(first: int, messages: int, records: int) -> None:
    """Round trip."""
    receipt = receipts.Receipt(first, messages, records)

    assert receipts.read(receipts.sign(receipt, KEY), KEY) == receipt


@given(st.integers(0, 43), st.characters())
def test_a_changed_receipt_is_none(at: int, other: str) -> None:
    """No single character may differ (the last one has no spare bits: 33 bytes are 44)."""
    token = receipts.sign(receipts.Receipt(5, 1, 10), KEY)
    changed = token[:at] + other + token[at + 1 :]
    if changed != token:
        with pytest.raises(receipts.ReceiptInvalidError):
            receipts.read(changed, KEY)


def test_a_receipt_of_another_pool_is_none() -> None:
    """The key decides."""
    with pytest.raises(receipts.ReceiptInvalidError):
        receipts.read(receipts.sign(receipts.Receipt(5, 1, 10), b"s" * 32), KEY)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(-1e5, 1e5)), max_size=30))
def test_every_home_is_in_one_band(seen: list[tuple[str, float]]) -> None:
    """The bands add up to the homes seen, each in the band of its newest skew."""
    known = clocks.Clocks()
    for home, skew in seen:
        known.observe(home, skew)

    names = [name for _limit, name in clocks.BANDS] + [clocks.BAND_BEYOND]
    last = dict(seen)
    assert [known.in_band(name) for name in names] == [
        sum(clocks.band(skew) == name for skew in last.values()) for name in names
    ]


@pytest.mark.parametrize("sent_at", [None, float("nan"), 1e300, -1e18])
def test_what_is_no_clock_has_no_skew(sent_at: float | None) -> None:
    """Absurd values are left out instead of spoiling the figures."""
    assert clocks.skew_s(sent_at, 1.79e9) is None
