"""What a training sees of one home, in three looks: its habits, its steady rows, its residuals.

In: one home, in memory or in a file. Out: small values. Guaranteed: functions of the home and their
other arguments alone, so that homes may be looked at in any order and in any process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import msgspec

from heatpool_trainer import cross_fit, features, reference_models, shelf
from heatpool_trainer.beside_fit import Look, Outline, look
from heatpool_trainer.cleaning import Cleaned, clean, impossible
from heatpool_trainer.design import COVERAGE_MIN
from heatpool_trainer.readings import HomeSeries, segments, thinned
from heatpool_trainer.shelf import AnyInputs
from heatpool_trainer.spool import StoredHome
from heatpool_trainer.survey import Survey, survey

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from heatpool_contract.detector import Detector
    from heatpool_trainer.catalogue import Catalogue
    from heatpool_trainer.features import Rows, Values
    from heatpool_trainer.plan import TrainingPlan

    Homes: TypeAlias = Iterable[HomeSeries | StoredHome]


class First(msgspec.Struct, frozen=True):
    """The first look: one survey, or one for each part."""

    surveys: tuple[Survey, ...]
    cleaned: Cleaned


class Third(msgspec.Struct, frozen=True, eq=False):
    """The third look."""

    inputs: dict[str, AnyInputs]
    impossible: int
    beside: dict[str, Look]
    """What the other channels see of the home."""


def first_look(catalogue: Catalogue, parts: int, home: HomeSeries | StoredHome) -> First:
    """Survey a home."""
    series, counters = clean(loaded(home), catalogue)
    found = (survey(part, catalogue, COVERAGE_MIN) for part in _cut(series, parts))
    return First(tuple(one for one in found if one is not None), counters)


def second_look(
    catalogue: Catalogue,
    parts: int,
    detector: Detector,
    number: int,
    home: HomeSeries | StoredHome,
) -> list[tuple[str, list[Rows]]]:
    """At most `number` steady rows of every mode, by name of home or part."""
    return [
        (series.home, reference_models.sample(detector, found, number))
        for series, found in _values(catalogue, parts, detector, home)
    ]


def third_look(  # noqa: PLR0913, PLR0917 - what is the same for all homes comes first
    catalogue: Catalogue,
    parts: int,
    models: Sequence[Detector],
    folds: Mapping[str, int],
    outlined: Outline,
    plan: TrainingPlan,
    folder: Path | None,
    home: HomeSeries | StoredHome,
) -> Third:
    """Running means of residuals under every model; in the folder, if there is one."""
    inputs: dict[str, AnyInputs] = {}
    beside, blanked = {}, 0
    whole = loaded(home)
    for sent, (series, found) in zip(
        _cut(whole, parts), _values(catalogue, parts, models[-1], whole), strict=True
    ):
        blanked += impossible(models[-1], series)
        if series.home in folds:
            fold = folds[series.home]
            seen = cross_fit.home_inputs(models, found, fold, plan)
            inputs[series.home] = shelf.store(series.home, seen, folder) if folder else seen
            raw = thinned(sent, models[-1])
            beside[series.home] = look(outlined, found, raw)
    return Third(inputs, blanked, beside)


def loaded(home: HomeSeries | StoredHome) -> HomeSeries:
    """The readings, wherever they are."""
    return home.load() if isinstance(home, StoredHome) else home


def _values(
    catalogue: Catalogue, parts: int, detector: Detector, home: HomeSeries | StoredHome
) -> Iterator[tuple[HomeSeries, Values]]:
    series, _counters = clean(loaded(home), catalogue)
    for part in _cut(series, parts):
        spaced = thinned(part, detector)
        yield spaced, features.values(detector, spaced)


def _cut(series: HomeSeries, parts: int) -> Iterator[HomeSeries]:
    return iter((series,)) if parts == 1 else segments(series, parts)
