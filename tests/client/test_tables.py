"""Anybody's table to rows: what is read, what is counted, what is an error."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from heatpool_client.columns import Wish
from heatpool_client.faults import ClientError, Fault
from heatpool_client.records import JSON_BYTES_MAX, LINE_CHARS_MAX, sniff
from heatpool_client.submission import Row
from heatpool_client.tables import Ledger, Plan, Table
from heatpool_client.times import TimeFormat

if TYPE_CHECKING:
    from pathlib import Path


def table(tmp_path: Path, content: str | bytes, name: str = "a.csv", /, **plan: object) -> Table:
    """A file of this content."""
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return Table(path, msgspec.convert(plan, Plan))


def fault(table: Table) -> ClientError:
    """The error that reading ends in."""
    with pytest.raises(ClientError) as caught:
        list(table.rows())
    return caught.value


def test_a_plain_table_is_read(tmp_path: Path) -> None:
    """Numbers, states and gaps."""
    read = table(tmp_path, "time,temp flow,pump\n0,21.5,on\n60,,off\n")
    assert list(read.rows()) == [
        Row(0.0, {"temp_flow": 21.5, "pump": True}, 1),
        Row(60.0, {"pump": False}, 2),
    ]
    assert read.ledger == Ledger(rows_read=2, rows_taken=2, values_taken=3, values_empty=1)


@pytest.mark.parametrize(
    ("content", "options"),
    [
        ("time;a\n0;1,5\n", {"decimal": ","}),
        ("time\ta\r\n0\t1.5\r\n", {}),
        ("time|a\n0|1.5\n", {}),
        ("\n\ntime,a,\n0,1.5,\n", {}),
        ("\ufefftime,a\n0,1.5", {}),
        ('"time","a"\n"0","1.5"\n', {}),
        ("time:a\n0:1.5\n", {"delimiter": ":"}),
        ("time, a \n 0 , 1.5 \n", {}),
    ],
)
def test_dialects_mean_the_same(tmp_path: Path, content: str, options: dict[str, object]) -> None:
    """Delimiters are guessed; marks, quotes, blanks and trailing commas do not matter."""
    assert list(table(tmp_path, content, **options).rows()) == [Row(0.0, {"a": 1.5}, 1)]


def test_other_encodings_are_read_when_named(tmp_path: Path) -> None:
    """UTF-16 and Latin-1, and the error for a wrong one says what to try."""
    text = "time,größe\n0,1.5\n"
    for encoding in ("utf-16", "latin-1"):
        read = table(tmp_path, text.encode(encoding), encoding=encoding)
        assert list(read.rows()) == [Row(0.0, {"groesse": 1.5}, 1)]
    assert fault(table(tmp_path, text.encode("latin-1"))).code is Fault.FILE_NOT_TEXT
    assert fault(table(tmp_path, text, encoding="klingon")).code is Fault.FILE_NOT_TEXT


def test_where_skip_and_limit_choose_rows(tmp_path: Path) -> None:
    """Skip counts rows of the file, limit rows that are used; 0.0 equals 0."""
    lines = "".join(f"{i},{i % 2}.0,{i}\n" for i in range(10))
    plan = {"where": [["anomaly", "0"]], "skip": 3, "limit": 2}
    read = table(tmp_path, "time,anomaly,a\n" + lines, **plan)
    assert [(row.timestamp_s, row.number) for row in read.rows()] == [(4.0, 5), (6.0, 7)]
    assert (read.ledger.rows_skipped, read.ledger.rows_filtered) == (3, 2)
    assert read.ledger.rows_read == 7


def test_broken_things_are_counted_with_the_first_place(tmp_path: Path) -> None:
    """Nothing is dropped uncounted, and the good values of a row are kept."""
    content = "time,a,b\n0,1,x\n1,2\nnever,1,1\n3,,\n4,1e999,1_000\n5,5,6\n"
    read = table(tmp_path, content)
    assert [row.values for row in read.rows()] == [{"a": 1.0}, {"a": 5.0, "b": 6.0}]
    ledger = read.ledger
    assert ledger.rows_misshapen == 1
    assert ledger.rows_without_time == 1
    assert ledger.rows_without_values == 2
    assert (ledger.values_broken, ledger.values_empty, ledger.values_taken) == (3, 2, 3)
    assert ledger.first_problem is not None
    assert (ledger.first_problem.line, ledger.first_problem.cell) == (2, "b=x")


def test_strict_stops_at_the_first_of_them(tmp_path: Path) -> None:
    """With file, line and cell, in both languages."""
    error = fault(table(tmp_path, "time,a\n0,1\n1,x\n", strict=True))
    assert error.text("en") == "a.csv, line 3: not a number ('a=x')"
    assert error.text("de") == "a.csv, Zeile 3: keine Zahl ('a=x')"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("", Fault.FILE_EMPTY),
        ("\n \n", Fault.FILE_EMPTY),
        ("time,a\n", Fault.FILE_EMPTY),
        ("time\n0\n", Fault.FILE_MALFORMED),
        ("time,a\n0,x\n", Fault.NO_ROW_USABLE),
        ("time,a\nx,1\n", Fault.NO_ROW_USABLE),
        ("when,a\n0,1\n", Fault.TIME_COLUMN_MISSING),
        ("time,a,a\n0,1,2\n", Fault.COLUMN_TWICE),
        ("time,a b,a-b\n0,1,2\n", Fault.FIELD_CLASH),
        ('time,a\n0,"' + "x\n" * 100_000, Fault.FILE_MALFORMED),
        ("time,a\n0," + "1" * (LINE_CHARS_MAX + 1), Fault.FILE_MALFORMED),
        (b"time,a\n0,\xff\n", Fault.FILE_NOT_TEXT),
    ],
    ids=lambda value: value if isinstance(value, Fault) else str(value[:12]),
)
def test_useless_files_are_named_errors(tmp_path: Path, content: str | bytes, code: Fault) -> None:
    """Exit status 5, and the code says which mistake it is."""
    error = fault(table(tmp_path, content))
    assert error.code is code
    assert error.exit == 5


def test_a_filter_that_leaves_nothing_says_so(tmp_path: Path) -> None:
    """It is the likeliest reason, so it is the text."""
    error = fault(table(tmp_path, "time,a,b\n0,1,2\n", where=[["b", "3"]]))
    assert error.code is Fault.NO_ROW_USABLE
    assert "--where" in error.text("en")
    assert fault(table(tmp_path, "time,a\n0,1\n", where=[["b", "3"]])).code is Fault.COLUMN_MISSING
    assert "--skip" in fault(table(tmp_path, "time,a\n0,1\n", skip=5)).text("de")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jsonl", '{"timestamp":0,"a":1.5,"s":"x","n":null,"l":[1]}\n\n{"timestamp":1,"b":true}'),
        ("a.json", '[{"timestamp":0,"a":1.5,"s":"x","n":null,"l":[1]},{"timestamp":1,"b":true}]'),
        (
            "a.json",
            '{"id":"?","data":[{"timestamp":0,"a":1.5,"s":"x","n":null,"l":{}},{"timestamp":1,"b":true}]}',
        ),
    ],
)
def test_json_is_read_whatever_its_form(tmp_path: Path, name: str, content: str) -> None:
    """Lines, a list, a deployed logger's submission; fields may come and go."""
    read = table(tmp_path, content, name)
    assert list(read.rows()) == [Row(0.0, {"a": 1.5}, 1), Row(1.0, {"b": True}, 2)]
    assert (read.ledger.values_broken, read.ledger.values_empty) == (2, 1)


