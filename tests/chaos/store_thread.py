"""The failing store of `simulators.faulty_store` in a thread, for tests that are not asyncio."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Self

from simulators.faulty_store import FaultyStore

if TYPE_CHECKING:
    from simulators.faulty_store import Mode


class StoreInFront:
    """Stands before a store; use as context manager."""

    def __init__(self, target: str) -> None:
        self._store = FaultyStore(target)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._store.__aenter__(), self._loop).result(10)
        return self

    def __exit__(self, *_error: object) -> None:
        asyncio.run_coroutine_threadsafe(self._store.__aexit__(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def url(self) -> str:
        """Where it listens."""
        return self._store.url

    def set_mode(self, mode: Mode) -> None:
        """Fail imports in this way from now on."""
        self._store.mode = mode

    def shift_start(self, seconds: int) -> None:
        """Show another start time than the store's."""
        self._store.shift_start_s = seconds
