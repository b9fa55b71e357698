"""What a logger adds: `Telemetry().record(reading)`. Everything else happens behind it.

In: readings, one mapping at a time, from any thread. Out: stored submissions, now and then.
Guarantee: `record` returns when the reading is on disk; it never waits for the network and never
raises; nothing is kept or sent without consent; whatever is left out is counted. While the disk
does not take readings, the newest 10,000 are kept in memory.

    telemetry = Telemetry()
    telemetry.record({"temp_flow": 35.1, "power": 1210})
    telemetry.close()
"""

from __future__ import annotations

import logging
import os
import threading
from collections import Counter, deque
from functools import cached_property
from typing import TYPE_CHECKING, Final

import msgspec

from heatpool_client import config as configuration
from heatpool_client.clock import SYSTEM, Clock
from heatpool_client.consent_watch import ConsentWatch
from heatpool_client.courier import BACKOFF_S_FIRST, SKEW_S_MAX, Round, read_notes, send_waiting
from heatpool_client.faults import ClientError, Exit
from heatpool_client.history import History, community_values
from heatpool_client.home import find_home
from heatpool_client.intake import CLOCK_WENT_BACK, Intake
from heatpool_client.pool import Pool
from heatpool_client.updating import update_if_due
from heatpool_client.version import BUILT_S

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from heatpool_client.config import Config

PENDING_MAX: Final = 10_000  # readings in memory while the disk is full: a week of minutes, 10 MB
FIRST_S: Final = 30.0  # after the start, and up to ten times that: loggers that restart send, too
CLOSE_S_MAX: Final = 10.0
NO_CONSENT: Final = "no_consent"
DROPPED_MEMORY: Final = "dropped_memory"
BUG: Final = "bug"

_log = logging.getLogger("heatpool")


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """How it goes, for the logger's own display."""

    collecting: bool
    problem: str | None
    """Code; None if all is well."""
    problem_text: str
    pending: int
    """Readings in memory that the disk did not take."""
    counts: dict[str, int]
    """Of this process, not yet in the spool's."""


