"""The channels beside the residuals, for one home: days, hard rules, wear.

In: the values of each reading, the running means of scored ones. Out: a `Beside`. Guaranteed: the
numbers are those of `cycles`, `rules` and `wear`; all memory is in the scorer's state; no channel
changes another's score or alarm.
"""

from __future__ import annotations

from math import isnan, nan
from typing import TYPE_CHECKING, Literal

import msgspec

from heatpool_contract import cycles, rules, wear
from heatpool_contract.beside_texts import day_sentence
from heatpool_contract.explanation import Circumstance
from heatpool_contract.reading import holds
from heatpool_contract.verdict import Beside, Degrading, NotScored, Raised, Score

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from heatpool_contract.detector import Condition, Derived, Detector, Field, Mode
    from heatpool_contract.explanation import Contribution
    from heatpool_contract.scorer_state import ScorerState
    from heatpool_contract.scoring import Scorer
    from heatpool_contract.watches import CycleFeature, CycleRule, Rule
    from heatpool_contract.wear import Trend


class Watcher:
    """Follows one home beside its scorer."""

    def __init__(
        self, detector: Detector, quantities: Mapping[str, Field | Derived], days: Scorer | None
    ) -> None:
        """Take the rules of the detector.

        Args:
            detector: whose channels these are.
            quantities: its fields and derived fields.
            days: scores the features of the last 24 hours.
        """
        self._detector = detector
        self._quantities = quantities
        self._days = days
        self._features = [nan] * len(cycles.FEATURES)
        self._known = None if detector.cycle is None else _fields(detector.cycle.rule.running)
        self._wrong = {rule.name: _fields(rule.wrong) for rule in detector.rules}
        self._worn = {one.mode for one in detector.wear.targets} if detector.wear else set()

    def take(self, state: ScorerState, now_ms: int, values: Mapping[str, float]) -> Beside:
        """Take a reading that is not older than the last."""
        day = self._cycle(state, now_ms, values)
        return Beside(
            cycle=day,
            cycle_en=self._said(day, "en"),
            cycle_de=self._said(day, "de"),
            raised=tuple(
                found
                for rule in self._detector.rules
                if (found := self._raised(rule, state, now_ms, values)) is not None
            ),
        )

    def wear(self, state: ScorerState, mode: Mode, now_ms: int, means: wear.Row) -> bool:
        """Take the running means of a scored reading; whether a day ended."""
        rule = self._detector.wear
        if rule is None or mode.name not in self._worn:
            return False
        own = state.wear.setdefault(mode.name, wear.WearState())
        names = [target.field for target in mode.targets]
        return wear.take(own, rule, mode.name, names, now_ms, means)

    def degrading(self, state: ScorerState) -> tuple[Degrading, ...]:
        """Trends that hold, steepest confidence first."""
        rule = self._detector.wear
        if rule is None:
            return ()
        found = []
        for mode in self._detector.modes:
            own = state.wear.get(mode.name)
            followed = [one for one in rule.targets if one.mode == mode.name]
            if own is None or len(own.trends) != len(followed):
                continue
            for target, trend, days in zip(followed, own.trends, own.confirmed, strict=True):
                if trend is not None and days >= rule.days_confirmed:
                    found.append(self._degrading(mode, target.field, trend))
        return tuple(sorted(found, key=lambda one: -abs(one.trend.z)))

    def _degrading(self, mode: Mode, field: str, trend: Trend) -> Degrading:
        quantity = self._quantities[field]
        kind = next(one.residual for one in mode.targets if one.field == field)
        return Degrading(
            mode=mode.name,
            mode_en=mode.label_en,
            mode_de=mode.label_de,
            feature=field,
            label_en=quantity.label_en,
            label_de=quantity.label_de,
            unit=quantity.unit,
            relative=kind == "ratio",
            trend=trend,
        )

    def _cycle(
        self, state: ScorerState, now_ms: int, values: Mapping[str, float]
    ) -> Score | NotScored | None:
        days = self._detector.cycle
        if days is None or self._days is None or self._known is None:
            return None
        if not all(name in values for name in self._known):
            return None
        inputs = cycle_inputs(days.rule, values)
        gap_ms = float(self._detector.gap_ms_max)
        if not cycles.advance(state.cycle, self._features, float(now_ms), *inputs, gap_ms):
            return None
        reading = {
            name: value
            for name, value in zip(cycles.FEATURES, self._features, strict=True)
            if not isnan(value)
        }
        found = self._days.observe(now_ms, reading)
        state.cycle_scorer = self._days.state
        return _usual_here(found, days.rule.features) if isinstance(found, Score) else found

    def _said(
        self, day: Score | NotScored | None, language: Literal["en", "de"]
    ) -> tuple[str, ...]:
        if self._detector.cycle is None or not isinstance(day, Score):
            return ()
        known = {one.name: one for one in self._detector.cycle.rule.features}
        return tuple(
            day_sentence(part, known[part.feature], day.circumstances, language)
            for part in day.contributions
        )

    def _raised(
        self, rule: Rule, state: ScorerState, now_ms: int, values: Mapping[str, float]
    ) -> Raised | None:
        memory = state.rules.setdefault(rule.name, rules.initial())
        missing = not all(name in values for name in self._wrong[rule.name])
        up = rules.advance(
            memory,
            rules.KINDS[rule.kind],
            float(now_ms),
            float(holds(rule.context, values)),
            -1.0 if missing else float(holds(rule.wrong, values)),
            values.get(rule.field or "", nan),
            float(rule.lasting_ms),
            float(rule.hold_ms),
            float(self._detector.gap_ms_max),
            rule.drop,
        )
        if not up:
            return None
        return Raised(
            rule=rule.name,
            text_en=rule.text_en,
            text_de=rule.text_de,
            since_ms=int(memory[rules.RAISED_MS]),
            lasted_ms=rule.lasting_ms,
            values=tuple(self._shown(name, values[name]) for name in rule.shows if name in values),
            alarm=self._detector.state == "released",
        )

    def _shown(self, name: str, value: float) -> Circumstance:
        quantity = self._quantities[name]
        return Circumstance(
            label_en=quantity.label_en,
            label_de=quantity.label_de,
            unit=quantity.unit,
            value=value,
        )


def cycle_inputs(
    rule: CycleRule, values: Mapping[str, float]
) -> tuple[float, float, float, float, float, float]:
    """What `cycles.advance` wants to know of a reading: three states, three quantities."""
    return (
        float(holds(rule.running, values)),
        float(bool(rule.defrosting) and holds(rule.defrosting, values)),
        float(bool(rule.watering) and holds(rule.watering, values)),
        values.get(rule.outdoor, nan),
        values.get(rule.power or "", nan),
        values.get(rule.compressor_power or "", nan),
    )


def _usual_here(score: Score, features: Iterable[CycleFeature]) -> Score:
    """The score with usual ranges at this outdoor temperature instead of at any."""
    known = {one.name: one for one in features}

    def narrowed(part: Contribution) -> Contribution:
        feature = known[part.feature]
        return msgspec.structs.replace(
            part,
            usual_low=max(0.0, part.expected + feature.residual_low),
            usual_high=max(0.0, part.expected + feature.residual_high),
        )

    parts = tuple(narrowed(part) for part in score.contributions)
    return msgspec.structs.replace(score, contributions=parts)


def _fields(conditions: Iterable[Condition]) -> tuple[str, ...]:
    return tuple(one.field for one in conditions)
