"""The cheap ways to open a request give what the general one gives."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heatpool_contract import telemetry
from heatpool_contract.frames import encode_frame
from heatpool_contract.telemetry import RECORD_BYTES_MAX
from heatpool_ingest.admission import Admitted, admit
from heatpool_ingest.grouping import Rows
from heatpool_ingest.opening import Opened, opened

if TYPE_CHECKING:
    from collections.abc import Sequence

NOW_S = 1_790_000_000.0
HEAD = {"installation_id": "x", "heatpump_model": "y", "version": "1", "sent_at": NOW_S}
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.booleans()
STAMPS = st.integers(-400, 10) | st.floats(-400, 10) | st.just("noon") | st.booleans()


def _text(records: Sequence[object]) -> bytes:
    return json.dumps({**HEAD, "data": records}).encode()


def _generally(text: bytes) -> Admitted:
    return admit(telemetry.slices(telemetry.open_envelope(text)), NOW_S)


def _content(admitted: Admitted) -> object:
    """Frames as they are encoded, where 1 is neither 1.0 nor true, and all tallies."""
    frames = [encode_frame(frame) for frame in admitted.frames]
    return frames, admitted.rejections, admitted.values_dropped, admitted.records


def _alike(found: Opened) -> bool:
    return any(isinstance(part, Rows) for part in found.slices)


@settings(max_examples=80)
@given(
    st.lists(st.sampled_from("abcd").map("field_{}".format), unique=True, max_size=4),
    st.data(),
    st.sampled_from(["small", "large"]),
)
def test_whichever_way_is_taken_the_same_is_admitted(
    names: list[str], data: st.DataObject, size: str
) -> None:
    """Numbers of all sizes, bad stamps, stray values, fields in any order: the same bytes."""
    values = NUMBERS if data.draw(st.booleans()) else NUMBERS | st.just("text") | st.none()
    record = st.fixed_dictionaries(
        {"timestamp": STAMPS.map(_stamp), **dict.fromkeys(names, values)}
    )
    shuffled = record.flatmap(lambda sent: st.permutations(list(sent.items()))).map(dict)
    records = data.draw(st.lists(shuffled, min_size=1, max_size=6))
    text = _text(records)
    if size == "large":  # by blanks, of which no stretch is as long as a record may be
        text = (b" " * (RECORD_BYTES_MAX // 2)).join([text[:1], text[1:-1], text[-1:]])

    found = opened(text)

    assert found.records_sent == len(records)
    assert found.head.sent_at == NOW_S
    assert _content(admit(found.slices, NOW_S)) == _content(_generally(text))


def test_records_of_the_same_numbers_are_decoded_without_a_dict_each() -> None:
    """Else the cheap way would not be what is tested above."""
    records = [{"timestamp": NOW_S - i, "a": i / 7, "b": i % 2 == 0} for i in range(2000)]
    text = _text(records)

    found = opened(text)

    assert _alike(found)
    assert admit(found.slices, NOW_S) == _generally(text)


RECORDS: list[dict[str, object]] = [{"timestamp": NOW_S - i, "a": i} for i in range(4000)]
NOT_ALIKE: dict[str, list[object]] = {
    "another field": [*RECORDS, {"timestamp": NOW_S, "b": 1}],
    "one more field": [*RECORDS, {"timestamp": NOW_S, "a": 1, "b": 1}],
    "a missing field": [*RECORDS, {"timestamp": NOW_S}],
    "a text": [*RECORDS, {"timestamp": NOW_S, "a": "1"}],
    "null": [*RECORDS, {"timestamp": NOW_S, "a": None}],
    "nested": [*RECORDS, {"timestamp": NOW_S, "a": {"b": 1}}],
    "a name that is none": [{"timestamp": NOW_S, "a b": 1}, *RECORDS],
}


@pytest.mark.parametrize("name", NOT_ALIKE)
def test_what_is_not_alike_goes_the_general_way(name: str) -> None:
    """One record is enough, and nothing of it is lost or bent."""
    text = _text(NOT_ALIKE[name])

    found = opened(text)

    assert not _alike(found)
    assert admit(opened(text).slices, NOW_S) == _generally(text)


@pytest.mark.parametrize("place", [0, 2000, 3999])
def test_a_record_of_numbers_that_is_too_long_is_rejected_alone(place: int) -> None:
    """Its text is what counts: a number of 70,000 digits is one too."""
    parts = [json.dumps(record) for record in RECORDS]
    parts[place] = '{"timestamp": 1.0, "a": 0.%s1}' % ("0" * 70_000)
    head = json.dumps(HEAD)[:-1]
    text = f'{head}, "data": [{",".join(parts)}]}}'.encode()

    admitted = admit(opened(text).slices, NOW_S)

    assert admitted.records == len(RECORDS) - 1
    assert [(t.reason, t.count, t.first_index) for t in admitted.rejections] == [
        ("record_too_large", 1, place)
    ]


def _stamp(value: float | str) -> float | str:
    return value if isinstance(value, str | bool) else NOW_S + value * 86_400
