"""From surveys to the skeleton of a detector: fields, modes, timing; nothing fitted yet.

In: the catalogue and the surveys of all homes. Out: a `Design`. Guaranteed: decided by most homes,
never by one; the order of the surveys does not matter; unknown machines get the profile that takes
every field as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import msgspec
import numpy as np

from heatpool_contract.detector import (
    READINGS_MAX,
    Channel,
    Condition,
    Conditioner,
    Derived,
    Detector,
    Field,
    Mode,
    OffsetRule,
    Source,
    SteadyRule,
)
from heatpool_contract.detector_checks import ENGINE
from heatpool_trainer.calibrate import UNREACHABLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from heatpool_trainer.catalogue import Catalogue, ModeRecipe, Profile, Sensor
    from heatpool_trainer.survey import Survey

HOMES_SHARE_MIN: Final = 0.5  # of the homes must have a field for the detector to use it
COVERAGE_MIN: Final = 0.5  # of a home's readings must carry it
REACH: Final = 100.0  # ranges beyond what is usual that an unknown field is still believed
ODD_HOMES: Final = 5  # one home in so many may have an odd range and sets no limit
EVERYWHERE: Final = 1e12  # limits of a condition not fitted yet
SECOND_MS: Final = 1_000


class ModeDesign(msgspec.Struct, frozen=True, kw_only=True):
    """What to fit in one mode."""

    conditioners: tuple[str, ...]
    targets: tuple[tuple[str, Literal["difference", "ratio"]], ...]
    """Field and kind of residual, sorted by field."""
    blanks: tuple[Channel, ...]


class _Pace(msgspec.Struct, frozen=True):
    """Durations of a profile in milliseconds and in readings."""

    clock_ms: int
    interval_ms: int

    def duration_ms(self, length: float) -> int:
        return round(length * self.clock_ms)

    def readings(self, length: float) -> int:
        return min(READINGS_MAX, max(1, round(length * self.clock_ms / self.interval_ms)))


class Design(msgspec.Struct, frozen=True, kw_only=True):
    """A skeleton, and what to fit in each of its modes."""

    profile: str
    skeleton: Detector
    modes: tuple[ModeDesign, ...]


def design(model: str, catalogue: Catalogue, surveys: Sequence[Survey]) -> Design | None:
    """Choose profile, fields and modes; None if the homes share nothing that could be scored."""
    if not surveys:
        return None
    sensors = [
        field for sensor in catalogue.sensors if (field := _sensor(sensor, surveys)) is not None
    ]
    known = {field.name for field in sensors}
    interval_ms = max(1, int(np.median([one.interval_ms for one in surveys])))
    for profile in catalogue.profiles:
        derived = _derivable(catalogue.derived, known)
        usable = known | {one.name for one in derived}
        if not all(any(name in usable for name in names) for names in profile.requires):
            continue
        others = _others(surveys) if any(one.every_field for one in profile.modes) else ()
        fields = (*sensors, *others)
        clock_ms = SECOND_MS if profile.clock == "seconds" else interval_ms
        pace = _Pace(clock_ms, interval_ms)
        chosen = [
            pair
            for recipe in profile.modes
            if (pair := _mode(recipe, profile, [one.name for one in fields], usable, pace))
        ]
        if not any(plan.targets for _, plan in chosen):
            continue
        skeleton = Detector(
            engine=ENGINE,
            model=model,
            state="learning",
            homes=len(surveys),
            calibration_homes=0,
            trained_from_ms=min(one.from_ms for one in surveys),
            trained_to_ms=max(one.to_ms for one in surveys),
            interval_ms=interval_ms,
            spacing_ms_min=interval_ms // 2,
            gap_ms_max=max(1, pace.duration_ms(profile.gap_max)),
            stride_ms=pace.duration_ms(profile.stride),
            fields=fields,
            derived=derived,
            modes=tuple(mode for mode, _ in chosen),
            structures=(),
            offset=_offset_rule(profile, pace),
            self_tests=(),
        )
        return Design(
            profile=profile.name, skeleton=skeleton, modes=tuple(plan for _, plan in chosen)
        )
    return None


def _derivable(derived: tuple[Derived, ...], known: set[str]) -> tuple[Derived, ...]:
    """Those whose operands the homes have, or that come from earlier ones."""
    usable = {*known}
    found = []
    for one in derived:
        if {one.left, one.right} <= usable:
            usable.add(one.name)
            found.append(one)
    return tuple(found)


def _most(votes: Iterable[bool]) -> bool:
    counted = list(votes)
    return sum(counted) >= HOMES_SHARE_MIN * len(counted)


def _sensor(sensor: Sensor, surveys: Sequence[Survey]) -> Field | None:
    """The sensor with the sources the homes use, one scale for each name; None if few have it."""
    sources: dict[str, Source] = {}
    covered = [False] * len(surveys)
    for number, source in enumerate(sensor.sources):
        sent = [one.sources[sensor.name][number] for one in surveys]
        fits = [one.coverage >= COVERAGE_MIN and one.peak >= sensor.peak_min for one in sent]
        users = sum(one.coverage > 0.0 for one in sent)
        if source.name not in sources and 2 * sum(fits) > users:
            sources[source.name] = source
            covered = [old or new for old, new in zip(covered, fits, strict=True)]
    if not _most(covered):
        return None
    values = {name: getattr(sensor, name) for name in Field.__struct_fields__}
    return Field(**{**values, "sources": tuple(sources.values())})


def _others(surveys: Sequence[Survey]) -> tuple[Field, ...]:
    """Fields no catalogue knows, with limits from most homes' usual ranges."""
    fields = []
    for name in sorted({name for one in surveys for name in one.others}):
        spans = [one.others[name] for one in surveys if name in one.others]
        odd = len(spans) // ODD_HOMES
        low = sorted(one.low for one in spans)[odd]
        high = sorted(one.high for one in spans)[-1 - odd]
        common = len(spans) >= HOMES_SHARE_MIN * len(surveys)
        if not common or low >= high or _most(one.counter for one in spans):
            continue
        reach = REACH * (high - low)
        fields.append(
            Field(
                name=name,
                unit="",
                low=low - reach,
                high=high + reach,
                sources=(Source(name=name),),
                label_en=name,
                label_de=name,
            )
        )
    return tuple(fields)


