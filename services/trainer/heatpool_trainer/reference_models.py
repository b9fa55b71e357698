"""The reference regressions of all modes, fitted on samples of homes.

In: a design, steady readings sampled evenly from every home. Out: the skeleton with ranges of the
conditioners, and with targets. Guaranteed: homes enter in the order of their names and with equal
weight.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from heatpool_contract.detector import Mode, Target
from heatpool_trainer import features
from heatpool_trainer.reference_fit import basis, fit, penalties

if TYPE_CHECKING:
    from collections.abc import Sequence

    from heatpool_contract.detector import Detector
    from heatpool_trainer.design import Design, ModeDesign
    from heatpool_trainer.features import Rows, Values
    from heatpool_trainer.native import Floats

RANGE_QUANTILE: Final = 0.002  # of the sampled readings may lie beyond the reference on each side
RANGE_MARGIN: Final = 0.15  # of the range is added on each side: a quadratic carries that far
USUAL: Final = (0.05, 0.5, 0.95)


def with_placeholders(plan: Design) -> Detector:
    """The skeleton with targets that predict zero, so that rows can be taken from recordings."""
    modes = tuple(
        msgspec.structs.replace(mode, targets=tuple(_zero(*one) for one in design.targets))
        for mode, design in zip(plan.skeleton.modes, plan.modes, strict=True)
    )
    return msgspec.structs.replace(plan.skeleton, modes=modes)


def sample(detector: Detector, found: Values, number: int) -> list[Rows]:
    """Per mode: at most `number` rows of a home, at equal distances."""
    return [_evenly(features.rows(mode, i, found), number) for i, mode in enumerate(detector.modes)]


def covered(detector: Detector, samples: Sequence[list[Rows]]) -> Detector:
    """The detector with the operating range that the homes' samples cover."""
    modes = []
    for index, mode in enumerate(detector.modes):
        pooled = [one[index].conditioners for one in samples]
        conditioners = []
        for column, conditioner in enumerate(mode.conditioners):
            values = np.concatenate([one[:, column] for one in pooled])
            if not values.size:
                break
            low, high = np.quantile(values, (RANGE_QUANTILE, 1.0 - RANGE_QUANTILE))
            margin = max(RANGE_MARGIN * (high - low), 1e-6)
            conditioners.append(
                msgspec.structs.replace(
                    conditioner, low=float(low - margin), high=float(high + margin)
                )
            )
        if len(conditioners) == len(mode.conditioners):
            modes.append(msgspec.structs.replace(mode, conditioners=tuple(conditioners)))
        else:
            modes.append(mode)
    return msgspec.structs.replace(detector, modes=tuple(modes))


def fit_references(detector: Detector, plan: Design, samples: Sequence[list[Rows]]) -> Detector:
    """The detector with every target fitted on the samples."""
    modes = tuple(
        _fit_mode(mode, design, [one[index] for one in samples])
        for index, (mode, design) in enumerate(zip(detector.modes, plan.modes, strict=True))
    )
    return msgspec.structs.replace(detector, modes=modes)


def _fit_mode(mode: Mode, design: ModeDesign, samples: list[Rows]) -> Mode:
    inside = [_inside(mode, one) for one in samples]
    rows = sum(len(one.targets) for one in inside)
    if not rows or not design.targets:
        return mode
    mode = msgspec.structs.replace(mode, terms=basis(len(mode.conditioners), rows))
    bases = [features.terms(mode, one.conditioners) for one in inside]
    targets = []
    for column, (field, residual) in enumerate(design.targets):
        values = [one.targets[:, column] for one in inside]
        coefficients, floor = fit(bases, values, residual)
        targets.append(
            Target(
                field=field,
                residual=residual,
                reference_min=floor,
                coefficients=coefficients,
                home_penalty=penalties(bases, values, coefficients, residual),
                usual=_usual(np.concatenate(values)),
            )
        )
    return msgspec.structs.replace(mode, targets=tuple(targets))


def _zero(field: str, residual: str) -> Target:
    return Target(
        field=field,
        residual="ratio" if residual == "ratio" else "difference",
        coefficients=(0.0,),
        usual=(0.0, 0.0, 0.0),
    )


def _evenly(rows: Rows, number: int) -> Rows:
    size = rows.timestamps_ms.size
    if size <= number:
        return rows
    chosen = np.arange(number) * size // number
    return features.Rows(
        rows.timestamps_ms[chosen], rows.conditioners[chosen], rows.targets[chosen]
    )


def _inside(mode: Mode, rows: Rows) -> Rows:
    chosen = np.ones(rows.timestamps_ms.size, np.bool_)
    for column, one in enumerate(mode.conditioners):
        chosen &= (rows.conditioners[:, column] >= one.low) & (
            rows.conditioners[:, column] <= one.high
        )
    return features.Rows(
        rows.timestamps_ms[chosen], rows.conditioners[chosen], rows.targets[chosen]
    )


def _usual(values: Floats) -> tuple[float, float, float]:
    finite = values[~np.isnan(values)]
    if not finite.size:
        return (0.0, 0.0, 0.0)
    low, middle, high = np.quantile(finite, USUAL)
    return (float(low), float(middle), float(high))
