"""The channels of all modes, of the detector of all homes and of those that leave homes out.

In: references and the inputs of every home. Out: the detector with its channels, one more for each
fold, and how the channels came about. Guaranteed: a mode without enough data has no channel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from heatpool_contract.detector import Detector
from heatpool_trainer import cross_fit, forest
from heatpool_trainer.plan import ChannelReport

if TYPE_CHECKING:
    from collections.abc import Sequence

    from heatpool_contract.detector import Channel, Structure
    from heatpool_trainer.crew import Crew
    from heatpool_trainer.cross_fit import Finished
    from heatpool_trainer.design import Design
    from heatpool_trainer.plan import TrainingPlan
    from heatpool_trainer.shelf import AnyInputs


class Made(msgspec.Struct, frozen=True):
    """Detectors with channels."""

    detector: Detector
    witnesses: tuple[Detector, ...]
    """Per fold: made without its homes."""
    reports: list[ChannelReport]


def channels_of(
    models: Sequence[Detector],
    outline: Design,
    homes: Sequence[AnyInputs],
    plan: TrainingPlan,
    crew: Crew,
) -> Made:
    """Fit and calibrate every channel that has enough data."""
    budget = plan.episodes_per_week_max / sum(
        len(planned.blanks) for planned in outline.modes if planned.targets
    )
    structures: list[Structure] = []
    where: dict[int, tuple[int, ...]] = {}
    finished: list[list[Finished]] = []
    reports = []
    for index, (mode, planned) in enumerate(zip(models[-1].modes, outline.modes, strict=True)):
        size = len(mode.targets)
        if size and size not in where:
            where[size] = tuple(range(len(structures), len(structures) + len(plan.seeds)))
            structures += [forest.structure(size, plan.trees, plan.height, s) for s in plan.seeds]
        of_mode = []
        for blank in planned.blanks if size else ():
            trees = cross_fit.Trees(tuple(structures), where[size])
            one = cross_fit.finish(homes, index, mode, blank, trees, plan, budget, crew)
            if one is not None:
                of_mode.append(one)
                reports.append(_report(mode.name, one))
        finished.append(of_mode)
    return Made(
        _with_channels(
            models[-1], [[one.channel for one in modes] for modes in finished], structures
        ),
        tuple(
            _with_channels(
                model,
                [[c for one in modes if (c := one.folds[fold])] for modes in finished],
                structures,
            )
            for fold, model in enumerate(models[:-1])
        ),
        reports,
    )


def _with_channels(
    detector: Detector, channels: list[list[Channel]], structures: list[Structure]
) -> Detector:
    modes = tuple(
        msgspec.structs.replace(mode, channels=tuple(mine), targets=mode.targets if mine else ())
        for mode, mine in zip(detector.modes, channels, strict=True)
    )
    return msgspec.structs.replace(detector, modes=modes, structures=tuple(structures))


def _report(mode: str, one: Finished) -> ChannelReport:
    return ChannelReport(
        mode=mode,
        channel=one.channel.name,
        vectors=one.vectors,
        homes=one.homes,
        threshold=one.calibration.threshold,
        calibration_homes=one.calibration.homes,
        pump_weeks=one.calibration.pump_weeks,
        episodes=one.calibration.episodes,
        share_max=one.share_max,
    )
