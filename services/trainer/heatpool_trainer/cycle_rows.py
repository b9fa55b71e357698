"""The last 24 hours of a home in numbers, for a whole recording at once.

In: values of a recording, the rule of the release. Out: one row of features per hour that ended.
Guaranteed: it is the client's own code (`heatpool_contract.cycles`), compiled; the same bits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba.extending import register_jitable

from heatpool_contract import cycles
from heatpool_trainer import features
from heatpool_trainer.native import Floats, compiled
from heatpool_trainer.readings import HomeSeries

if TYPE_CHECKING:
    from heatpool_contract.detector import Condition
    from heatpool_contract.watches import CycleRule
    from heatpool_trainer.features import Values

for _function in (
    cycles.follow,
    cycles.count,
    cycles.measure,
    cycles.summarise,
    cycles.total,
    cycles.median_run,
    cycles.is_recent,
):
    register_jitable(_function)  # numba compiles what `advance` calls, only if it was told
_advance = compiled(cycles.advance)


def day_rows(home: str, rule: CycleRule, found: Values, gap_ms: int) -> HomeSeries:
    """Features of every day that ended with an hour of the recording, as readings of the home."""
    size = found.timestamps_ms.size
    known = np.ones(size, np.bool_)
    for condition in rule.running:
        known &= ~np.isnan(found.columns[condition.field])
    missing = np.full(size, np.nan)

    def state(conditions: tuple[Condition, ...]) -> Floats:
        true = features.holds(conditions, found.columns, size)
        return (true & bool(conditions)).astype(np.float64)

    def quantity(name: str | None) -> Floats:
        return missing if name is None else found.columns[name]

    inputs = np.column_stack(
        [
            found.timestamps_ms.astype(np.float64),
            state(rule.running),
            state(rule.defrosting),
            state(rule.watering),
            quantity(rule.outdoor),
            quantity(rule.power),
            quantity(rule.compressor_power),
        ]
    )[known]
    times_ms, rows = cycle_rows(inputs, float(gap_ms))
    columns = dict(zip(cycles.FEATURES, rows.T.copy(), strict=True))
    return HomeSeries(home, times_ms.astype(np.int64), columns)


def cycle_rows(inputs: Floats, gap_ms: float) -> tuple[Floats, Floats]:
    """Times and features at every end of an hour, from inputs of shape (n, 7)."""
    memory = np.array(cycles.initial())
    out = np.empty((len(inputs), len(cycles.FEATURES)))
    times_ms = np.empty(len(inputs))
    number = _rows(np.ascontiguousarray(inputs), gap_ms, memory, out, times_ms)
    return times_ms[:number], out[:number]


@compiled
def _rows(inputs: Floats, gap_ms: float, memory: Floats, out: Floats, times_ms: Floats) -> int:
    number = 0
    row = np.empty(out.shape[1])
    for i in range(inputs.shape[0]):
        now_ms, running, defrosting, watering, outdoor, power, compressor = inputs[i]
        if _advance(
            memory,
            row,
            now_ms,
            running,
            defrosting,
            watering,
            outdoor,
            power,
            compressor,
            gap_ms,
        ):
            out[number] = row
            times_ms[number] = now_ms
            number += 1
    return number