def test_lines_that_are_no_json_are_counted(tmp_path: Path) -> None:
    """Python writes NaN into JSON, power cuts write half lines."""
    content = '{"timestamp":0,"a":NaN}\n{"timestamp":1,"a":2}\n[1]\n{"timestamp":3,"a'
    read = table(tmp_path, content, "a.jsonl")
    assert [row.timestamp_s for row in read.rows()] == [1.0]
    assert read.ledger.rows_misshapen == 3


@pytest.mark.parametrize("content", ["{", "3", '{"data":3}', "[3]", "[" * 100_000, '"\xff"'])
def test_json_that_is_none_is_an_error(tmp_path: Path, content: str) -> None:
    """The whole file is one document."""
    assert fault(table(tmp_path, content, "a.json")).code is Fault.FILE_MALFORMED


def test_json_above_the_limit_is_an_error(tmp_path: Path) -> None:
    """It would have to be held in memory."""
    read = table(tmp_path, "", "a.json")
    with read.path.open("r+b") as file:
        file.truncate(JSON_BYTES_MAX + 1)
    assert fault(read).code is Fault.FILE_TOO_LARGE


def test_missing_files_and_folders_are_errors(tmp_path: Path) -> None:
    """With the system's reason."""
    assert fault(Table(tmp_path / "none.csv", Plan())).code is Fault.FILE_UNREADABLE
    folder = tmp_path / "folder.csv"
    folder.mkdir()
    assert fault(Table(folder, Plan())).code is Fault.FILE_UNREADABLE
    with pytest.raises(ClientError) as caught:
        Table(tmp_path / "a.xlsx", Plan())
    assert caught.value.code is Fault.FORMAT_UNKNOWN


