"""Residuals of every home under the model of every fold; channels fitted and calibrated on them.

In: one detector per fold, fitted without that fold's homes, and one fitted on all. Out: finished
channels. Guaranteed: a home's calibration scores come from a model that has not seen it, neither in
the reference nor in the whitening nor in the masses; equal mass for every home.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from heatpool_contract.detector import Channel, Structure
from heatpool_trainer import channel_fit, features, forest, residual_means
from heatpool_trainer.calibrate import WEEK_MS, Calibration, Scored, calibrate, scored
from heatpool_trainer.native import Floats, Integers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from heatpool_contract.detector import Detector, Mode
    from heatpool_trainer.crew import Crew
    from heatpool_trainer.features import Values
    from heatpool_trainer.plan import TrainingPlan
    from heatpool_trainer.shelf import AnyInputs

LEARNING_SPANS_MIN: Final = 3  # of the offset rule, one of which learning takes
HOME_SHARE_MAX: Final = 0.2  # of the mass; of six homes and more, as five have a fifth each


class Inputs(msgspec.Struct, frozen=True, eq=False):
    """What one channel gets to see of one home, under one fold's model."""

    timestamps_ms: Integers
    vectors: Floats
    starts: tuple[int, ...] = (0,)
    """Where a new piece begins: the home has learnt its own normal anew, from a later day on."""

    def pieces(self) -> Iterator[Inputs]:
        """Each in the order of time."""
        for first, last in pairwise((*self.starts, len(self.vectors))):
            if last > first:
                yield Inputs(self.timestamps_ms[first:last], self.vectors[first:last])


class HomeInputs(msgspec.Struct, frozen=True, eq=False):
    """One home under all models: `inputs[model][mode][relative_to]`."""

    fold: int
    to_ms: int
    inputs: list[list[dict[str, Inputs]]]

    @property
    def models(self) -> int:
        """Number of them."""
        return len(self.inputs)

    def seen(self, model: int, mode: int, kind: str) -> Inputs:
        """What one channel sees under one model."""
        return self.inputs[model][mode][kind]

    def rows(self, model: int, mode: int, kind: str) -> int:
        """How many vectors that are."""
        return len(self.inputs[model][mode][kind].vectors)


