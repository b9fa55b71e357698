"""Series to readings: joined by timestamp within one home, nothing filled in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from simulators.small_detector import START_MS, reading, small

from heatpool_contract.reading import Reader
from heatpool_contract.scoring import Scorer
from heatpool_contract.verdict import NotScored, Reason
from heatpool_trainer.readings import HomeSeries, pivot, segments, thinned

if TYPE_CHECKING:
    from heatpool_trainer.plan import Candidate


def series(name: str, points: dict[int, float]) -> tuple[str, np.ndarray, np.ndarray]:
    """One exported series."""
    return (name, np.array(list(points), np.int64), np.array(list(points.values()), np.float64))


def rows(found: HomeSeries) -> dict[int, dict[str, float]]:
    """Readings as mappings, without what is missing."""
    return {
        int(time): {
            name: float(column[i])
            for name, column in found.columns.items()
            if column[i] == column[i]
        }
        for i, time in enumerate(found.timestamps_ms)
    }


POINTS = st.dictionaries(st.integers(0, 30), st.floats(-1e6, 1e6), min_size=1, max_size=12)


@given(parts=st.lists(st.tuples(st.sampled_from("abc"), POINTS), max_size=5))
def test_a_reading_holds_what_was_sent_at_its_time_and_nothing_else(
    parts: list[tuple[str, dict[int, float]]],
) -> None:
    """Every value stands at its own timestamp; of overlapping pieces the later one wins."""
    expected: dict[int, dict[str, float]] = {}
    for name, points in parts:
        for time, value in points.items():
            expected.setdefault(time, {})[name] = value

    found = pivot("home", [series(name, points) for name, points in parts])

    assert rows(found) == expected
    assert (np.diff(found.timestamps_ms) > 0).all()


def test_unsorted_series_are_sorted() -> None:
    """The store exports blocks, not a time line."""
    found = pivot("home", [series("a", {30: 3.0, 10: 1.0, 20: 2.0})])

    assert found.timestamps_ms.tolist() == [10, 20, 30]
    assert found.columns["a"].tolist() == [1.0, 2.0, 3.0]


@given(
    gaps_s=st.lists(st.integers(1, 150), min_size=1, max_size=60),
    spacing_s=st.sampled_from([0, 30, 60]),
)
def test_thinning_keeps_what_the_scorer_keeps(gaps_s: list[int], spacing_s: int) -> None:
    """Reading by reading, and no more of them than the interval allows."""
    detector = msgspec.structs.replace(small(), spacing_ms_min=spacing_s * 1_000)
    times_ms = START_MS + 1_000 * np.cumsum(gaps_s)
    scorer = Scorer(detector)
    expected = [
        time_ms
        for time_ms in times_ms.tolist()
        if (answer := scorer.observe(time_ms, reading(0)))
        and not (isinstance(answer, NotScored) and answer.reason is Reason.TOO_SOON)
    ]

    kept = thinned(HomeSeries("home", times_ms, {"a": times_ms.astype(float)}), detector)

    assert kept.timestamps_ms.tolist() == expected
    assert kept.columns["a"].tolist() == expected
    if spacing_s:
        assert len(expected) <= 3 + sum(gaps_s) / 60


@given(shift_s=st.lists(st.integers(-14, 14), min_size=2, max_size=60))
def test_jitter_loses_no_reading(shift_s: list[int]) -> None:
    """A logger that means to send every minute, and is early or late by up to a quarter of it."""
    times_ms = START_MS + 1_000 * (60 * np.arange(1, len(shift_s) + 1) + np.array(shift_s))

    kept = thinned(HomeSeries("home", times_ms, {}), small())

    assert kept.timestamps_ms.size == len(shift_s)


def test_parts_of_a_recording_are_the_recording() -> None:
    """Nothing is lost or doubled at the cuts, and each part has a name of its own."""
    whole = HomeSeries("home", np.arange(10), {"a": np.arange(10.0)})

    parts = list(segments(whole, 3))

    assert [part.home for part in parts] == ["home/0", "home/1", "home/2"]
    assert np.concatenate([part.columns["a"] for part in parts]).tolist() == list(range(10))


def test_the_clients_reader_and_the_bulk_agree_on_values(
    homes: list[HomeSeries], candidate: Candidate
) -> None:
    """Renaming, scaling and ranges come from the payload, not from the trainer's memory."""
    reader = Reader(candidate.detector)
    row = {name: float(column[500]) for name, column in homes[0].columns.items()}

    values = reader.values(row)

    assert values["power_electric"] == row["power_electric"] * 0.001
    assert values["spread"] == values["temp_flow"] - values["temp_return"]
