"""All homes of a model -> a candidate detector: the way of the data from readings to thresholds.

In: homes, iterated three times, one in memory at a time; plan; catalogue. Out: a `Candidate`, or
`TooLittle`. Guaranteed: the same homes give the same bytes in whatever order they come, so that the
candidate without a home is the retraining without it; every home has the same weight; a threshold
is set by scores of homes that the scoring model has not seen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from heatpool_contract.detector import encode
from heatpool_trainer import beside_fit, cross_fit, features, forest, reference_models
from heatpool_trainer.calibrate import UNREACHABLE
from heatpool_trainer.cleaning import Cleaned, clean, impossible
from heatpool_trainer.design import COVERAGE_MIN, design
from heatpool_trainer.plan import Candidate, ChannelReport, Report, TooLittle, TrainingPlan
from heatpool_trainer.readings import HomeSeries, segments, thinned
from heatpool_trainer.self_tests import self_tests
from heatpool_trainer.survey import Survey, survey

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from heatpool_contract.detector import Detector, Mode, Structure
    from heatpool_trainer.catalogue import Catalogue
    from heatpool_trainer.cross_fit import HomeInputs
    from heatpool_trainer.design import Design
    from heatpool_trainer.features import Rows, Values


def rebuild(
    homes: Iterable[HomeSeries], plan: TrainingPlan, catalogue: Catalogue
) -> Candidate | TooLittle:
    """Train one model.

    Args:
        homes: can be iterated again, as a list, or a view on spooled exports.
        plan: what to train.
        catalogue: what is known of sensors.
    """
    source = _Source(homes, catalogue, 1)
    surveys = source.surveys()
    if 0 < len(surveys) < plan.folds:  # too few to leave homes out: leave out parts of recordings
        source = _Source(homes, catalogue, plan.folds)
        surveys = source.surveys()
    outline = design(plan.model, catalogue, [surveys[name] for name in sorted(surveys)])
    if outline is None:
        return TooLittle("no field that most homes have and that varies")
    samples = _samples(source, outline, plan)
    names = sorted(name for name, rows in samples.items() if any(one.targets.size for one in rows))
    if not names:
        return TooLittle("no steady operation in any home")
    skeleton = reference_models.covered(
        reference_models.with_placeholders(outline), [samples[name] for name in names]
    )
    folds = {name: number % plan.folds for number, name in enumerate(names)}
    models = [
        reference_models.fit_references(
            skeleton, outline, [samples[name] for name in names if folds[name] != fold]
        )
        for fold in range(plan.folds + 1)  # of the last one no home is left out
    ]
    beside = beside_fit.outline(catalogue, skeleton, [surveys[name] for name in sorted(surveys)])
    inputs, looks = {}, {}
    cleaned = source.cleaned
    for series, found, raw in source.values(skeleton):
        cleaned += Cleaned(impossible=impossible(skeleton, series))
        if series.home in folds:
            inputs[series.home] = cross_fit.home_inputs(
                models, found, folds[series.home], plan.vectors_per_home_max
            )
            looks[series.home] = beside_fit.look(beside, found, raw)
    in_order = [inputs[name] for name in names]
    detector, channels = _channels(models[-1], outline, in_order, plan)
    if source.parts > 1:  # parts of a home are no unseen homes
        channels = [msgspec.structs.replace(one, calibration_homes=0) for one in channels]
    if not channels:
        return TooLittle("too few steady readings in every mode")
    used = sorted({_whole(name) for name in names})
    detector = msgspec.structs.replace(_released(detector, channels, plan), homes=len(used))
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
    candidate = Candidate(detector=detector, payload=encode(detector), report=report)
    if source.parts > 1:
        return candidate
    return beside_fit.added(candidate, catalogue, beside, looks, in_order, plan)


class _Source:
    """The homes, cleaned, one at a time; as whole recordings or cut into parts."""

    def __init__(self, homes: Iterable[HomeSeries], catalogue: Catalogue, parts: int) -> None:
        self._homes = homes
        self._catalogue = catalogue
        self.parts = parts
        self.cleaned = Cleaned()

    def surveys(self) -> dict[str, Survey]:
        """First pass."""
        found = {}
        self.cleaned = Cleaned()
        for series, counters in self._cleaned():
            self.cleaned += counters
            for part in self._cut(series):
                one = survey(part, self._catalogue, COVERAGE_MIN)
                if one is not None:
                    found[part.home] = one
        return found

    def values(self, detector: Detector) -> Iterator[tuple[HomeSeries, Values, HomeSeries]]:
        """Every home cleaned, its values by the detector's rules, and as it was sent."""
        for whole in self._homes:
            series, _ = clean(whole, self._catalogue)
            for part, sent in zip(self._cut(series), self._cut(whole), strict=True):
                spaced = thinned(part, detector.spacing_ms_min)
                raw = thinned(sent, detector.spacing_ms_min)
                yield spaced, features.values(detector, spaced), raw

    def _cleaned(self) -> Iterator[tuple[HomeSeries, Cleaned]]:
        for series in self._homes:
            yield clean(series, self._catalogue)

    def _cut(self, series: HomeSeries) -> Iterator[HomeSeries]:
        return iter((series,)) if self.parts == 1 else segments(series, self.parts)


def _samples(source: _Source, outline: Design, plan: TrainingPlan) -> dict[str, list[Rows]]:
    detector = reference_models.with_placeholders(outline)
    return {
        series.home: reference_models.sample(detector, found, plan.samples_per_home_max)
        for series, found, _ in source.values(detector)
    }


def _channels(
    detector: Detector, outline: Design, homes: list[HomeInputs], plan: TrainingPlan
) -> tuple[Detector, list[ChannelReport]]:
    """The detector with all channels that have enough data, and how they came about."""
    budget = plan.episodes_per_week_max / sum(
        len(planned.blanks) for planned in outline.modes if planned.targets
    )
    structures: list[Structure] = []
    where: dict[int, tuple[int, ...]] = {}
    modes: list[Mode] = []
    reports = []
    for index, (mode, planned) in enumerate(zip(detector.modes, outline.modes, strict=True)):
        size = len(mode.targets)
        if size and size not in where:
            where[size] = tuple(range(len(structures), len(structures) + len(plan.seeds)))
            structures += [forest.structure(size, plan.trees, plan.height, s) for s in plan.seeds]
        finished = []
        for blank in planned.blanks if size else ():
            trees = cross_fit.Trees(tuple(structures), where[size])
            one = cross_fit.finish(homes, index, mode, blank, trees, plan, budget)
            if one is not None:
                finished.append(one.channel)
                reports.append(
                    ChannelReport(
                        mode=mode.name,
                        channel=blank.name,
                        vectors=one.vectors,
                        homes=one.homes,
                        threshold=one.calibration.threshold,
                        calibration_homes=one.calibration.homes,
                        pump_weeks=one.calibration.pump_weeks,
                        episodes=one.calibration.episodes,
                    )
                )
        kept = mode.targets if finished else ()
        modes.append(msgspec.structs.replace(mode, channels=tuple(finished), targets=kept))
    return (
        msgspec.structs.replace(detector, modes=tuple(modes), structures=tuple(structures)),
        reports,
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
