"""Sequences of readings that a client must follow as the trainer did before it activates a payload.

In: the rule of the days, a hard rule. Out: their `Proof`s. Guaranteed: gaps, missing values, and
every way through the machines; computed by the compiled machine, so that a client's plain Python
checks the trainer and the trainer checks the client.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from heatpool_contract.watches import Proof
from heatpool_trainer.cycle_rows import cycle_rows
from heatpool_trainer.rules_rows import raised_rows
from heatpool_trainer.self_tests import SEED

if TYPE_CHECKING:
    from heatpool_contract.watches import Rule
    from heatpool_trainer.native import Bools, Floats

CYCLE_ROWS: Final = 1_500
CYCLE_STEP_MS: Final = (60_000, 240_000)
RULE_ROWS: Final = 400
RULE_PACE: Final = 20.0  # readings in the time that a rule must last
RARE: Final = 0.01
SELDOM: Final = 0.02
AT_TIMES: Final = 0.05
OFTEN: Final = 0.2


def cycle_proof(gap_ms: int) -> Proof:
    """A machine that starts, freezes and falls silent at random, and what its days say."""
    random = np.random.default_rng(SEED)
    silence_ms = (random.random(CYCLE_ROWS) < RARE) * 2 * gap_ms
    times_ms = np.cumsum(silence_ms + random.integers(*CYCLE_STEP_MS, CYCLE_ROWS))
    running = np.cumsum(random.random(CYCLE_ROWS) < AT_TIMES) % 2
    defrosting = running * (random.random(CYCLE_ROWS) < AT_TIMES)
    watering = running * (random.random(CYCLE_ROWS) < OFTEN)
    quantities = random.normal((2.0, 2.0, 1.8), (4.0, 0.5, 0.5), (CYCLE_ROWS, 3))
    quantities[random.random(quantities.shape) < AT_TIMES] = np.nan
    inputs = np.column_stack([times_ms, running, defrosting, watering, quantities])
    _, outputs = cycle_rows(inputs.astype(np.float64), float(gap_ms))
    return _proof(inputs, outputs)


def rule_proof(rule: Rule, gap_ms: int) -> Proof:
    """In and out of context; right, wrong and missing; a value that sticks, then falls."""
    random = np.random.default_rng(SEED)
    pace_ms = max(1.0, min(gap_ms, rule.lasting_ms) / RULE_PACE)
    times_ms = np.round(np.cumsum(random.uniform(0.5, 1.5, RULE_ROWS) * pace_ms))
    times_ms[RULE_ROWS // 2 :] += 2 * gap_ms
    relevant = np.cumsum(random.random(RULE_ROWS) < SELDOM) % 3 != 0
    wrong = np.cumsum(random.random(RULE_ROWS) < SELDOM) % 2
    wrong[random.random(RULE_ROWS) < AT_TIMES] = -1
    values = 40.0 - np.cumsum(random.random(RULE_ROWS) < OFTEN) * max(rule.drop, 1.0)
    values[: RULE_ROWS // 4] = 40.0
    values[random.random(RULE_ROWS) < AT_TIMES] = np.nan
    inputs = np.column_stack([times_ms, relevant, wrong, values]).astype(np.float64)
    return _proof(inputs, raised_rows(rule, inputs, float(gap_ms)))


def _proof(inputs: Floats, outputs: Floats | Bools) -> Proof:
    return Proof(inputs=inputs.astype("<f8").tobytes(), outputs=outputs.astype("<f8").tobytes())