def _mode(
    recipe: ModeRecipe, profile: Profile, fields: list[str], usable: set[str], pace: _Pace
) -> tuple[Mode, ModeDesign] | None:
    conditions = _first(recipe.conditions, usable)
    running = _first(recipe.running, usable)
    if conditions is None or running is None:
        return None
    conditioners = _available(recipe.conditioners, usable)
    targets: list[tuple[str, Literal["difference", "ratio"]]] = []
    if recipe.every_field:
        targets = [(name, "difference") for name in fields]
    elif len(conditioners) == len(recipe.conditioners):
        for target in recipe.targets:
            targets += [(name, target.residual) for name in _available((target.fields,), usable)]
    mean_readings = pace.readings(recipe.mean)
    mode = Mode(
        name=recipe.name,
        label_en=recipe.label_en,
        label_de=recipe.label_de,
        conditions=conditions,
        steady=SteadyRule(
            settle_ms=pace.duration_ms(recipe.settle),
            running=running,
            rates=tuple(one for one in recipe.rates if one.field in usable),
        ),
        conditioners=tuple(
            Conditioner(field=name, low=-EVERYWHERE, high=EVERYWHERE) for name in conditioners
        ),
        mean_readings=mean_readings,
        mean_readings_min=min(
            mean_readings,
            pace.readings(recipe.mean_min) if recipe.mean_min else max(1, mean_readings // 3),
        ),
        mean_age_ms_max=pace.duration_ms(recipe.mean_age_max),
    )
    kinds: list[Literal["home", "fleet"]] = ["home", "fleet"] if profile.home_channel else ["fleet"]
    blanks = tuple(
        Channel(
            name=kind,
            relative_to=kind,
            imputed=(),
            centre=(),
            whitening=(),
            median=(),
            scale=(),
            squash=profile.squash,
            forests=(),
            smoothing_ms=pace.duration_ms(recipe.smoothing),
            threshold=UNREACHABLE,
            debounce_ms=pace.duration_ms(recipe.debounce),
        )
        for kind in kinds
    )
    plan = ModeDesign(conditioners=conditioners, targets=tuple(sorted(targets)), blanks=blanks)
    return mode, plan


def _first(
    alternatives: tuple[tuple[Condition, ...], ...], usable: set[str]
) -> tuple[Condition, ...] | None:
    return next((one for one in alternatives if all(c.field in usable for c in one)), None)


def _available(alternatives: tuple[tuple[str, ...], ...], usable: set[str]) -> tuple[str, ...]:
    """Of every group of names the first that can be used."""
    found = (next((name for name in names if name in usable), None) for names in alternatives)
    return tuple(name for name in found if name is not None)


def _offset_rule(profile: Profile, pace: _Pace) -> OffsetRule:
    return OffsetRule(
        span_ms_min=pace.duration_ms(profile.offset_span),
        readings_min=pace.readings(profile.offset_min),
        block_readings=pace.readings(profile.offset_block),
        doubt=profile.offset_doubt,
    )
