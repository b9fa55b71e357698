"""PURE: chunks -> import lines.

In: messages of the stream. Out: JSON lines for `POST /api/v1/import`, one a series, columns of many
messages joined. Guarantee: no number is parsed, the bytes of a column are copied; a column that is
not exactly one finite number a timestamp makes its message poison instead of disappearing in the
store, which drops a bad line and still answers 204.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Final, Generic, TypeVar

import msgspec

from heatpool_contract import frames
from heatpool_contract.frames import RawChunk
from heatpool_contract.identity import is_pseudonym, is_slug
from heatpool_contract.refusals import Refusal
from heatpool_contract.registry import DAY_MS, Contribution
from heatpool_contract.telemetry import FIELD_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator

    from heatpool_contract.frames import RawFrame

LINE_SAMPLES_MAX: Final = 10_000  # VictoriaMetrics advises 1,000 to 10,000 samples a line
SERIES_PREFIX: Final = "heatpump_"
SERIES_SAMPLES: Final = "heatpump_batch_samples"
SERIES_INFO: Final = "heatpump_info"
STAMP_MS_MAX: Final = 1 << 53  # beyond, a reader that takes JSON numbers as doubles would round
_NUMBER_BYTES: Final = b"0123456789+-.eE,"
_HUGE_EXPONENT: Final = re.compile(rb"[eE]\+?[0-9]{3}")
_DIGITS_AS_0: Final = bytes.maketrans(b"123456789", b"000000000")
_HUGE_INTEGER: Final = b"0" * 300
_TOKENS: Final = 3
ROWS_ABOUT: Final = 2  # what `_about` adds to a chunk

M = TypeVar("M")
_floats = msgspec.json.Decoder(list[float])


class PoisonError(Exception):
    """The message can never be written; `reason` goes with it into the dead letters."""

    def __init__(self, reason: Refusal, model: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.model = model


class Taken(msgspec.Struct, frozen=True):
    """A chunk that may be written, and what it adds to the registry."""

    installation: str
    contribution: Contribution
    chunk: RawChunk

    @property
    def samples(self) -> int:
        """Values in the chunk."""
        return self.contribution.samples


def take(subject: str, payload: bytes, seq: int, received_ms: int = 0) -> Taken:
    """A message to a checked chunk.

    Raises:
        PoisonError: it is none, or not the one its subject promises.
    """
    tokens = subject.split(".")
    model = tokens[1] if len(tokens) == _TOKENS else "unknown"
    try:
        chunk = frames.decode_raw(payload)
    except frames.MalformedChunkError as error:
        raise PoisonError(Refusal.CHUNK_MALFORMED, model) from error
    if [chunk.model, chunk.installation] != tokens[1:] or not (
        is_slug(chunk.model) and is_pseudonym(chunk.installation)
    ):
        raise PoisonError(Refusal.CHUNK_FOREIGN, model)
    if not chunk.frames or not all(map(_sound, chunk.frames)):
        raise PoisonError(Refusal.CHUNK_MALFORMED, model)
    return Taken(
        installation=chunk.installation,
        contribution=Contribution(
            seq=seq,
            model=chunk.model,
            version=chunk.version,
            first_ms=min(min(frame.timestamps_ms) for frame in chunk.frames),
            last_ms=max(max(frame.timestamps_ms) for frame in chunk.frames),
            days=frozenset(
                stamp // DAY_MS for frame in chunk.frames for stamp in frame.timestamps_ms
            ),
            samples=chunk.samples,
            received_ms=received_ms,
        ),
        chunk=chunk,
    )


def _sound(frame: RawFrame) -> bool:
    """Whether every column holds exactly one number for each timestamp.

    The decoder has seen that a column is JSON; of the bytes that numbers are written with and one
    pair of brackets, JSON makes nothing but a flat list of numbers.
    """
    commas = len(frame.timestamps_ms) - 1
    return (
        commas >= 0
        and min(frame.timestamps_ms) >= 0
        and max(frame.timestamps_ms) <= STAMP_MS_MAX
        and bool(frame.columns)
        and all(
            FIELD_NAME.fullmatch(name) is not None
            and raw.count(b",") == commas
            and raw.translate(None, _NUMBER_BYTES) == b"[]"
            and len(raw) > len(b"[]")
            and (not _perhaps_huge(raw) or _finite(raw))
            for name, column in frame.columns.items()
            for raw in (bytes(column),)
        )
    )


def _perhaps_huge(column: bytes) -> bool:
    """Whether it may hold a number beyond a double, which the store would keep as infinity.

    Asked of every column, so nothing is searched for that one look at the bytes can rule out.
    """
    if (b"e" in column or b"E" in column) and _HUGE_EXPONENT.search(column):
        return True
    return _HUGE_INTEGER in column.translate(_DIGITS_AS_0)


def _finite(column: bytes) -> bool:
    try:
        return all(map(math.isfinite, _floats.decode(column)))
    except msgspec.DecodeError:
        return False


class _Line:
    """One series of a batch, growing."""

    def __init__(self) -> None:
        self.samples = 0
        self._values: list[bytes | memoryview] = []
        self._timestamps: list[bytes] = []

    def add(self, column: memoryview, stamps: bytes, samples: int) -> None:
        """Values and their times, both without brackets."""
        if self._values:
            self._values.append(b",")
            self._timestamps.append(b",")
        self._values.append(column)
        self._timestamps.append(stamps)
        self.samples += samples

    def rendered(self, key: tuple[str, str, str]) -> bytes:
        """The import line: the bytes of all columns are copied once, here."""
        name, installation, model = key
        head = (
            f'{{"metric":{{"__name__":"{SERIES_PREFIX}{name}","installation":"{installation}",'
            f'"model":"{model}"}},"values":['
        )
        middle = b'],"timestamps":['
        return b"".join((head.encode(), *self._values, middle, *self._timestamps, b"]}"))


class Batch(Generic[M]):
    """Messages on their way into one post. `M` is the handle that acknowledges a message."""

    def __init__(self) -> None:
        self.messages: list[tuple[M, Taken]] = []
        self.samples = 0
        self.opened_s: float | None = None

    def add(self, message: M, taken: Taken, now_s: float) -> None:
        """Put a message into the batch."""
        self.messages.append((message, taken))
        self.samples += taken.samples
        if self.opened_s is None:
            self.opened_s = now_s

    def drop_first(self) -> None:
        """Take the oldest message out again."""
        _message, taken = self.messages.pop(0)
        self.samples -= taken.samples

    def is_due(self, now_s: float, samples_max: int, age_s_max: float) -> bool:
        """Whether the batch is to be posted now."""
        if self.opened_s is None:
            return False
        return self.samples >= samples_max or now_s - self.opened_s >= age_s_max


def lines(taken: list[Taken]) -> list[bytes]:
    """Import lines of the chunks: one a series, and two small ones for each chunk."""
    series: dict[tuple[str, str, str], _Line] = {}
    done: list[bytes] = []
    for one in taken:
        chunk = one.chunk
        for frame in chunk.frames:
            stamps = msgspec.json.encode(frame.timestamps_ms)[1:-1]
            for name, column in frame.columns.items():
                key = (name, chunk.installation, chunk.model)
                line = series.get(key)
                if line is None:
                    line = series[key] = _Line()
                line.add(memoryview(column)[1:-1], stamps, len(frame.timestamps_ms))
                if line.samples >= LINE_SAMPLES_MAX:
                    done.append(series.pop(key).rendered(key))
        done.extend(_about(one))
    done.extend(line.rendered(key) for key, line in series.items())
    return done


def rows(taken: list[Taken]) -> int:
    """Samples that `lines` makes of the chunks, for the comparison with the store's own count."""
    return sum(one.samples + ROWS_ABOUT for one in taken)


def _about(one: Taken) -> Iterator[bytes]:
    """Activity of the home, and its logger's version, at the chunk's newest record."""
    labels = {"installation": one.installation, "model": one.chunk.model}
    stamps = [one.contribution.last_ms]
    yield msgspec.json.encode(
        {
            "metric": {"__name__": SERIES_SAMPLES, **labels},
            "values": [one.samples],
            "timestamps": stamps,
        }
    )
    yield msgspec.json.encode(
        {
            "metric": {"__name__": SERIES_INFO, **labels, "version": one.chunk.version},
            "values": [1],
            "timestamps": stamps,
        }
    )
