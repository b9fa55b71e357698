"""Rows to requests: nothing is lost, nothing is too large."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heatpool_client.faults import ClientError, Fault
from heatpool_client.submission import Row, Sender, body, submissions
from heatpool_contract import telemetry
from heatpool_contract.identity import InstallationId

SENDER = Sender(InstallationId("3f2b8c1e-5d4a-4b6f-8a9c-0d1e2f3a4b5c"), "AERO SLM", "1.2.3")

names = st.sampled_from([f"f{number}" for number in range(40)])
values = st.floats(allow_nan=False, allow_infinity=False) | st.booleans() | st.integers(-9, 9)
rows = st.lists(st.builds(Row, st.floats(0, 2e9), st.dictionaries(names, values, max_size=8)))


@given(rows, st.integers(1, 7), st.integers(2_000, 4_000))
def test_all_rows_arrive_in_order_within_the_limits(
    given_rows: list[Row], records_max: int, bytes_max: int
) -> None:
    """Requests, joined again, are the rows; none passes its record or byte limit."""
    made = list(submissions(given_rows, SENDER, records_max, bytes_max))
    sent = [record for one in made for record in one.data]
    assert sent == [{"timestamp": row.timestamp_s, **row.values} for row in given_rows]
    assert all(1 <= len(one.data) <= records_max for one in made)
    assert all(len(body(one, 1_795_219_200.123)) <= bytes_max for one in made)


def test_a_request_never_holds_more_records_than_the_contract_takes() -> None:
    """Whoever asks for more gets 20,000."""
    made = list(submissions((Row(i, {"a": 1}) for i in range(20_001)), SENDER, 10**9))
    assert [len(one.data) for one in made] == [20_000, 1]


def test_a_request_never_has_more_names_than_the_contract_takes() -> None:
    """Rows with ever new fields are split at 512 names."""
    new_names = (Row(i, {f"f{i}_{j}": 1.0 for j in range(100)}) for i in range(11))
    made = list(submissions(new_names, SENDER))
    for one in made:
        fields = {name for record in one.data for name in record} - {"timestamp"}
        assert len(fields) <= telemetry.FIELDS_PER_REQUEST_MAX
    assert [len(one.data) for one in made] == [5, 5, 1]


def test_requests_are_made_lazily() -> None:
    """Memory holds one request: the second group of rows is not read before it is wanted."""
    read = []

    def endless() -> object:
        number = 0
        while True:
            read.append(number)
            yield Row(number, {"a": 1.0})
            number += 1

    first = next(submissions(endless(), SENDER, 10))  # type: ignore[arg-type]  # a generator of rows
    assert len(first.data) == 10
    assert len(read) == 11


def test_a_record_above_the_byte_limit_is_an_error() -> None:
    """It could never be sent, so it is said, not skipped."""
    with pytest.raises(ClientError) as caught:
        list(submissions([Row(0, {"a" * 60: 1.5})], SENDER, bytes_max=560))
    assert caught.value.code is Fault.RECORD_TOO_LARGE


def test_a_body_is_what_the_contract_decodes() -> None:
    """The edge reads what the client writes, with the clock of sending."""
    (made,) = submissions([Row(1.5, {"on": True, "t": 3.25})], SENDER)
    read = telemetry.decode(body(made, 99.5))
    assert read == msgspec.structs.replace(made, sent_at=99.5)
    assert read.data == [{"timestamp": 1.5, "on": True, "t": 3.25}]


def test_twenty_thousand_rows_of_forty_fields_stay_below_ten_megabytes() -> None:
    """The usual proxies' limit is kept however large the batch is configured."""
    many = (Row(i, {f"field_number_{j}": i + j / 7 for j in range(40)}) for i in range(20_000))
    made = list(submissions(many, SENDER))
    assert sum(len(one.data) for one in made) == 20_000
    assert all(len(body(one, 1e9)) < 10_000_000 for one in made)