class Telemetry:
    """One installation's readings. Make one, keep it, close it."""

    def __init__(
        self,
        config: Config | None = None,
        *,
        home: Path | None = None,
        environ: Mapping[str, str] | None = None,
        clock: Clock = SYSTEM,
        background: bool = True,
    ) -> None:
        """Start the background sender.

        Never raises for a missing or bad setup: then nothing is kept, and `health` says why.

        Args:
            config: instead of the one in `home`.
            home: state folder; by default where `heatpool init` put it.
            environ: instead of the process's environment.
            clock: time and chance.
            background: send by itself; else only `flush` sends.
        """
        self._environ = os.environ if environ is None else environ
        self._home = find_home(home, self._environ)
        self._clock = clock
        self._given = config
        self._lock = threading.RLock()
        self._pending: deque[tuple[int, bytes]] = deque(maxlen=PENDING_MAX)
        self._counts: Counter[str] = Counter()
        self._last_ms = 0
        self._problem: ClientError | None = None
        self._watch = ConsentWatch(self._home, self._environ)
        self._history = History(self._home.history, clock)
        self._stop = threading.Event()
        self._sending = threading.Lock()
        self._thread: threading.Thread | None = None
        if background:
            self._thread = threading.Thread(target=self._run, name="heatpool", daemon=True)
            self._thread.start()

    def record(self, reading: Mapping[str, object]) -> bool:
        """Keep a reading; whether it was kept.

        Args:
            reading: field -> number or bool; `timestamp` in seconds since 1970, else now.
        """
        try:
            return self._record(reading)
        except Exception:  # noqa: BLE001 - the logger's work is more important than any bug of ours
            _log.exception("a reading could not be kept")
            self._counts[BUG] += 1
            return False

    def flush(self) -> Round | None:
        """Send what waits, now, in this thread; None if that was not possible, see `health`."""
        with self._sending:
            return self._send(at_once=True)

    def health(self) -> Health:
        """How it goes."""
        problem = self._watch.refusal() or self._problem
        notes = read_notes(self._home)
        return Health(
            collecting=self._watch.refusal() is None,
            problem=notes.problem if problem is None else str(problem.code),
            problem_text=notes.problem_text if problem is None else str(problem),
            pending=len(self._pending),
            counts=dict(self._counts),
        )

    def close(self, timeout_s: float = CLOSE_S_MAX) -> None:
        """Send once more, for at most `timeout_s`; what is not sent waits on disk."""
        self._stop.set()
        last = threading.Thread(target=self._finish, name="heatpool-close", daemon=True)
        last.start()
        last.join(timeout_s)

    def __enter__(self) -> Self:
        """Use as a context manager."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()

    @cached_property
    def _pool(self) -> Pool:
        config = self._given or configuration.load(self._home, self._environ)
        return Pool(self._home, config, self._environ, self._clock)

    @cached_property
    def _intake(self) -> Intake:
        return Intake(self._pool.config)

    def _record(self, reading: Mapping[str, object]) -> bool:
        with self._lock:
            refusal = self._watch.refusal()
            if refusal is not None:
                self._say(refusal)
                self._pending.clear()
                self._counts[NO_CONSENT] += 1
                return False
            try:
                taken = self._intake.take(reading, self._clock.now_s(), BUILT_S)
                self._counts.update(taken.reasons)
                if not taken.values:
                    return False
                if taken.timestamp_ms < self._last_ms:
                    self._counts[CLOCK_WENT_BACK] += 1
                self._last_ms = taken.timestamp_ms
                if len(self._pending) == PENDING_MAX:
                    self._counts[DROPPED_MEMORY] += 1
                self._pending.append((taken.timestamp_ms, taken.record))
                self._history.measured(taken.timestamp_ms / 1000, community_values(taken.values))
                return self._write_down()
            except ClientError as error:
                self._say(error)
                return False

    def _write_down(self) -> bool:
        """Pending readings and counts to the spool, in one durable step."""
        self._pool.spool.append(self._pending, self._counts)
        self._pending.clear()
        self._counts.clear()
        if self._problem is not None and self._problem.exit is Exit.SETUP:
            self._problem = None
        return True

    def _finish(self) -> None:
        with self._sending:
            self._send(at_once=True)
            self._history.flush()
            if "_pool" in self.__dict__:
                self._pool.close()

    def _run(self) -> None:
        wait_s = FIRST_S * (1 + 9 * self._clock.chance())
        while not self._stop.wait(wait_s):
            with self._sending:
                try:
                    done = self._send(at_once=False)
                    self._tell_of_consent()
                    self._update()
                except Exception:  # noqa: BLE001 - a dead thread would keep readings for ever
                    _log.exception("sending failed")
                    done = None
            wait_s = max(done.wait_s, 1.0) if done else BACKOFF_S_FIRST * 10

    def _send(self, *, at_once: bool) -> Round | None:
        try:
            if not self._may_send():
                return None
            with self._lock:
                if self._pending or self._counts:
                    self._write_down()
            done = send_waiting(self._pool, at_once=at_once)
        except ClientError as error:
            self._say(error)
            return None
        notes = read_notes(self._home)
        if notes.problem is not None:
            _log.warning("%s: %s", notes.problem, notes.problem_text)
        elif self._problem is not None:
            self._problem = None
            _log.info("sending works again")
        for what, counts in (("record", done.rejected), ("value", done.values_dropped)):
            for reason, count in counts.items():
                _log.warning("the pool left out %d %ss: %s", count, what, reason)
        if notes.clock_skew_s is not None and abs(notes.clock_skew_s) > SKEW_S_MAX:
            _log.warning("this clock is off by %.0f s", notes.clock_skew_s)
        return done

    def _update(self) -> None:
        if self._watch.refusal() is not None or not self._pool.config.updates:
            return
        try:
            news = update_if_due(self._pool)
        except ClientError as error:
            _log.warning("no update: %s: %s", error.code, error)
            return
        if news is not None and news.became_eligible:
            _log.info("this home has become eligible for the pool's detector")
        if news is not None and news.activated:
            _log.info("detector %s is active", news.watched.version)

    def _tell_of_consent(self) -> None:
        """The pool's record of what the owner decided, if it is not complete."""
        from heatpool_client import consent_record  # noqa: PLC0415 - seldom needed

        try:
            if self._home.consents.exists():
                consent_record.send(self._pool)
        except ClientError as error:
            self._say(error)

    def _may_send(self) -> bool:
        refusal = self._watch.refusal()
        if refusal is None:
            return True
        self._say(refusal)
        if self._watch.is_withdrawn() and self._home.spool.exists():
            with self._lock:  # what another thread had kept meanwhile
                self._pending.clear()
                self._pool.spool.empty()
        self._tell_of_consent()  # before the erasure: with it the pool forgets the key
        if self._home.erasure.exists():
            from heatpool_client import erasure  # noqa: PLC0415 - 30 ms, and seldom needed

            erasure.send(self._pool)
        return False

    def _say(self, problem: ClientError) -> None:
        """Log a problem once, not with each reading."""
        if self._problem is None or self._problem.code != problem.code:
            level = logging.INFO if problem.exit is Exit.NO_CONSENT else logging.WARNING
            _log.log(level, "%s: %s", problem.code, problem)
        self._problem = problem
