"""Names under `/api/` to cards.

In: a name, parameters. Out: a card, or the export as it comes. Guarantee: reads only; the pool is
asked through `Keeper`, the detector is opened at most once a minute.
"""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, Final, cast

from heatpool_client import community
from heatpool_client.faults import ClientError
from heatpool_client.history import History
from heatpool_client.web import cards, own
from heatpool_client.web.guard import Denied
from heatpool_client.web.kept import Keeper, Kept
from heatpool_client.web.shapes import ComparisonCard
from heatpool_contract.community import WINDOW_DAYS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import msgspec

    from heatpool_client.faults import Language
    from heatpool_client.models import Active
    from heatpool_client.pool import Pool
    from heatpool_contract.answers import AveragesAnswer
    from heatpool_contract.community import Window
    from heatpool_contract.detector import Detector

DAYS: Final = (1, 7, 30)
OPENED_S: Final = 60.0  # verifying a detector takes a tenth of a second on a small machine
PIECES_MAX: Final = 16  # of an export, between the pool and a slow reader
NAME_CHARS_MAX: Final = 64


class Unknown(Exception):  # noqa: N818 - a state of the world
    """No such page."""


class Reader:
    """Answers what is asked of one installation."""

    def __init__(self, pool: Pool) -> None:
        """Open nothing yet."""
        self._pool = pool
        self._keeper = Keeper(pool.clock)
        self.history = History(pool.home.history, pool.clock)

    def forget(self) -> None:
        """Something was decided: ask anew."""
        self._keeper.forget()

    def card(
        self, name: str, given: Mapping[str, str], language: Language
    ) -> msgspec.Struct | Iterator[bytes]:
        """The card of this name.

        Raises:
            Unknown: there is none.
            Denied: a parameter is not one of those that are offered.
            ClientError: the disk, the detector; the pool for `export`.
        """
        pool, now_s = self._pool, self._pool.clock.now_s()
        days = _days(given)
        window = _window(given)
        makers: dict[str, Callable[[], msgspec.Struct | Iterator[bytes]]] = {
            "status": lambda: cards.status_card(pool, self._opened()),
            "consent": lambda: cards.consent_card(pool, language),
            "preview": lambda: cards.preview_card(pool),
            "pool": lambda: self._keeper.ask("pool", lambda: cards.pool_seen(pool)),
            "ranking": lambda: self._keeper.ask(
                f"ranking {window}", lambda: community.ranking(pool, window)
            ),
            "scores": lambda: own.scores_card(self.history, self._detector(), now_s, days),
            "alarms": lambda: own.alarms_card(self.history, now_s, days),
            "cop": lambda: own.cop_card(self.history, self._detector(), now_s, days),
            "curve": lambda: own.curve_card(
                self.history, self._detector(), _feature(given), (now_s, days)
            ),
            "comparison": lambda: self._comparison(window, now_s),
            "export": lambda: exported(pool),
        }
        if name not in makers:
            raise Unknown
        return makers[name]()

    def _comparison(self, window: Window, now_s: float) -> ComparisonCard:
        kept: Kept[AveragesAnswer] = self._keeper.ask(
            f"averages {window}", lambda: community.averages(self._pool, window)
        )
        answer = kept.answer
        return ComparisonCard(
            window=window,
            fetched_s=kept.fetched_s,
            problem=kept.problem,
            suppressed=list(answer.suppressed) if answer else [],
            metrics=own.compared(self.history, answer, now_s, window),
        )

    def _opened(self) -> Active[Detector] | None:
        kept = self._keeper.ask("opened", self._pool.active, OPENED_S)
        return kept.answer if kept.problem is None else None

    def _detector(self) -> Detector | None:
        active = self._opened()
        return None if active is None else active.detector


class _Pieces:
    """A sink that hands pieces over to a reader in another thread."""

    def __init__(self) -> None:
        self.waiting: queue.Queue[bytes | ClientError | None] = queue.Queue(PIECES_MAX)
        self.gone = threading.Event()

    def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """The head has come: an empty piece tells the reader so."""
        del status, headers
        self.put(b"")

    def take(self, chunk: bytes) -> None:
        """A piece has come."""
        self.put(chunk)

    def put(self, piece: bytes | ClientError | None) -> None:
        """Wait for the reader, unless it is gone."""
        while not self.gone.is_set():
            try:
                self.waiting.put(piece, timeout=1.0)
            except queue.Full:
                continue
            return


def exported(pool: Pool) -> Iterator[bytes]:
    """Everything that the pool stores of this home, as it comes; the first piece has come.

    Raises:
        ClientError: as `community.export`; also in the middle, which ends the download short.
    """
    pieces = _Pieces()

    def fetch() -> None:
        try:
            community.export(pool, pieces)
        except ClientError as error:
            pieces.put(error)
        else:
            pieces.put(None)

    threading.Thread(target=fetch, name="heatpool-export", daemon=True).start()
    first = pieces.waiting.get()
    if isinstance(first, ClientError):
        raise first
    return _rest(pieces)


def _rest(pieces: _Pieces) -> Iterator[bytes]:
    try:
        while (piece := pieces.waiting.get()) is not None:
            if isinstance(piece, ClientError):
                raise piece
            yield piece
    finally:
        pieces.gone.set()


def _days(given: Mapping[str, str]) -> int:
    text = given.get("days", "7")
    if text not in {str(one) for one in DAYS}:
        raise Denied(400, "deny.parameter")
    return int(text)


def _window(given: Mapping[str, str]) -> Window:
    text = given.get("window", "7d")
    if text not in WINDOW_DAYS:
        raise Denied(400, "deny.parameter")
    return cast("Window", text)


def _feature(given: Mapping[str, str]) -> tuple[str, str | None]:
    name, mode = given.get("feature", ""), given.get("mode")
    for one in (name, mode or "any"):
        if not (one.isidentifier() and len(one) <= NAME_CHARS_MAX):
            raise Denied(400, "deny.parameter")
    return name, mode
