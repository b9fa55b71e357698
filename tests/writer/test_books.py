"""The conservation ledger: what goes in comes out, and the store counts what was sent."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from heatpool_writer.books import (
    COUNTERS_STALE_S,
    Books,
    Counters,
    Difference,
    Fate,
    StoreBooks,
    counters,
)

OUT = (Fate.ACKNOWLEDGED, Fate.DEAD, Fate.ERASED, Fate.RETURNED)


@given(st.lists(st.tuples(st.sampled_from(list(Fate)), st.integers(1, 9), st.integers(0, 99))))
def test_the_books_balance_only_with_what_is_in_hand(
    entries: list[tuple[Fate, int, int]],
) -> None:
    """In minus out is what is in hand; one message more or less shows."""
    books = Books()
    messages = samples = 0
    for fate, count, values in entries:
        books.count(fate, count, values)
        messages += -count if fate in OUT else count
        samples += -values if fate in OUT else values

    assert books.difference(messages, samples) == (0, 0)
    assert books.difference(messages + 1, samples - 5) == (-1, 5)


def test_the_counters_are_read_from_the_metrics() -> None:
    """Only imports of our kind count; the life is when the process started."""
    found = counters(
        {
            'vm_rows_inserted_total{type="vmimport"}': 12.0,
            'vm_rows_inserted_total{type="influx"}': 99.0,
            'vm_rows_invalid_total{type="vmimport"}': 1.0,
            'vm_rows_ignored_total{reason="big_timestamp"}': 2.0,
            'vm_rows_ignored_total{reason="small_timestamp"}': 3.0,
            "vm_app_start_timestamp": 1.7e9,
        }
    )

    assert found == Counters("1700000000.0/None", inserted=12, invalid=1, ignored=5)


def test_rows_that_the_store_never_counted_are_missing() -> None:
    """Once its counters cannot be stale any more; until then they are in flight."""
    books = StoreBooks()
    books.compare(_counters(100), 0.0)
    books.sent("a", 50, 1.0)

    assert books.compare(_counters(100), 1.5) == Difference()
    assert books.compare(_counters(140), 1.0 + COUNTERS_STALE_S) == Difference(missing=10)
    assert books.compare(_counters(150), 9.0) == Difference()


def test_another_importer_is_a_surplus_and_no_alarm() -> None:
    """Two writers see each other's rows."""
    books = StoreBooks()
    books.compare(_counters(0), 0.0)
    books.sent("a", 50, 1.0)
    difference = books.compare(_counters(80), 9.0)

    assert difference == Difference(surplus=30)
    assert not difference.alarm


def test_what_the_store_swallowed_behind_a_204_is_an_alarm() -> None:
    """Lines that it could not read, rows outside of its retention."""
    books = StoreBooks()
    books.compare(_counters(0), 0.0)

    assert books.compare(_counters(0, invalid=1), 1.0).alarm
    assert books.compare(_counters(0, ignored=1), 2.0).alarm


def test_a_restart_of_the_store_keeps_the_differences_and_starts_its_count_anew() -> None:
    """Its counters begin at nought again."""
    books = StoreBooks()
    books.compare(_counters(0), 0.0)
    books.sent("a", 50, 1.0)
    books.compare(_counters(40, invalid=1), 9.0)

    assert books.compare(_counters(0, life="b"), 10.0) == Difference(missing=10, invalid=1)
    books.sent("b", 5, 11.0)
    assert books.compare(_counters(5, life="b"), 20.0) == Difference(missing=10, invalid=1)


def test_a_post_that_a_restart_overtook_is_not_missed_in_the_new_life() -> None:
    """Its rows may be in the count from which the new life's books start, or in none."""
    books = StoreBooks()
    books.compare(_counters(0), 0.0)
    books.compare(_counters(30, life="b"), 1.0)
    books.sent("a", 50, 1.1)

    assert books.compare(_counters(50, life="b"), 9.0) == Difference(surplus=20)


def _counters(inserted: int, *, invalid: int = 0, ignored: int = 0, life: str = "a") -> Counters:
    return Counters(life, inserted, invalid, ignored)
