"""PURE: columns that grow part by part, and the frames that they become.

In: names, and columns of records that have them. Out: `Frame`s. Guarantee: the same records give
the same frames, in whichever parts and with their fields in whichever order they came: names are
sorted, records stand as they were sent, frames by their first record. Hence the message ids, too,
are a matter of the content alone.
"""

from __future__ import annotations

from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, TypeVar

from heatpool_contract.frames import Frame
from heatpool_contract.telemetry import FIELD_CHARS_MAX, FIELD_NAME, TIMESTAMP_FIELD

if TYPE_CHECKING:
    from collections.abc import Sequence

SHAPES_CACHED_MAX: Final = 256  # of up to 15 KB; a pool has a shape a version of a logger


T = TypeVar("T")


class Pick(Protocol):
    """Some out of many, in another order."""

    def __call__(self, of: Sequence[T], /) -> Sequence[T]:
        """What is picked."""


class Plan(NamedTuple):
    """What to do with records of a shape."""

    names: tuple[str, ...]
    """Usable ones, sorted; the time is none of them."""
    pick: Pick
    """What is theirs, in that order, out of the columns or the values of the shape."""
    unusable: int
    """How many others there are."""


def plan_of(shape: tuple[str, ...]) -> Plan:
    """The plan for records with these names; what is too long is not remembered."""
    return _planned(shape) if max(map(len, shape)) <= FIELD_CHARS_MAX else _plan(shape)


def _plan(shape: tuple[str, ...]) -> Plan:
    places = {
        name: place
        for place, name in enumerate(shape)
        if name != TIMESTAMP_FIELD and len(name) <= FIELD_CHARS_MAX and FIELD_NAME.fullmatch(name)
    }
    names = tuple(sorted(places))
    at = [places[name] for name in names]
    pick: Pick = itemgetter(*at) if len(at) > 1 else lambda of: [of[place] for place in at]
    return Plan(names, pick, len(shape) - len(names) - (TIMESTAMP_FIELD in shape))


_planned = lru_cache(SHAPES_CACHED_MAX)(_plan)


class Dense:
    """The frames of a request, while they grow."""

    def __init__(self) -> None:
        self._frames: dict[tuple[str, ...], _Growing] = {}
        self._names: set[str] = set()

    def add(
        self,
        names: tuple[str, ...],
        indexes: Sequence[int],
        timestamps_ms: list[int],
        columns: list[list[float]],
    ) -> None:
        """Add records; the lists are kept."""
        found = self._frames.get(names)
        if found is None:
            self._frames[names] = _Growing(list(indexes), timestamps_ms, columns)
            self._names.update(names)
        else:
            found.extend(indexes, timestamps_ms, columns)

    @property
    def different_names(self) -> int:
        """In all frames together."""
        return len(self._names)

    def frames(self) -> list[Frame]:
        """All frames."""
        for frame in self._frames.values():
            frame.sort()
        found = sorted(self._frames.items(), key=lambda item: item[1].indexes[0])
        return [
            Frame(frame.timestamps_ms, dict(zip(names, frame.columns, strict=True)))
            for names, frame in found
        ]


class _Growing:
    def __init__(
        self, indexes: list[int], timestamps_ms: list[int], columns: list[list[float]]
    ) -> None:
        self.indexes = indexes
        self.timestamps_ms = timestamps_ms
        self.columns = columns
        self._in_order = True

    def extend(
        self, indexes: Sequence[int], timestamps_ms: list[int], columns: list[list[float]]
    ) -> None:
        self._in_order &= indexes[0] > self.indexes[-1]
        self.indexes.extend(indexes)
        self.timestamps_ms.extend(timestamps_ms)
        for whole, part in zip(self.columns, columns, strict=True):
            whole.extend(part)

    def sort(self) -> None:
        """By the records' places in the request."""
        if self._in_order:
            return
        order = sorted(range(len(self.indexes)), key=self.indexes.__getitem__)
        self.indexes = [self.indexes[place] for place in order]
        self.timestamps_ms = [self.timestamps_ms[place] for place in order]
        self.columns = [[column[place] for place in order] for column in self.columns]
