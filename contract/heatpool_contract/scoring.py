"""What a detector means: readings of one home in time order -> scores, without numpy.

In: a checked `Detector`, readings as the logger has them. Out: a `Score`, or `NotScored` with its
reason. Guaranteed: the trainer calibrated exactly these numbers (its compiled copy is held to them
bit for bit); the detector never learns at home, it would get used to the fault; the state is plain
data, and a scorer restored from it goes on as if nothing had happened.

Only + - * / and comparisons, sums from left to right: `math.exp`, `tanh`, `log` and even `sum`
differ between platforms and Python versions in the last bit. Hence the rational squash, the
smoothing weight dt / (tau + dt) instead of 1 - exp(-dt / tau), and ratios instead of logarithms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from heatpool_contract.beside import Watcher
from heatpool_contract.channel_scoring import CompiledChannel
from heatpool_contract.own_normal import Trust
from heatpool_contract.reading import Reader, holds
from heatpool_contract.reference import MINUTE_MS, references, residuals, terms
from heatpool_contract.scorer_state import ChannelState, ScorerState, fits, initial_state
from heatpool_contract.telling import circumstances, contributions
from heatpool_contract.verdict import Beside, ChannelScore, NotScored, Reason, Score

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from heatpool_contract.detector import Derived, Detector, Field, Mode

CLOCK_BACK_MS_MAX: Final = 86_400_000
"""A reading older than the last by more than this: the clock had been wrong, start anew."""


class StateMismatch(Exception):  # noqa: N818 - the caller's choice: start anew
    """A state of another detector."""


class Scorer:
    """Scores one home with one detector."""

    def __init__(self, detector: Detector, state: ScorerState | None = None) -> None:
        """Compile the detector and go on from `state`, or start anew.

        Raises:
            StateMismatch: the state does not belong to this detector.
        """
        if state is not None and not fits(state, detector):
            raise StateMismatch(f"state does not fit the detector of {detector.model}")
        self.detector = detector
        self.state = initial_state(detector) if state is None else state
        self._reader = Reader(detector)
        self._quantities: dict[str, Field | Derived] = {}
        self._quantities.update((one.name, one) for one in detector.fields)
        self._quantities.update((one.name, one) for one in detector.derived)
        self._channels = [
            [CompiledChannel(channel, detector.structures) for channel in mode.channels]
            for mode in detector.modes
        ]
        self._learns = [
            any(channel.relative_to == "home" for channel in mode.channels)
            for mode in detector.modes
        ]
        self._trust: list[Trust | None] = [None] * len(detector.modes)
        days = detector.cycle
        known = self.state.cycle_scorer
        self._watcher = Watcher(
            detector, self._quantities, None if days is None else Scorer(days.detector, known)
        )
        self._day_ended = False
        self.beside = Beside(degrading=self._watcher.degrading(self.state))
        """What the other channels say after the last reading that was taken."""

    def observe(self, timestamp_ms: int, reading: Mapping[str, float]) -> Score | NotScored:
        """Take the next reading.

        Args:
            timestamp_ms: Unix time in milliseconds.
            reading: the logger's field names and values; unknown names are ignored.
        """
        if (early := self._too_early(timestamp_ms)) is not None:
            return NotScored(early)
        values = self._reader.values(reading)
        beside = self._watcher.take(self.state, timestamp_ms, values)
        self._day_ended = False
        verdict = self._observe(timestamp_ms, values)
        ended = self._day_ended
        trends = self._watcher.degrading(self.state) if ended else self.beside.degrading
        self.beside = msgspec.structs.replace(beside, degrading=trends, day_ended=ended)
        return verdict

    def _observe(self, timestamp_ms: int, values: dict[str, float]) -> Score | NotScored:
        index = self._reader.mode(values)
        steady = self._follow(timestamp_ms, index, values)
        if index is None:
            return NotScored(Reason.NO_MODE)
        mode = self.detector.modes[index]
        if not mode.channels:
            return NotScored(Reason.MODE_NOT_SCORED, mode.name)
        if not steady:
            return NotScored(Reason.NOT_STEADY, mode.name)
        basis = terms(mode, values)
        if isinstance(basis, Reason):
            return NotScored(basis, mode.name)
        return self._score(timestamp_ms, index, values, basis)

    def score_vector(self, mode: str, channel: str, vector: Sequence[float]) -> float:
        """Raw score of one state of the machine, without memory: what a self-test compares.

        Args:
            mode: name of a mode.
            channel: name of one of its channels.
            vector: the mode's conditioners, then its targets; NaN = missing.

        Raises:
            KeyError: no such mode or channel, or the conditioners are outside of the reference.
        """
        for one, compiled in zip(self.detector.modes, self._channels, strict=True):
            for candidate in compiled:
                if one.name == mode and candidate.channel.name == channel:
                    return _score_once(one, candidate, vector)
        raise KeyError(f"{mode}.{channel}")

    def _too_early(self, timestamp_ms: int) -> Reason | None:
        last_ms = self.state.last_ms
        if last_ms is None:
            return None
        if timestamp_ms < last_ms - CLOCK_BACK_MS_MAX:
            self._forget_time()
        elif timestamp_ms <= last_ms:
            return Reason.OUT_OF_ORDER
        elif timestamp_ms - last_ms < self.detector.spacing_ms_min:
            return Reason.TOO_SOON
        return self._ahead(timestamp_ms)

    def _ahead(self, timestamp_ms: int) -> Reason | None:
        """Whether the home sends more often than the detector counts; else when the next is due.

        Means are over numbers of readings: of a home that sends twice as often they would be half
        as long. A reading may come early by the spacing, and a late one delays no other.
        """
        interval_ms, spacing_ms = self.detector.interval_ms, self.detector.spacing_ms_min
        due_ms = self.state.due_ms
        if not spacing_ms:
            return None
        soonest_ms = timestamp_ms + interval_ms - spacing_ms
        if due_ms is None:
            self.state.due_ms = soonest_ms
        elif timestamp_ms < due_ms - spacing_ms:
            return Reason.TOO_SOON
        else:
            self.state.due_ms = max(due_ms + interval_ms, soonest_ms)
        return None

    def _forget_time(self) -> None:
        fresh = initial_state(self.detector)
        for mode, new in zip(self.state.modes, fresh.modes, strict=True):
            if mode.own.frozen is not None:
                new.own = mode.own
        fresh.cycle_scorer = self.state.cycle_scorer  # finds out by itself
        fresh.wear = self.state.wear
        self.state = fresh

    def _follow(self, timestamp_ms: int, index: int | None, values: dict[str, float]) -> bool:
        """Keep track of mode and motion; whether the reading is steady."""
        state, mode = self.state, None if index is None else self.detector.modes[index]
        elapsed_ms = 0 if state.last_ms is None else timestamp_ms - state.last_ms
        broken = state.last_ms is None or elapsed_ms > self.detector.gap_ms_max
        rule = None if mode is None else mode.steady
        if rule is None or not holds(rule.running, values):
            state.steady_since_ms = None
        elif broken or state.steady_since_ms is None or index != state.mode:
            state.steady_since_ms = timestamp_ms
        calm = rule is not None and all(
            not broken
            and limit.field in state.previous
            and limit.field in values
            and abs(values[limit.field] - state.previous[limit.field]) * MINUTE_MS
            <= limit.per_minute_max * elapsed_ms
            for limit in rule.rates
        )
        state.previous = {
            limit.field: values[limit.field]
            for one in self.detector.modes
            for limit in one.steady.rates
            if limit.field in values
        }
        state.last_ms, state.mode = timestamp_ms, index
        since_ms = state.steady_since_ms
        return (
            calm
            and rule is not None
            and since_ms is not None
            and timestamp_ms - since_ms >= rule.settle_ms
        )

    def _score(
        self, timestamp_ms: int, index: int, values: dict[str, float], basis: list[float]
    ) -> Score | NotScored:
        mode, state = self.detector.modes[index], self.state.modes[index]
        found = references(mode, basis)
        row = residuals(mode, values, found)
        if self._learns[index]:
            state.own.add(self.detector.offset, mode, timestamp_ms, basis, row)
        state.fleet.take(mode, timestamp_ms, row)
        if state.own.frozen is not None:
            state.home.take(mode, timestamp_ms, state.own.relative(mode, basis, row))
            if self.detector.offset.doubt:
                state.widths.take(mode, timestamp_ms, [*self._trusted(index).widths(basis)])
        last_ms = state.scored_ms
        if last_ms is not None and timestamp_ms - last_ms < self.detector.stride_ms:
            return NotScored(Reason.BETWEEN, mode.name)
        means = state.fleet.means(mode)
        if means is None:
            return NotScored(Reason.FILLING, mode.name)
        if all(value is None for value in means):
            return NotScored(Reason.NOTHING_MEASURED, mode.name)
        self._day_ended = self._watcher.wear(self.state, mode, timestamp_ms, means)
        state.scored_ms = timestamp_ms
        said: list[tuple[ChannelScore, CompiledChannel, list[float]]] = []
        for compiled, memory in zip(self._channels[index], state.channels, strict=True):
            at_home = compiled.channel.relative_to == "home"
            seen = self._doubted(index) if at_home else means
            if seen is not None and any(value is not None for value in seen):
                vector = compiled.imputed(seen)
                raw = compiled.score(vector)
                verdict = self._judge(mode, compiled, memory, timestamp_ms, raw)
                said.append((verdict, compiled, vector))
        if not said:
            return NotScored(Reason.LEARNING_OFFSET, mode.name)
        leading, compiled, vector = next((one for one in said if one[0].over), said[0])
        parts = (
            contributions(self._quantities, mode, state, compiled, vector, basis)
            if leading.over
            else ()
        )
        return Score(
            timestamp_ms=timestamp_ms,
            mode=mode.name,
            leading=leading,
            channels=tuple(one[0] for one in said),
            alarm=any(one[0].alarm for one in said),
            contributions=parts,
            circumstances=circumstances(self._quantities, mode, values) if parts else (),
        )

    def _doubted(self, index: int) -> list[float | None] | None:
        """Running means against the home's own normal, as far as it can be trusted."""
        mode, state = self.detector.modes[index], self.state.modes[index]
        means, widths = state.home.means(mode), state.widths.means(mode)
        if means is None or not self.detector.offset.doubt:
            return means
        return [
            None if value is None or width is None else value / width
            for value, width in zip(means, widths or [None] * len(means), strict=True)
        ]

    def _trusted(self, index: int) -> Trust:
        """Follows from the state of the mode, once its own normal is frozen."""
        trust, mode = self._trust[index], self.detector.modes[index]
        if trust is None:
            own = self.state.modes[index].own
            trust = self._trust[index] = Trust(mode.targets, own, self.detector.offset.doubt)
        return trust

    def _judge(
        self,
        mode: Mode,
        compiled: CompiledChannel,
        memory: ChannelState,
        timestamp_ms: int,
        raw: float,
    ) -> ChannelScore:
        over = memory.follow(compiled.channel, mode, timestamp_ms, raw)
        return ChannelScore(
            channel=compiled.channel.name,
            raw=raw,
            smoothed=memory.smoothed,
            threshold=compiled.channel.threshold,
            rarity_weeks=compiled.rarity_weeks(memory.smoothed),
            over=over,
            alarm=over and self.detector.state == "released",
        )


def _score_once(mode: Mode, compiled: CompiledChannel, vector: Sequence[float]) -> float:
    names = [conditioner.field for conditioner in mode.conditioners]
    names += [target.field for target in mode.targets]
    values = {
        name: value
        for name, value in zip(names, vector, strict=True)
        if value == value  # noqa: PLR0124 - NaN is missing
    }
    basis = terms(mode, values)
    if isinstance(basis, Reason):
        raise KeyError(str(basis))
    return compiled.score(compiled.imputed(residuals(mode, values, references(mode, basis))))
