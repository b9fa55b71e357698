"""Chunks to import lines: the same numbers, each once; what is no number is poison."""

from __future__ import annotations

from collections import Counter

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from writer.strategies import HOMES, MODEL, chunk, payload

from heatpool_contract.frames import Frame
from heatpool_contract.refusals import Refusal
from heatpool_writer.batch import (
    LINE_SAMPLES_MAX,
    SERIES_INFO,
    SERIES_SAMPLES,
    Batch,
    PoisonError,
    lines,
    rows,
    take,
)

SUBJECT = f"telemetry.{MODEL}.{HOMES[0]}"


class Line(msgspec.Struct):
    """An import line, as the store reads it."""

    metric: dict[str, str]
    values: list[float]
    timestamps: list[int]


@given(st.lists(chunk(), max_size=5))
def test_lines_hold_exactly_the_samples_of_the_chunks(
    messages: list[tuple[str, list[Frame], bytes]],
) -> None:
    """Parsed back, the lines are the chunks' samples, each as often as it was sent."""
    sent: Counter[tuple[str, str, int, float]] = Counter()
    for subject, some, _payload in messages:
        home = subject.rpartition(".")[2]
        for one in some:
            for name, column in one.columns.items():
                for stamp, value in zip(one.timestamps_ms, column, strict=True):
                    sent[f"heatpump_{name}", home, stamp, value] += 1

    taken = [take(subject, data, seq) for seq, (subject, _some, data) in enumerate(messages)]
    parsed = [msgspec.json.decode(line, type=Line) for line in lines(taken)]

    written: Counter[tuple[str, str, int, float]] = Counter()
    for line in parsed:
        assert len(line.values) == len(line.timestamps)
        name = line.metric["__name__"]
        if name not in (SERIES_SAMPLES, SERIES_INFO):
            for stamp, value in zip(line.timestamps, line.values, strict=True):
                written[name, line.metric["installation"], stamp, value] += 1
    about = [line for line in parsed if line.metric["__name__"] == SERIES_SAMPLES]
    assert sum(sum(line.values) for line in about) == sent.total()
    assert written == sent
    assert sum(len(line.values) for line in parsed) == rows(taken)


@pytest.mark.parametrize(
    "column",
    [
        "[1]",
        "[1,2,3]",
        "[1,null]",
        '[1,"2"]',
        "[1,true]",
        "[1,[2]]",
        "[1,-Infinity]",
        "[1,1e999]",
        "[1,1E+999]",
        "[1,1" + "0" * 400 + "]",
        "[1," + "1234567890" * 40 + "]",
        "1",
        '"1,2"',
        "{}",
        "[ 1,2]",
        "[,1]",
        "[1-1,2]",
        "[1,2",
    ],
)
def test_unsound_columns_are_poison(column: str) -> None:
    """What the store would drop behind a 204, or keep as infinity, never reaches it."""
    data = _message(f'{{"timestamps_ms":[1,2],"columns":{{"power":{column}}}}}')

    with pytest.raises(PoisonError) as poison:
        take(SUBJECT, data, 1)

    assert poison.value.reason is Refusal.CHUNK_MALFORMED
    assert poison.value.model == MODEL


@pytest.mark.parametrize(
    "frame",
    [
        '{"timestamps_ms":[],"columns":{"power":[]}}',
        '{"timestamps_ms":[1],"columns":{}}',
        '{"timestamps_ms":[-1],"columns":{"power":[1]}}',
        '{"timestamps_ms":[1.5],"columns":{"power":[1]}}',
        '{"timestamps_ms":[99999999999999999],"columns":{"power":[1]}}',
        '{"timestamps_ms":[1],"columns":{"po\\"wer":[1]}}',
    ],
)
def test_unsound_frames_are_poison(frame: str) -> None:
    """Times that are none, no columns, names that would break a line."""
    with pytest.raises(PoisonError):
        take(SUBJECT, _message(frame), 1)


@pytest.mark.parametrize(
    "subject",
    [f"telemetry.other.{HOMES[0]}", f"telemetry.{MODEL}.{HOMES[1]}", "telemetry.x", "telemetry"],
)
def test_a_chunk_under_another_name_is_foreign(subject: str) -> None:
    """A message may only hold what its subject says, or erasure would miss it."""
    with pytest.raises(PoisonError) as poison:
        take(subject, payload(HOMES[0], [Frame([1], {"power": [1.0]})]), 1)

    assert poison.value.reason is Refusal.CHUNK_FOREIGN


def test_labels_that_would_break_a_line_are_foreign() -> None:
    """Even if subject and content agree."""
    home = 'x"y'
    with pytest.raises(PoisonError):
        take(f"telemetry.{MODEL}.{home}", payload(home, [Frame([1], {"a": [1.0]})]), 1)


@given(st.binary(max_size=200))
def test_any_bytes_are_taken_or_poison(data: bytes) -> None:
    """No payload ends the loop."""
    with pytest.raises(PoisonError):
        take(SUBJECT, data, 1)


def test_a_long_series_is_cut_into_lines() -> None:
    """No line grows past what the store advises by more than one chunk."""
    some = [Frame(list(range(6000)), {"power": [1.0] * 6000})]
    taken = [take(SUBJECT, payload(HOMES[0], some), seq) for seq in range(3)]

    lengths = [len(msgspec.json.decode(line, type=Line).values) for line in lines(taken)]

    assert max(lengths) < LINE_SAMPLES_MAX + 6000
    assert sum(lengths) == rows(taken) == 3 * 6002


def test_a_batch_is_due_by_samples_or_by_age() -> None:
    """Whichever comes first; an empty one never."""
    taken = take(SUBJECT, payload(HOMES[0], [Frame([1, 2], {"a": [1.0, 2.0]})]), 1)
    batch: Batch[str] = Batch()

    assert not batch.is_due(1e9, samples_max=1, age_s_max=0)
    batch.add("m", taken, now_s=10.0)

    assert not batch.is_due(10.5, samples_max=3, age_s_max=1)
    assert batch.is_due(11.0, samples_max=3, age_s_max=1)
    assert batch.is_due(10.5, samples_max=2, age_s_max=1)


def _message(frame: str) -> bytes:
    head = f'"schema":1,"installation":"{HOMES[0]}","model":"{MODEL}","version":"1"'
    return f'{{{head},"received_ms":1,"frames":[{frame}]}}'.encode()
