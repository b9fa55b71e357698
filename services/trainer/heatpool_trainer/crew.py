"""Hands for work that is done home by home: this process, or several.

In: a function and items. Out: its results in the order of the items. Guarantee: the results do not
depend on how many hands there are; a process whose parent is gone ends by itself.
"""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from typing import TYPE_CHECKING, Final, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import TracebackType

T = TypeVar("T")
R = TypeVar("R")
ORPHAN_S: Final = 1.0  # how often a process looks whether its parent is still there
CHUNK_MAX: Final = 8  # items a process takes at once


def silent(_stage: str, _share: float) -> None:
    """Tell nobody."""


class Crew:
    """`processes` of them; use as context manager. With 1 everything happens here."""

    def __init__(self, processes: int = 1, tell: Callable[[str, float], None] = silent) -> None:
        self.processes = processes
        self.tell = tell
        self._pool = (
            ProcessPoolExecutor(
                processes,
                mp_context=get_context("spawn"),
                initializer=_watch_parent,
                initargs=(os.getpid(),),
            )
            if processes > 1
            else None
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def each(self, stage: str, function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        """Results in order; with several processes, function and items must be picklable."""
        self.tell(stage, 0.0)
        if self._pool is None:
            yield from map(function, items)
            return
        found = list(items)
        chunk = max(1, min(CHUNK_MAX, len(found) // (4 * self.processes)))
        for number, result in enumerate(self._pool.map(function, found, chunksize=chunk), 1):
            self.tell(stage, number / len(found))
            yield result

    def beside(self, stage: str, function: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """As `each`, in threads: for compiled loops, which let go of the interpreter."""
        self.tell(stage, 0.0)
        if self.processes == 1:
            return [function(one) for one in items]
        with ThreadPoolExecutor(self.processes) as threads:
            return list(threads.map(function, items))


def _watch_parent(parent: int) -> None:
    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(ORPHAN_S)
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="watch-parent").start()
