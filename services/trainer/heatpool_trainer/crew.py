"""Hands for work that is done home by home: this process, or several.

In: a function and items. Out: its results in the order of the items. Guarantee: the results do not
depend on how many hands there are; a process whose parent is gone ends by itself.
"""

from __future__ import annotations

import gc
import itertools
import os
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

T = TypeVar("T")
R = TypeVar("R")
ORPHAN_S: Final = 1.0  # how often a process looks whether its parent is still there
CHUNK_MAX: Final = 8  # items a process takes at once


def silent(_stage: str, _share: float) -> None:
    """Tell nobody."""


class Crew:
    """`processes` of them; with 1 everything happens here.

    The others are forked when a stage has items for them, and end with the stage: they have what
    this process has imported and compiled, hold no memory of their own for it, and leave what they
    took to the next stage.
    """

    def __init__(
        self,
        processes: int = 1,
        tell: Callable[[str, float], None] = silent,
        folder: Path | None = None,
    ) -> None:
        self.processes = processes
        self.tell = tell
        self.folder = folder
        """For results that are too large to be handed over, or kept in memory."""

    def each(self, stage: str, function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        """Results in order; with several processes, function and items must be picklable."""
        self.tell(stage, 0.0)
        if self.processes == 1:
            yield from map(function, items)
            return
        there = iter(items)
        # The first here, so that what is compiled for it need not be compiled by every helper.
        yield from map(function, itertools.islice(there, 1))
        found = list(there)
        if not found:
            return
        chunk = max(1, min(CHUNK_MAX, len(found) // (4 * self.processes)))
        pool = ProcessPoolExecutor(
            self.processes,
            mp_context=get_context("fork"),
            initializer=_settle,
            initargs=(os.getpid(),),
        )
        try:
            for number, result in enumerate(pool.map(function, found, chunksize=chunk), 1):
                self.tell(stage, number / len(found))
                yield result
        finally:
            pool.shutdown(cancel_futures=True)

    def beside(self, stage: str, function: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """As `each`, in threads: for compiled loops, which let go of the interpreter."""
        self.tell(stage, 0.0)
        if self.processes == 1:
            return [function(one) for one in items]
        with ThreadPoolExecutor(self.processes) as threads:
            return list(threads.map(function, items))


def _settle(parent: int) -> None:
    """In a new helper: leave alone what is shared with the parent, and end with it."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(ORPHAN_S)
        os._exit(1)

    gc.freeze()  # a collection would touch, hence copy, every object
    threading.Thread(target=watch, daemon=True, name="watch-parent").start()
