"""Readings of one home through its detector, as they come, also over restarts.

In: readings. Out: a `Score` or the reason why there is none. Guarantee: running means, debounce and
the home's own normal are the scorer's and go on after a restart; a new release starts anew, since
its residuals mean something else; a state that cannot be read costs the warm-up, not the logger.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

import msgspec

from heatpool_client.explaining import numeric
from heatpool_client.faults import ClientError, Fault
from heatpool_client.history import EXPECTED, MODE, History, community_values
from heatpool_client.home import read_private, write_private
from heatpool_contract.reading import Reader
from heatpool_contract.reference import references, terms
from heatpool_contract.scorer_state import ScorerState
from heatpool_contract.scoring import Scorer, StateMismatch
from heatpool_contract.verdict import Reason, Score

if TYPE_CHECKING:
    from collections.abc import Mapping

    from heatpool_client.models import Active
    from heatpool_client.pool import Pool
    from heatpool_contract.detector import Detector as DetectorData
    from heatpool_contract.verdict import Beside, NotScored

_UNSTEADY: Final = (Reason.NOT_STEADY, Reason.OUT_OF_ORDER, Reason.TOO_SOON)
SAVE_EVERY_S: Final = 900.0  # a memory card should not be written each minute; lost: a warm-up


class Remembered(msgspec.Struct, frozen=True):
    """`scorer.json`: whose state it is, and the state."""

    model_hash: str
    state: ScorerState


class Detector:
    """The pool's detector on this home. Make one, feed it in the order of time, close it."""

    def __init__(self, pool: Pool) -> None:
        """Open the active model and go on where the last run ended.

        Raises:
            ClientError: `no_model`, `model_rejected`.
        """
        self._pool = pool
        self._path = pool.home.root / "scorer.json"
        self._history = History(pool.home.history, pool.clock)
        self._saved_s = pool.clock.monotonic_s()
        self.active = self._active()
        self._scorer = self._restored()

    def score(
        self, reading: Mapping[str, object], timestamp_s: float | None = None
    ) -> Score | NotScored:
        """What the detector says about a reading.

        Args:
            reading: the logger's field names and values; what is no number counts as not sent.
            timestamp_s: seconds since 1970; None: now.
        """
        moment_s = self._pool.clock.now_s() if timestamp_s is None else timestamp_s
        numbers = numeric(reading)
        verdict = self._scorer.observe(round(moment_s * 1000), numbers)
        self._remember(moment_s, numbers, verdict)
        if self._pool.clock.monotonic_s() - self._saved_s >= SAVE_EVERY_S:
            with suppress(ClientError):  # a full disk costs a warm-up
                self.save()
        return verdict

    @property
    def beside(self) -> Beside:
        """What days, hard rules and wear say after the last reading that was taken."""
        return self._scorer.beside

    def refresh(self) -> bool:
        """Go on with a newer model if one was opened meanwhile; whether it was.

        Raises:
            ClientError: `no_model`, `model_rejected`.
        """
        active = self._active()
        if active.entry.model_hash == self.active.entry.model_hash:
            return False
        self.active = active
        self._scorer = self._restored()
        return True

    def save(self) -> None:
        """Write down what the scorer remembers.

        Raises:
            ClientError: `state_unusable`.
        """
        remembered = Remembered(self.active.entry.model_hash, self._scorer.state)
        write_private(self._path, msgspec.json.encode(remembered))
        self._history.flush()
        self._saved_s = self._pool.clock.monotonic_s()

    def _remember(
        self, moment_s: float, numbers: dict[str, float], verdict: Score | NotScored
    ) -> None:
        """For the owner's page: quantities, what the reference expects of them, the score."""
        if isinstance(verdict, Score):
            self._history.judged(verdict)
        self._history.found(moment_s, self._scorer.beside)
        detector = self._scorer.detector
        reader = Reader(detector)
        values = reader.values(numbers)
        index = reader.mode(values)
        found = dict(values)
        if index is not None and getattr(verdict, "reason", None) not in _UNSTEADY:
            mode = detector.modes[index]
            basis = terms(mode, values)
            if not isinstance(basis, Reason):
                found[MODE] = float(index)
                for target, reference in zip(mode.targets, references(mode, basis), strict=True):
                    found[EXPECTED + target.field] = reference
        self._history.measured(moment_s, found | community_values(numbers))

    def _active(self) -> Active[DetectorData]:
        active = self._pool.active()
        if active is None:
            raise ClientError(Fault.NO_MODEL)
        return active

    def _restored(self) -> Scorer:
        detector = self.active.detector
        with suppress(ValueError, ClientError, StateMismatch):
            raw = read_private(self._path)
            if raw is not None:
                known = msgspec.json.decode(raw, type=Remembered)
                if known.model_hash == self.active.entry.model_hash:
                    return Scorer(detector, known.state)
        return Scorer(detector)
