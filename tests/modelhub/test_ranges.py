"""Which bytes answer which headers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heatpool_modelhub.ranges import Part, Selection, Unsatisfiable, Whole, is_known, select

TAG = '"' + "a" * 64 + '"'
sizes = st.integers(1, 10_000)
numbers = st.integers(0, 20_000)


@given(numbers, numbers, sizes)
def test_closed_range_selects_what_it_says(first: int, last: int, size: int) -> None:
    """From first to last, both included, cut at the end of the file."""
    selected = select(f"bytes={first}-{last}", None, TAG, size)

    if last < first:
        assert selected == Whole()
    elif first >= size:
        assert selected == Unsatisfiable()
    else:
        data = bytes(number % 251 for number in range(size))
        assert isinstance(selected, Part)
        assert data[selected.start : selected.stop] == data[first : last + 1]


@given(numbers, sizes)
def test_open_and_suffix_ranges_meet(number: int, size: int) -> None:
    """`n-` is the rest, `-n` the last n; together they are the file."""
    rest = select(f"bytes={number}-", None, TAG, size)
    end = select(f"bytes=-{size - number}", None, TAG, size) if number < size else rest

    assert rest == end
    if number < size:
        assert rest == Part(number, size)
    else:
        assert rest == Unsatisfiable()


@given(st.text(max_size=60), st.none() | st.text(max_size=20), st.integers(0, 100))
def test_any_header_has_an_answer_inside_the_file(
    header: str, if_range: str | None, size: int
) -> None:
    """Total: whatever is sent, a slice of the file, the whole or a refusal comes out."""
    for text in (header, f"bytes={header}"):
        selected = select(text, if_range, TAG, size)
        if isinstance(selected, Part):
            assert 0 <= selected.start < selected.stop <= size


@pytest.mark.parametrize(
    ("header", "selected"),
    [
        (None, Whole()),
        ("", Whole()),
        ("bytes=-", Whole()),
        ("bytes=0-0,2-3", Whole()),
        ("bytes 0-1", Whole()),
        ("bytes=0x1-2", Whole()),
        ("bytes=+1-2", Whole()),
        ("bytes=٣-", Whole()),
        ("bytes=1-2\n", Part(1, 3)),  # servers strip white space around values
        ("BYTES=1-2", Part(1, 3)),
        ("bytes= 1-2", Part(1, 3)),
        ("bytes=" + "9" * 18 + "-", Unsatisfiable()),
        ("bytes=" + "9" * 5000 + "-", Whole()),
        ("bytes=0-" + "9" * 18, Part(0, 10)),
        ("bytes=-" + "9" * 18, Part(0, 10)),
        ("bytes=-0", Unsatisfiable()),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_spellings(header: str | None, selected: Selection) -> None:
    """RFC 9110 section 14: what is not understood is ignored."""
    assert select(header, None, TAG, 10) == selected


@pytest.mark.parametrize(
    ("if_range", "partial"),
    [
        (None, True),
        (TAG, True),
        (f"W/{TAG}", False),
        ('"other"', False),
        ("Sat, 21 Nov 2026 00:00:00 GMT", False),
    ],
)
def test_if_range_asks_for_the_strong_tag(if_range: str | None, *, partial: bool) -> None:
    """A part is only of use beside parts of the same file."""
    assert isinstance(select("bytes=0-1", if_range, TAG, 10), Part) is partial


@pytest.mark.parametrize(
    ("if_none_match", "known"),
    [
        (None, False),
        ("", False),
        ("*", True),
        (TAG, True),
        (f"W/{TAG}", True),
        (f'"x", {TAG}', True),
        (f'"x",{TAG},"y"', True),
        (TAG.strip('"'), False),
        ('"a,b"', False),
        (TAG[:-2] + '"', False),
    ],
)
def test_known_tags(if_none_match: str | None, *, known: bool) -> None:
    """Weak comparison with each tag of the list; `*` is any file."""
    assert is_known(if_none_match, TAG) is known


@given(st.text(max_size=100))
def test_any_tag_list_has_an_answer(text: str) -> None:
    """Only the tag itself, quoted, counts as known."""
    assert is_known(text, TAG) is (text.strip() == "*" or TAG in text)
