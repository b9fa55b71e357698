"""From the bytes of a request to messages: ids, chunks, and everything that is refused whole."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heatpool_contract import frames, telemetry
from heatpool_contract.refusals import Refusal
from heatpool_ingest.admission import RequestRefusedError
from heatpool_ingest.preparation import Prepared, prepare

if TYPE_CHECKING:
    from collections.abc import Sequence

NOW_S = 1_790_000_000.0
KEY = b"k" * 32
HOME = "5f0c1c1e-8f8e-4f0a-9d5e-0123456789ab"


def _body(records: Sequence[object], **members: object) -> bytes:
    return json.dumps(
        {
            "installation_id": HOME,
            "heatpump_model": "AERO SLM",
            "version": "1.0",
            "data": records,
            **members,
        }
    ).encode()


def _records(count: int, fields: int) -> list[dict[str, object]]:
    return [
        {"timestamp": NOW_S - 60 * i, **{f"field_{k}": 20 + i / 7 + k for k in range(fields)}}
        for i in range(count)
    ]


def _prepared(body: bytes, now_s: float = NOW_S) -> Prepared:
    return prepare(body, "", now_s, KEY)


@settings(max_examples=15)
@given(st.integers(1, 3000), st.integers(1, 40))
def test_chunks_stay_below_the_limit_and_hold_everything_in_order(count: int, fields: int) -> None:
    """No message is larger than allowed; together they are the request."""
    prepared = _prepared(_body(_records(count, fields)))

    chunks = [frames.decode_raw(payload) for payload in prepared.payloads]
    stamps = [s for chunk in chunks for frame in chunk.frames for s in frame.timestamps_ms]
    assert all(len(payload) <= frames.CHUNK_BYTES_MAX for payload in prepared.payloads)
    assert stamps == [round((NOW_S - 60 * i) * 1000) for i in range(count)]
    assert sum(chunk.samples for chunk in chunks) == prepared.samples == count * fields
    assert prepared.records == prepared.records_sent == count


def test_the_widest_record_fits_into_one_message() -> None:
    """128 fields of 64 characters with the longest numbers there are."""
    row = {f"{'f' * 61}{i:03}": int("9" * 299) for i in range(128)}

    prepared = _prepared(_body([{"timestamp": NOW_S, **row}] * 30))

    assert prepared.samples == 128 * 30
    assert all(len(payload) <= frames.CHUNK_BYTES_MAX for payload in prepared.payloads)


def test_the_same_content_has_the_same_id_whenever_and_however_it_is_sent() -> None:
    """Neither the time of arrival nor blanks nor unknown members make another message of it."""
    sent = _records(10, 3)
    first = _prepared(_body(sent))
    later = _prepared(json.dumps(json.loads(_body(sent, nonce=1)), indent=3).encode(), NOW_S + 30)

    assert first.message_id == later.message_id


@pytest.mark.parametrize(
    "change",
    [
        {"installation_id": "5f0c1c1e-8f8e-4f0a-9d5e-0123456789ac"},
        {"heatpump_model": "AERO SLM 2"},
        {"version": "1.1"},
        {"data": _records(9, 3)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_other_content_has_another_id(change: dict[str, object]) -> None:
    """Nothing of a different home, machine, logger or reading is taken for a repeat."""
    assert (
        _prepared(_body(_records(10, 3))).message_id
        != _prepared(_body(**{"records": _records(10, 3), **change})).message_id  # type: ignore[arg-type]  # members by name
    )


def test_the_uuid_is_in_no_message() -> None:
    """Subject, id and payload know the pseudonym alone."""
    prepared = _prepared(_body(_records(3, 2)))

    wire = msgspec.json.encode(prepared) + b"".join(prepared.payloads)
    assert HOME.encode() not in wire
    assert HOME.replace("-", "").encode() not in wire
    assert prepared.subject == f"telemetry.aero_slm.{prepared.installation}"


REFUSED: dict[str, tuple[bytes, Refusal]] = {
    "not json": (b"{", Refusal.BODY_UNREADABLE),
    "empty": (b"", Refusal.BODY_UNREADABLE),
    "nan": (_body([{"timestamp": NOW_S, "a": float("nan")}]), Refusal.BODY_UNREADABLE),
    "infinity": (_body([{"timestamp": NOW_S, "a": float("inf")}]), Refusal.BODY_UNREADABLE),
    "deep array": (b"[" * 100_000, Refusal.BODY_MISSHAPEN),
    "deep member": (
        _body([])[:-3] + b'[{"timestamp":1,"a":' + b"[" * 30_000 + b"}]}",
        Refusal.BODY_UNREADABLE,
    ),
    "deep unknown member": (b'{"x":' + b'{"x":' * 100_000, Refusal.BODY_UNREADABLE),
    "not utf-8": (_body([{"timestamp": NOW_S}]).replace(b"1.0", b"\xff"), Refusal.BODY_UNREADABLE),
    "half a surrogate": (
        _body([{"timestamp": NOW_S, "a": 1}]).replace(b'"a"', b'"\\ud800"'),
        Refusal.BODY_UNREADABLE,
    ),
    "an array": (b"[]", Refusal.BODY_MISSHAPEN),
    "no model": (
        json.dumps({"installation_id": HOME, "version": "1", "data": []}).encode(),
        Refusal.BODY_MISSHAPEN,
    ),
    "data is no list": (_body([], data={}), Refusal.BODY_MISSHAPEN),
    "a record is null": (_body([{"timestamp": NOW_S, "a": 1}, None]), Refusal.BODY_MISSHAPEN),
    "1e999": (
        _body([{"timestamp": NOW_S, "a": 1}]).replace(b'"a": 1', b'"a": 1e999'),
        Refusal.BODY_MISSHAPEN,
    ),
    "no records": (_body([]), Refusal.DATA_EMPTY),
    "20,001 records": (_body([{}] * 20_001), Refusal.RECORDS_TOO_MANY),
    "upper-case uuid": (_body([{}], installation_id=HOME.upper()), Refusal.INSTALLATION_ID_INVALID),
    "uuid in braces": (
        _body([{}], installation_id=f"{{{HOME}}}"),
        Refusal.INSTALLATION_ID_INVALID,
    ),
    "uuid and newline": (_body([{}], installation_id=HOME + "\n"), Refusal.INSTALLATION_ID_INVALID),
    "uuid of version 1": (
        _body([{}], installation_id="5f0c1c1e-8f8e-1f0a-9d5e-0123456789ab"),
        Refusal.INSTALLATION_ID_INVALID,
    ),
    "nil uuid": (
        _body([{}], installation_id="00000000-0000-0000-0000-000000000000"),
        Refusal.INSTALLATION_ID_INVALID,
    ),
    "line break in model": (_body([{}], heatpump_model="AERO\nSLM"), Refusal.MODEL_INVALID),
    "wildcard as model": (_body([{}], heatpump_model=">"), Refusal.MODEL_INVALID),
    "comma in model": (_body([{}], heatpump_model="a,b"), Refusal.MODEL_INVALID),
    "model of dots": (_body([{}], heatpump_model="..."), Refusal.MODEL_INVALID),
    "line break in version": (_body([{}], version="1.0\nx"), Refusal.VERSION_INVALID),
    "comma in version": (_body([{}], version="1,0"), Refusal.VERSION_INVALID),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_as_a_whole(name: str) -> None:
    """One fault each, and its one code."""
    body, expected = REFUSED[name]

    with pytest.raises(RequestRefusedError) as refused:
        _prepared(body)

    assert refused.value.refusal is expected


def test_a_misshapen_record_is_named_by_its_index() -> None:
    """Whoever writes a logger finds the place, also behind the first slice."""
    text = "x" * 50_000
    sent = [{"timestamp": NOW_S, "a": 1, "note": text}] * 30 + [7]

    with pytest.raises(RequestRefusedError) as refused:
        _prepared(_body(sent))

    assert refused.value.detail is not None
    assert "$.data[30]" in refused.value.detail


def test_a_record_of_70_kib_is_rejected_and_the_others_stored() -> None:
    """Memory is bounded by the record, not by the request."""
    large = {"timestamp": NOW_S, "note": "x" * 70_000}

    prepared = _prepared(_body([*_records(20, 2), large]))

    assert prepared.records == 20
    assert [(t.reason, t.first_index) for t in prepared.rejections] == [
        (Refusal.RECORD_TOO_LARGE, 20)
    ]


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=12,
    )
)
def test_no_json_value_raises_anything_but_a_refusal(value: object) -> None:
    """Fuzz of the shape, at every place where a value may stand."""
    bodies = [json.dumps(value).encode(), _body([value]), _body([], data=value)]
    bodies.append(_body([{"timestamp": NOW_S, "a": value}], version=value))
    for body in bodies:
        try:
            _prepared(body)
        except RequestRefusedError as refused:
            assert refused.refusal in Refusal  # noqa: PT017 - success is fine too


@given(st.binary(max_size=200), st.integers(0, 120))
def test_no_bytes_raise_anything_but_a_refusal(noise: bytes, at: int) -> None:
    """Fuzz of the text: noise inside a good body."""
    good = _body(_records(2, 2))
    try:
        _prepared(good[:at] + noise + good[at + len(noise) // 2 :])
    except RequestRefusedError as refused:
        assert refused.refusal in Refusal  # noqa: PT017 - success is fine too


def test_slices_are_bounded_and_complete() -> None:
    """No slice holds more bytes than it may; all records come through, in order."""
    sent = [{"timestamp": NOW_S - i, "a": i, "note": "x" * 900} for i in range(3000)]
    envelope = telemetry.open_envelope(_body(sent))

    found = list(telemetry.slices(envelope))

    assert [record for part in found for record in part] == sent
    assert len(found) > 4
