"""The homes of a training, out of the store into files, several at a time.

In: homes that may be trained on. Out: one file a home, and how much is in it. Guarantee: a process
holds one home in memory; a home without readings leaves no file.
"""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from heatpool_chassis.victoria import StoreError, Victoria, VictoriaUrls
from heatpool_trainer import export, spool
from heatpool_trainer.day_store import DayStore
from heatpool_trainer.export import Window

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from heatpool_trainer.crew import Crew

HOMES_AT_ONCE: Final = 8  # of one process, one after the other: a connection is not made for each


class Errand(msgspec.Struct, frozen=True, kw_only=True):
    """Where the readings are, and where they go."""

    model: str
    window: Window
    victoria_read_url: str
    folder: str
    days: str | None = None
    """Folder of the day store, if there is one."""


class Gathered(msgspec.Struct, frozen=True):
    """One home."""

    stored: spool.StoredHome | None
    samples: int
    """Values that are not missing."""
    days_kept: int = 0
    """Taken from the day store."""
    days_exported: int = 0


class StoreFailedError(Exception):
    """The store did not give what it has; another time it may."""


def gather(errand: Errand, homes: Sequence[str], crew: Crew) -> Iterator[Gathered]:
    """All homes, in their order.

    Raises:
        StoreFailedError: one of them could not be read.
    """
    groups = [tuple(homes[i : i + HOMES_AT_ONCE]) for i in range(0, len(homes), HOMES_AT_ONCE)]
    for group in crew.each("export", partial(_fetch, errand), groups):
        yield from group


def _fetch(errand: Errand, homes: tuple[str, ...]) -> list[Gathered]:
    try:
        return asyncio.run(_fetched(errand, homes))
    except StoreError as error:
        raise StoreFailedError(type(error).__name__) from error


async def _fetched(errand: Errand, homes: tuple[str, ...]) -> list[Gathered]:
    kept = DayStore(Path(errand.days)) if errand.days else None
    url, found = errand.victoria_read_url, []
    async with Victoria(VictoriaUrls(url, url, url)) as store:
        for home in homes:
            got = await export.readings(store, errand.model, home, errand.window, kept)
            values = sum(int(np.isfinite(column).sum()) for column in got.series.columns.values())
            written = spool.store(got.series, Path(errand.folder)) if values else None
            found.append(Gathered(written, values, got.days_kept, got.days_exported))
    return found
