"""Answers of the pool, kept for some minutes: a page that reloads does not ask the pool again.

In: a question and how to ask it. Out: the answer, how old it is, and why there is no newer one.
Guarantee: asked at most once in `FRESH_S`, also while the pool cannot be reached; an old answer is
better than none, and is called old.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final, Generic, TypeVar, cast

import msgspec

from heatpool_client.connection import Refused
from heatpool_client.faults import ClientError, ErrorSeen

if TYPE_CHECKING:
    from collections.abc import Callable

    from heatpool_client.clock import Clock

FRESH_S: Final = 600.0
FAILED_S: Final = 30.0  # until a failed question may be asked again
T = TypeVar("T")


class Kept(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """An answer and its age."""

    fetched_s: float | None
    """When the pool gave it; null: never."""
    problem: ErrorSeen | None
    """Why it is not newer; null: it is fresh."""
    answer: T | None


def told(error: ClientError) -> ErrorSeen:
    """The error for the page: of a refusal the pool's own code and words."""
    if not isinstance(error, Refused) or not error.problem.detail:
        return error.seen()
    said = error.problem
    return ErrorSeen(
        code=said.code, text=said.detail, text_de=said.detail_de or said.detail, exit=error.exit
    )


class Keeper:
    """Keeps the last answer to each question."""

    def __init__(self, clock: Clock) -> None:
        """Nothing is kept yet."""
        self._clock = clock
        self._lock = threading.Lock()
        self._asking: dict[str, threading.Lock] = {}
        self._kept: dict[str, tuple[float, Kept[object]]] = {}

    def ask(self, question: str, how: Callable[[], T], fresh_s: float = FRESH_S) -> Kept[T]:
        """The answer to `question`, asked anew if it is older than `fresh_s`."""
        with self._lock:
            asking = self._asking.setdefault(question, threading.Lock())
        with asking:
            asked_s, known = self._kept.get(question, (0.0, None))
            wait_s = fresh_s if known is not None and known.problem is None else FAILED_S
            now_s = self._clock.now_s()
            if known is not None and 0 <= now_s - asked_s < min(wait_s, fresh_s):
                return cast("Kept[T]", known)
            try:
                found = Kept[T](fetched_s=now_s, problem=None, answer=how())
            except ClientError as error:
                found = Kept[T](
                    fetched_s=known.fetched_s if known else None,
                    problem=told(error),
                    answer=cast("T | None", known.answer if known else None),
                )
            self._kept[question] = (now_s, cast("Kept[object]", found))
            return found

    def forget(self) -> None:
        """Ask everything anew: something was decided."""
        with self._lock:
            self._kept.clear()
