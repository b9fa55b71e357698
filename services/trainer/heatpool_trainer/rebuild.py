"""All homes of a model -> a candidate detector: the way of the data from readings to thresholds.

In: homes, iterated three times, one in memory at a time; plan; catalogue. Out: a `Candidate`, or
`TooLittle`. Guaranteed: the same homes give the same bytes in whatever order they come and however
many hands work on them, so that the candidate without a home is the retraining without it; every
home has the same weight; a threshold is set by scores of homes that the scoring model has not seen;
a home that the others' model rejects has no part in the candidate.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from heatpool_contract.detector import encode
from heatpool_trainer import beside_fit, cross_fit, outliers, reference_models
from heatpool_trainer.calibrate import UNREACHABLE
from heatpool_trainer.channels import Made, channels_of
from heatpool_trainer.cleaning import Cleaned
from heatpool_trainer.crew import Crew
from heatpool_trainer.design import design
from heatpool_trainer.looks import first_look, second_look, third_look
from heatpool_trainer.outliers import Odd
from heatpool_trainer.plan import Candidate, ChannelReport, Report, TooLittle, TrainingPlan
from heatpool_trainer.self_tests import self_tests

if TYPE_CHECKING:
    from collections.abc import Iterator

    from heatpool_contract.detector import Detector
    from heatpool_trainer.beside_fit import Look
    from heatpool_trainer.catalogue import Catalogue
    from heatpool_trainer.design import Design
    from heatpool_trainer.features import Rows
    from heatpool_trainer.looks import Homes
    from heatpool_trainer.readings import HomeSeries
    from heatpool_trainer.shelf import AnyInputs
    from heatpool_trainer.spool import StoredHome
    from heatpool_trainer.survey import Survey

REJECTED_SHARE_MAX: Final = 0.1  # of the homes; of more, somebody has to look


class _Trained(msgspec.Struct, frozen=True):
    candidate: Candidate
    odd: tuple[Odd, ...]


def rebuild(
    homes: Homes, plan: TrainingPlan, catalogue: Catalogue, crew: Crew | None = None
) -> Candidate | TooLittle:
    """Train one model.

    Homes that the others reject are left out and the rest is trained anew, as if they had never
    sent anything. If they are too many, nothing is left out: the gate refuses the candidate.

    Args:
        homes: can be iterated again, as a list, or a view on spooled exports.
        plan: what to train.
        catalogue: what is known of sensors.
        crew: works on several homes at once.
    """
    crew = crew or Crew()
    found = _train(homes, frozenset(), plan, catalogue, crew)
    if isinstance(found, TooLittle):
        return found
    if not found.odd or len(found.odd) > REJECTED_SHARE_MAX * len(found.candidate.report.homes):
        return _with_rejected(found.candidate, found.odd)
    rest = _train(homes, frozenset(one.home for one in found.odd), plan, catalogue, crew)
    return rest if isinstance(rest, TooLittle) else _with_rejected(rest.candidate, found.odd)


def _with_rejected(candidate: Candidate, odd: tuple[Odd, ...]) -> Candidate:
    report = msgspec.structs.replace(candidate.report, homes_rejected=odd)
    return msgspec.structs.replace(candidate, report=report)


def _train(
    homes: Homes, without: frozenset[str], plan: TrainingPlan, catalogue: Catalogue, crew: Crew
) -> _Trained | TooLittle:
    used = _Without(homes, without) if without else homes
    parts, looked = 1, list(crew.each("survey", partial(first_look, catalogue, 1), used))
    if 0 < sum(len(one.surveys) for one in looked) < plan.folds:
        # Too few to leave homes out: leave out parts of recordings.
        parts = plan.folds
        looked = list(crew.each("survey", partial(first_look, catalogue, parts), used))
    surveys = {one.home: one for look in looked for one in look.surveys}
    cleaned = sum((look.cleaned for look in looked), Cleaned())
    outline = design(plan.model, catalogue, [surveys[name] for name in sorted(surveys)])
    if outline is None:
        return TooLittle("no field that most homes have and that varies")
    plan = _limited(plan, len(surveys))
    blank = reference_models.with_placeholders(outline)
    look = partial(second_look, catalogue, parts, blank, plan.samples_per_home_max)
    samples = dict(pair for pairs in crew.each("sample", look, used) for pair in pairs)
    names = sorted(name for name, rows in samples.items() if any(one.targets.size for one in rows))
    if not names:
        return TooLittle("no steady operation in any home")
    folds = {name: number % plan.folds for number, name in enumerate(names)}
    models = _models(blank, outline, samples, folds, plan, crew)
    inputs: dict[str, AnyInputs] = {}
    in_names = [surveys[name] for name in sorted(surveys)]
    outlined = beside_fit.outline(catalogue, models[-1], in_names)
    looks: dict[str, Look] = {}
    again = partial(third_look, catalogue, parts, models, folds, outlined, plan, crew.folder)
    for third in crew.each("residuals", again, used):
        cleaned += Cleaned(impossible=third.impossible)
        inputs.update(third.inputs)
        looks.update(third.beside)
    made = channels_of(models, outline, [inputs[name] for name in names], plan, crew)
    if not made.reports:
        return TooLittle("too few steady readings in every mode")
    candidate = _candidate(made, surveys, folds, cleaned, outline, parts, plan)
    if parts > 1:
        return _Trained(candidate, ())
    in_order = [inputs[name] for name in names]
    odd = outliers.worst(_odd(made, names, in_order, plan))
    candidate = beside_fit.added(candidate, catalogue, outlined, looks, in_order, plan, crew)
    return _Trained(candidate, odd)


class _Without:
    """Homes without some of them."""

    def __init__(self, homes: Homes, without: frozenset[str]) -> None:
        self._homes, self._without = homes, without

    def __iter__(self) -> Iterator[HomeSeries | StoredHome]:
        return (one for one in self._homes if one.home not in self._without)


def _limited(plan: TrainingPlan, homes: int) -> TrainingPlan:
    """The plan with the shares that so many homes leave each."""
    return msgspec.structs.replace(
        plan,
        samples_per_home_max=max(1, min(plan.samples_per_home_max, plan.samples_max // homes)),
        vectors_per_home_max=max(1, min(plan.vectors_per_home_max, plan.vectors_max // homes)),
    )


def _models(
    blank: Detector,
    outline: Design,
    samples: dict[str, list[Rows]],
    folds: dict[str, int],
    plan: TrainingPlan,
    crew: Crew,
) -> tuple[Detector, ...]:
    """One detector a fold, fitted without its homes, and one fitted on all."""
    skeleton = reference_models.covered(blank, [samples[name] for name in folds])

    def fitted(fold: int) -> Detector:
        chosen = [samples[name] for name in folds if folds[name] != fold]
        return reference_models.fit_references(skeleton, outline, chosen)

    return tuple(crew.beside("reference", fitted, range(plan.folds + 1)))


def _odd(made: Made, names: list[str], homes: list[AnyInputs], plan: TrainingPlan) -> list[Odd]:
    found: list[Odd] = []
    for index, mode in enumerate(made.detector.modes):
        for channel in mode.channels:
            kind, by_home = channel.relative_to, {}
            vectors, _share = cross_fit.training_vectors(homes, index, kind, plan)
            present = (
                pair for pair in zip(names, homes, strict=True) if pair[1].rows(-1, index, kind)
            )
            for (name, one), mine in zip(present, vectors, strict=True):
                if np.ptp(one.seen(-1, index, kind).timestamps_ms) >= outliers.SPAN_MS_MIN:
                    by_home[name] = mine
            found += outliers.odd_homes(mode.name, channel, made.detector.structures, by_home)
    return found


def _candidate(  # noqa: PLR0913, PLR0917 - what a report tells of
    made: Made,
    surveys: dict[str, Survey],
    folds: dict[str, int],
    cleaned: Cleaned,
    outline: Design,
    parts: int,
    plan: TrainingPlan,
) -> Candidate:
    channels = made.reports
    if parts > 1:  # parts of a home are no unseen homes
        channels = [msgspec.structs.replace(one, calibration_homes=0) for one in channels]
    used = sorted({_whole(name) for name in folds})
    detector = msgspec.structs.replace(_released(made.detector, channels, plan), homes=len(used))
    detector = msgspec.structs.replace(detector, self_tests=self_tests(detector))
    report = Report(
        profile=outline.profile,
        homes=tuple(used),
        homes_dropped=tuple(sorted({_whole(name) for name in surveys}.difference(used))),
        readings=sum(one.readings for one in surveys.values()),
        samples=sum(one.samples for one in surveys.values()),
        cleaned=cleaned,
        fields=tuple(field.name for field in detector.fields),
        channels=tuple(channels),
        modes_dropped=tuple(
            mode.name
            for mode, planned in zip(detector.modes, outline.modes, strict=True)
            if planned.targets and not mode.channels
        ),
    )
    return Candidate(
        detector=detector,
        payload=encode(detector),
        report=report,
        witnesses=made.witnesses,
        folds=folds,
    )


def _released(detector: Detector, channels: list[ChannelReport], plan: TrainingPlan) -> Detector:
    """The detector with its state: released if at least one channel may raise an alarm.

    In a released detector a channel that was calibrated on too little shows scores only.
    """
    enough = {
        (one.mode, one.channel): one.calibration_homes >= plan.calibration_homes_min
        and one.pump_weeks >= plan.calibration_weeks_min
        for one in channels
    }
    unseen = max(one.calibration_homes for one in channels)
    if not any(enough.values()):
        return msgspec.structs.replace(detector, calibration_homes=unseen, state="learning")
    modes = tuple(
        msgspec.structs.replace(
            mode,
            channels=tuple(
                channel
                if enough[mode.name, channel.name]
                else msgspec.structs.replace(channel, threshold=UNREACHABLE)
                for channel in mode.channels
            ),
        )
        for mode in detector.modes
    )
    return msgspec.structs.replace(
        detector, modes=modes, calibration_homes=unseen, state="released"
    )


def _whole(name: str) -> str:
    """Name of the home that a part of a recording is from."""
    return name.partition("/")[0]