def test_a_table_can_be_read_twice(tmp_path: Path) -> None:
    """As `--shift now` does: once for the last time, once for the rows."""
    read = table(tmp_path, "time,a,\n5,1,\n9,2,\n7,3,\n")
    assert read.last_s() == 9.0
    assert [row.timestamp_s for row in read.rows()] == [5.0, 9.0, 7.0]
    assert (read.ledger.rows_read, read.ledger.columns_unnamed) == (3, 1)


def test_large_files_are_streamed(tmp_path: Path) -> None:
    """The first row is there long before the file has been read."""
    read = table(tmp_path, "time,a\n" + "1,2\n" * 500_000)
    rows = read.rows()
    next(rows)
    assert read.position_bytes < 100_000 < (read.size_bytes or 0)
    rows.close()  # type: ignore[attr-defined]  # rows() is a generator


cells_of_numbers = st.floats(
    allow_nan=False, allow_infinity=False, max_value=1e300, min_value=-1e300
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(
    st.lists(st.tuples(st.integers(0, 2**31), cells_of_numbers, st.none() | cells_of_numbers)),
    st.sampled_from([",", ";", "\t", "|"]),
)
def test_written_numbers_are_read_exactly(
    tmp_path: Path, written: list[tuple[int, float, float | None]], delimiter: str
) -> None:
    """Whatever Python's csv writes comes back to the last bit, gaps as gaps."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter)
    writer.writerow(["time", "a", "b"])
    writer.writerows(written)
    read = table(tmp_path, text.getvalue())
    if not written:
        assert fault(read).code is Fault.FILE_EMPTY
        return
    assert [(row.timestamp_s, row.values.get("a"), row.values.get("b")) for row in read.rows()] == [
        (float(time), a, b) for time, a, b in written
    ]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(st.binary(max_size=200), st.sampled_from(["a.csv", "a.json", "a.jsonl"]))
def test_no_file_is_an_unknown_error(tmp_path: Path, content: bytes, name: str) -> None:
    """Random bytes are rows or a ClientError, and the ledger adds up."""
    read = table(tmp_path, b"time,a\n" + content if name == "a.csv" else content, name)
    rows = []
    try:
        rows = list(read.rows())
    except ClientError as error:
        assert error.exit == 5  # noqa: PT017 - the ledger is looked at in both cases
    ledger = read.ledger
    parts = (
        ledger.rows_skipped,
        ledger.rows_filtered,
        ledger.rows_misshapen,
        ledger.rows_without_time,
        ledger.rows_without_values,
        ledger.rows_taken,
    )
    if rows:
        assert sum(parts) == ledger.rows_read
        assert len(rows) == ledger.rows_taken


def test_the_delimiter_is_the_one_that_splits_most() -> None:
    """Commas inside of quotes do not count."""
    assert sniff('a;b;"c, d, e, f"') == ";"


def test_skab_and_lbnl_are_read(recordings: Path) -> None:
    """Real recordings: separator `;` and American dates."""
    skab = Table(
        recordings / "skab" / "valve1" / "0.csv",
        Plan(
            wish=Wish(
                drop=frozenset({"anomaly", "changepoint"}),
                fields={"Volume Flow RateRMS": "volume_flow"},
            ),
            where=(("anomaly", "0"),),
        ),
    )
    rows = list(skab.rows())
    assert skab.ledger.rows_read == 1147
    assert len(rows) + skab.ledger.rows_filtered == 1147
    assert rows[0].timestamp_s == 1_583_748_873.0  # 2020-03-09 10:14:33 UTC
    assert rows[0].values["volume_flow"] == 32.0
    assert len(rows[0].values) == 8
    lbnl = Table(
        recordings / "lbnl" / "SZCAV.csv",
        Plan(time=TimeFormat(pattern="%m/%d/%Y %H:%M", timezone="America/Los_Angeles")),
    )
    assert sum(1 for _ in lbnl.rows()) == 21_600
    assert lbnl.ledger.values_broken == 90  # cells that say #VALUE!
