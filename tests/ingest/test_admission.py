"""Admission against a naive reference, and its promise to count everything once."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heatpool_contract.refusals import Refusal
from heatpool_contract.telemetry import FIELD_NAME, Record, Value
from heatpool_ingest.admission import Admitted, RequestRefusedError, admit
from heatpool_ingest.grouping import timestamp_ms

NOW_S = 1_790_000_000.0
DAY_S = 86_400.0

names = st.sampled_from(
    ["temp_flow", "power", "_x", "on", "a,b", "with space", "line\nbreak", "ü", "", "9lives"]
)
values = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-(10**6), 10**6),
    st.sampled_from([10**300, 10**301, -(10**320)]),
    st.booleans(),
    st.none(),
    st.text(max_size=3),
    st.lists(st.integers(), max_size=1),
)
stamps = st.one_of(
    st.floats(NOW_S - 400 * DAY_S, NOW_S + 3600, allow_nan=False),
    st.integers(int(NOW_S) - 1000, int(NOW_S)),
    st.sampled_from([None, True, "now", 1e300, -(10**400), NOW_S * 1000]),
)
records = st.lists(
    st.builds(
        lambda stamp, fields: {**({} if stamp is None else {"timestamp": stamp}), **fields},
        stamps,
        st.dictionaries(names, values, max_size=5),
    ),
    max_size=12,
)


@given(records, st.integers(1, 12))
def test_admission_takes_what_a_naive_reading_takes(sent: list[Record], size: int) -> None:
    """Frames hold the same (time, field, value) triples, and are the same in whichever slices."""
    slices = [sent[start : start + size] for start in range(0, len(sent), size)]

    admitted = admit(slices, NOW_S)

    assert _triples(admitted) == _naive(sent)
    assert admitted.frames == admit([sent], NOW_S).frames


@given(records)
def test_every_record_and_every_value_is_counted_once(sent: list[Record]) -> None:
    """Taken and rejected add up to what was sent; so do the values of the records taken."""
    admitted = admit([sent], NOW_S)
    rejected = sum(tally.count for tally in admitted.rejections)

    assert admitted.records + rejected == len(sent)
    assert all(0 <= tally.first_index < len(sent) for tally in admitted.rejections)
    dropped = sum(tally.count for tally in admitted.values_dropped)
    in_time = [r for r in sent if not isinstance(timestamp_ms(r.get("timestamp"), NOW_S), Refusal)]
    assert admitted.samples + dropped == sum(len(r) - 1 for r in in_time)


@given(records)
def test_frames_are_dense_and_finite(sent: list[Record]) -> None:
    """Every column has one finite number, never a bool, for each timestamp."""
    for frame in admit([sent], NOW_S).frames:
        assert frame.timestamps_ms
        assert frame.columns
        for name, column in frame.columns.items():
            assert FIELD_NAME.fullmatch(name)
            assert len(column) == len(frame.timestamps_ms)
            assert all(type(value) in (int, float) and math.isfinite(value) for value in column)


@pytest.mark.parametrize(
    ("stamp", "expected"),
    [
        pytest.param(NOW_S, 1_790_000_000_000, id="now"),
        pytest.param(NOW_S + 300, 1_790_000_300_000, id="five minutes ahead"),
        pytest.param(NOW_S + 300.01, Refusal.TIMESTAMP_IN_FUTURE, id="clock ahead"),
        pytest.param(NOW_S - 334 * DAY_S, 1_761_142_400_000, id="as old as may be"),
        pytest.param(NOW_S - 334 * DAY_S - 1, Refusal.TIMESTAMP_TOO_OLD, id="too old"),
        pytest.param(NOW_S * 1000, Refusal.TIMESTAMP_INVALID, id="milliseconds"),
        pytest.param(0, Refusal.TIMESTAMP_TOO_OLD, id="a logger without a clock"),
        pytest.param(True, Refusal.TIMESTAMP_INVALID, id="bool"),
        pytest.param("2026", Refusal.TIMESTAMP_INVALID, id="text"),
        pytest.param(None, Refusal.TIMESTAMP_MISSING, id="none"),
        pytest.param(10**400, Refusal.TIMESTAMP_INVALID, id="beyond float"),
    ],
)
def test_timestamp(stamp: Value, expected: int | Refusal) -> None:
    """Seconds become milliseconds, or a reason."""
    assert timestamp_ms(stamp, NOW_S) == expected


def test_a_stray_text_costs_one_value_not_the_column() -> None:
    """One sensor that says "n/a" once loses that reading alone."""
    sent: list[Record] = [{"timestamp": NOW_S - i, "a": 1.0, "b": 2.0} for i in range(3)]
    sent[1]["b"] = "n/a"

    admitted = admit([sent], NOW_S)

    assert (admitted.records, admitted.samples) == (3, 5)
    assert [(t.reason, t.count, t.first_index) for t in admitted.values_dropped] == [
        (Refusal.VALUE_NOT_NUMERIC, 1, 1)
    ]


def test_a_column_of_nonsense_before_a_stray_value_is_counted_once() -> None:
    """Found by the property above: a group that is taken apart was counted from its start again."""
    sent: list[Record] = [
        {"timestamp": NOW_S - i, "bad name": 1, "text": "x", "a": 1.0 if i else None}
        for i in range(3)
    ]

    admitted = admit([sent], NOW_S)

    assert {t.reason: t.count for t in admitted.values_dropped} == {
        Refusal.FIELD_NAME_INVALID: 3,
        Refusal.VALUE_NOT_NUMERIC: 4,
    }


def test_a_record_that_was_too_large_to_read_is_rejected_alone() -> None:
    """Its neighbours are stored, and its index is named across slices."""
    good: Record = {"timestamp": NOW_S, "a": 1}

    admitted = admit([[good], [None, good]], NOW_S)

    assert admitted.records == 2
    assert [(t.reason, t.first_index) for t in admitted.rejections] == [
        (Refusal.RECORD_TOO_LARGE, 1)
    ]


def test_a_record_of_129_fields_is_rejected_alone() -> None:
    """The limit counts fields, not the timestamp."""
    wide: Record = {"timestamp": NOW_S, **{f"f{i}": i for i in range(129)}}
    full: Record = {"timestamp": NOW_S, **{f"f{i}": i for i in range(128)}}

    admitted = admit([[wide, full]], NOW_S)

    assert admitted.samples == 128
    assert [t.reason for t in admitted.rejections] == [Refusal.RECORD_FIELDS_TOO_MANY]


def test_invented_field_names_end_the_request_before_they_fill_memory() -> None:
    """The slices after the 513th name are never asked for."""
    asked = []

    def slices() -> object:
        for number in range(100):
            asked.append(number)
            yield [{"timestamp": NOW_S, **{f"f{number}_{i}": i for i in range(100)}}]

    with pytest.raises(RequestRefusedError) as refused:
        admit(slices(), NOW_S)  # type: ignore[arg-type]  # a generator of slices

    assert refused.value.refusal is Refusal.FIELDS_TOO_MANY
    assert len(asked) == 6


def _triples(admitted: Admitted) -> list[tuple[int, str, float]]:
    return sorted(
        (stamp, name, value)
        for frame in admitted.frames
        for name, column in frame.columns.items()
        for stamp, value in zip(frame.timestamps_ms, column, strict=True)
    )


def _naive(sent: list[Record]) -> list[tuple[int, str, float]]:
    taken = []
    for record in sent:
        stamp = timestamp_ms(record.get("timestamp"), NOW_S)
        if isinstance(stamp, Refusal):
            continue
        for name, value in record.items():
            if name == "timestamp" or not FIELD_NAME.fullmatch(name):
                continue
            if isinstance(value, int | float) and abs(value) <= 1e300:
                taken.append((stamp, name, value * 1))
    return sorted(taken)
