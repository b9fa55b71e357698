"""`heatpool-writer verify`: count a time range out of the stream again, against the store.

In: what the stream still holds, an export of the store. Out: a report. Guarantee: reads only; what
a writer has not acknowledged yet is no error; memory holds one home at a time.
"""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING, Final

import msgspec

from heatpool_chassis import buckets, bus, reading
from heatpool_contract import subjects
from heatpool_writer.batch import SERIES_PREFIX, PoisonError, take
from heatpool_writer.contributions import read_entry

if TYPE_CHECKING:
    from nats.aio.client import Client

    from heatpool_chassis.victoria import Series, Victoria
    from heatpool_writer.batch import Taken

Stored = dict[str, dict[int, float]]
"""Series -> timestamp -> value, of one home and model."""
Sent = dict[str, dict[int, set[float]]]
"""As `Stored`; a home may have sent a timestamp again with another value."""
VALUE_RELATIVE_MAX: Final = 1e-9
"""VictoriaMetrics keeps decimals of about 15 digits; its documentation promises 12."""


class Report(msgspec.Struct, kw_only=True):
    """What was counted."""

    homes: int = 0
    erased_homes: int = 0
    """Not compared: the writer drops what they sent."""
    messages: int = 0
    unsettled_messages: int = 0
    """Not compared: not yet acknowledged by a writer."""
    dead_messages: int = 0
    """Not compared: cannot be decoded."""
    samples: int = 0
    """In these messages, of any time."""
    distinct_samples: int = 0
    """A reader's samples in the range: one for each series and timestamp."""
    missing: int = 0
    """Of these, not in the store."""
    differing: int = 0
    """Of these, in the store with a value that nobody sent."""
    stored: int = 0
    """In the store; more than `distinct_samples` if the stream no longer holds everything."""

    @property
    def sound(self) -> bool:
        """Whether the store holds everything that the stream says it should."""
        return not self.missing and not self.differing


async def verify(client: Client, store: Victoria, from_ms: int, to_ms: int) -> Report:
    """Compare samples with `from_ms <= timestamp < to_ms`."""
    js = client.jetstream(timeout=bus.CONTROL_TIMEOUT_S)
    consumer = await js.consumer_info(subjects.STREAM_TELEMETRY, subjects.DURABLE_WRITER)
    floor = consumer.ack_floor.stream_seq if consumer.ack_floor else 0
    info = await js.stream_info(subjects.STREAM_TELEMETRY, subjects_filter=">")
    bucket = buckets.bound(js, subjects.KV_INSTALLATIONS)
    erased = set()
    report = Report()
    for subject in sorted(info.state.subjects or {}):
        home = subject.rpartition(".")[2]
        entry, _revision = await read_entry(bucket, home)
        if entry is not None and entry.erased:
            erased.add(home)
            continue
        report.homes += 1
        sent = await _sent(client, subject, floor, report)
        held = await _stored(store, subject, from_ms, to_ms)
        _compare(_within(sent, from_ms, to_ms), held, report)
    report.erased_homes = len(erased)
    return report


async def _sent(client: Client, subject: str, floor: int, report: Report) -> Sent:
    sent: Sent = defaultdict(lambda: defaultdict(set))
    async for message in reading.messages(client, subjects.STREAM_TELEMETRY, subject):
        report.messages += 1
        seq = message.seq
        if seq > floor:
            report.unsettled_messages += 1
            continue
        try:
            _add(sent, take(subject, message.data, seq), report)
        except PoisonError:
            report.dead_messages += 1
    return sent


def _add(sent: Sent, taken: Taken, report: Report) -> None:
    report.samples += taken.samples
    for frame in taken.chunk.frames:
        for name, column in frame.columns.items():
            series = sent[SERIES_PREFIX + name]
            values = msgspec.json.decode(column, type=list[float])
            for stamp, value in zip(frame.timestamps_ms, values, strict=True):
                series[stamp].add(value)


def _within(sent: Sent, from_ms: int, to_ms: int) -> Sent:
    return {
        name: {stamp: values for stamp, values in stamps.items() if from_ms <= stamp < to_ms}
        for name, stamps in sent.items()
    }


async def _stored(store: Victoria, subject: str, from_ms: int, to_ms: int) -> Stored:
    _telemetry, model, home = subject.split(".")
    held: Stored = {}
    selector = f'{{installation="{home}",model="{model}"}}'
    async for series in store.export(selector, from_ms, to_ms - 1):
        held.setdefault(series.metric["__name__"], {}).update(_samples(series))
    return held


def _samples(series: Series) -> dict[int, float]:
    pairs = zip(series.timestamps, series.values, strict=True)
    return {stamp: value for stamp, value in pairs if value is not None}


def _compare(sent: Sent, held: Stored, report: Report) -> None:
    """PURE but for the report: every sample sent against what the store has."""
    for name, stamps in sent.items():
        there = held.get(name, {})
        report.distinct_samples += len(stamps)
        report.stored += len(there)
        for stamp, values in stamps.items():
            found = there.get(stamp)
            if found is None:
                report.missing += 1
            elif not any(
                math.isclose(found, value, rel_tol=VALUE_RELATIVE_MAX) for value in values
            ):
                report.differing += 1