def home_inputs(
    models: Sequence[Detector], values: Values, fold: int, plan: TrainingPlan
) -> HomeInputs:
    """Run one home's readings through all models.

    A home may join in any season, so its own normal is learnt anew from several days on: else all
    homes would have learnt in the same weather, and what follows on other weather would be missing
    in masses and calibration alike.

    Args:
        models: those of the folds, then the one of all homes.
        values: of the home.
        fold: to which it belongs; under this model all vectors are kept, for calibration.
        plan: how many vectors to keep under the others, how often to learn.
    """
    modes = range(len(models[0].modes))
    steady = [features.rows(models[0].modes[index], index, values) for index in modes]
    starts_ms = _starts_ms(values.timestamps_ms, models[0].offset.span_ms_min, plan.learnings_max)
    inputs = []
    for number, model in enumerate(models):
        per_mode = []
        for mode, rows in zip(model.modes, steady, strict=True):
            found = features.residuals(mode, rows)
            learnt = []
            for start_ms in starts_ms:
                later = features.since(rows, start_ms)
                own = found[len(found) - len(later.targets) :]
                learnt.append(residual_means.means(mode, model, later, own))
            whole = learnt[0]
            limit = len(whole.fleet) if number == fold else plan.vectors_per_home_max
            part = limit if number == fold else max(1, limit // len(learnt))
            homes = [_thinned(one.home_timestamps_ms, one.home, part) for one in learnt]
            fleet = _thinned(whole.fleet_timestamps_ms, whole.fleet, limit)
            per_mode.append({"home": _joined(homes), "fleet": fleet})
        inputs.append(per_mode)
    to_ms = int(values.timestamps_ms[-1]) if values.timestamps_ms.size else 0
    return HomeInputs(fold, to_ms, inputs)


class Finished(msgspec.Struct, frozen=True, kw_only=True):
    """A channel with threshold, and how it came about."""

    channel: Channel
    calibration: Calibration
    vectors: int
    homes: int
    share_max: float
    """Of the heaviest home in the masses."""
    folds: tuple[Channel | None, ...]
    """Fitted without the homes of each fold, with the threshold of the channel of all homes."""


class _Fold(msgspec.Struct, frozen=True, eq=False):
    model: Channel | None
    held_out: list[Scored]
    weeks: float
    homes: int


class Trees(msgspec.Struct, frozen=True):
    """All structures of the payload, and which of them fit the features at hand."""

    structures: tuple[Structure, ...]
    chosen: tuple[int, ...]


def finish(  # noqa: PLR0913, PLR0917 - a channel is the meeting point of all of these
    homes: Sequence[AnyInputs],
    index: int,
    mode: Mode,
    blank: Channel,
    trees: Trees,
    plan: TrainingPlan,
    episodes_per_week_max: float,
    crew: Crew,
) -> Finished | None:
    """Fit a channel on all homes and calibrate it on those that each fold left out.

    Args:
        homes: in canonical order.
        index: of the mode.
        mode: for its timing.
        blank: the channel to fill.
        trees: for its number of features.
        plan: weights and minima.
        episodes_per_week_max: alarm budget of this channel.
        crew: works on several folds at once.
    """
    folds = homes[0].models - 1
    kind = blank.relative_to
    training, share = training_vectors(homes, index, kind, plan)
    vectors = sum(len(one) for one in training)
    if vectors < plan.vectors_min:
        return None

    def one_fold(fold: int) -> _Fold:
        rest = [one.seen(fold, index, kind).vectors for one in homes if one.fold != fold]
        if not any(len(one) for one in rest):
            return _Fold(None, [], 0.0, 0)
        model = channel_fit.fit(blank, _equal(rest, share), trees.structures, trees.chosen)
        held_out: list[Scored] = []
        weeks, seen = 0.0, 0
        for one in homes:
            if one.fold != fold:
                continue
            pieces = [*one.seen(fold, index, kind).pieces()]
            for piece in pieces:
                found = score(model, trees.structures, piece, mode)
                held_out.append(msgspec.structs.replace(found, raw=found.smoothed))  # half as large
                weeks += (one.to_ms - int(piece.timestamps_ms[0])) / WEEK_MS
            seen += len(pieces) > 0
        return _Fold(model, held_out, weeks, seen)

    found = crew.beside(f"calibrate {mode.name} {blank.name}", one_fold, range(folds))
    calibration = calibrate(
        [one for fold in found for one in fold.held_out],
        pump_weeks=sum(fold.weeks for fold in found),
        episodes_per_week_max=episodes_per_week_max,
        debounce_ms=blank.debounce_ms,
        age_ms_max=mode.mean_age_ms_max,
        homes_share_max=plan.fleet_homes_share_max if kind == "fleet" else 1.0,
    )
    homes_unseen = sum(fold.homes for fold in found)
    calibration = msgspec.structs.replace(calibration, homes=homes_unseen)
    channel = msgspec.structs.replace(
        channel_fit.fit(blank, training, trees.structures, trees.chosen),
        threshold=calibration.threshold,
        rarity=calibration.rarity,
    )
    return Finished(
        channel=channel,
        calibration=calibration,
        vectors=vectors,
        homes=len(training),
        share_max=max(len(one) for one in training) / vectors,
        folds=tuple(
            fold.model
            and msgspec.structs.replace(
                fold.model, threshold=calibration.threshold, rarity=calibration.rarity
            )
            for fold in found
        ),
    )


def training_vectors(
    homes: Sequence[AnyInputs], index: int, kind: str, plan: TrainingPlan
) -> tuple[list[Floats], int]:
    """What each home that has any adds to the masses, and how much that may be."""
    all_homes = homes[0].models - 1
    numbers = [one.rows(all_homes, index, kind) for one in homes]
    share = _share(numbers, plan.vectors_per_home_max)
    return _equal([one.seen(all_homes, index, kind).vectors for one in homes], share), share


def score(channel: Channel, structures: Sequence[Structure], seen: Inputs, mode: Mode) -> Scored:
    """Raw and smoothed scores of one home."""
    inputs = features.squashed(channel, seen.vectors)
    raw = forest.scores(structures, channel.forests, inputs)
    return scored(
        seen.timestamps_ms,
        raw,
        smoothing_ms=channel.smoothing_ms,
        age_ms_max=mode.mean_age_ms_max,
    )


def _starts_ms(timestamps_ms: Integers, span_ms: int, number_max: int) -> list[int]:
    """From when a home learns its own normal: evenly spread, with time left to be scored."""
    if not timestamps_ms.size:
        return [0]
    first_ms, length_ms = int(timestamps_ms[0]), int(timestamps_ms[-1] - timestamps_ms[0])
    number = max(1, min(number_max, length_ms // max(1, LEARNING_SPANS_MIN * span_ms)))
    return [first_ms + length_ms * place // number for place in range(number)]


def _joined(parts: list[Inputs]) -> Inputs:
    edges = np.cumsum([0, *(len(one.vectors) for one in parts)])
    return Inputs(
        np.concatenate([one.timestamps_ms for one in parts]),
        np.concatenate([one.vectors for one in parts]),
        tuple(edges[:-1].tolist()),
    )


def _thinned(timestamps_ms: Integers, vectors: Floats, number: int) -> Inputs:
    if len(vectors) <= number:
        return Inputs(timestamps_ms, vectors)
    chosen = np.arange(number) * len(vectors) // number
    return Inputs(timestamps_ms[chosen], vectors[chosen])


def _share(numbers: list[int], number_max: int) -> int:
    """Vectors a home may contribute: what half of the homes have, within the plan's limit.

    Fewer if one home would have more than `HOME_SHARE_MAX` of all then.
    """
    present = sorted(one for one in numbers if one)
    if not present:
        return 0
    share = min(number_max, present[len(present) // 2])
    if len(present) * HOME_SHARE_MAX <= 1.0:
        return share
    while share > HOME_SHARE_MAX * sum(min(one, share) for one in present):
        share -= 1  # ends: with one vector each, no home has more than its part
    return share


def _equal(homes: list[Floats], share: int) -> list[Floats]:
    return [channel_fit.spread_evenly(one, share) for one in homes if len(one)]
