"""A hard rule over a whole recording at once.

In: of every reading, what `heatpool_contract.rules.advance` wants to know. Out: where the rule is
raised. Guaranteed: it is the client's own code, compiled; the same bits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba.extending import register_jitable

from heatpool_contract import rules
from heatpool_trainer.native import Bools, Floats, compiled

if TYPE_CHECKING:
    from heatpool_contract.watches import Rule

for _function in (rules.repeats, rules.falls):
    register_jitable(_function)  # numba compiles what `advance` calls, only if it was told
_advance = compiled(rules.advance)


def raised_rows(rule: Rule, inputs: Floats, gap_ms: float) -> Bools:
    """Whether the rule is raised after each row of inputs, shape (n, 4)."""
    raised: Bools = _raised(
        np.array(rules.initial()),
        rules.KINDS[rule.kind],
        np.ascontiguousarray(inputs),
        float(rule.lasting_ms),
        float(rule.hold_ms),
        gap_ms,
        rule.drop,
    )
    return raised


@compiled
def _raised(  # noqa: PLR0913, PLR0917 - numba takes arrays, not objects
    memory: Floats,
    kind: float,
    inputs: Floats,
    lasting_ms: float,
    hold_ms: float,
    gap_ms: float,
    drop: float,
) -> Bools:
    raised = np.zeros(inputs.shape[0], np.bool_)
    for i in range(inputs.shape[0]):
        now_ms, relevant, wrong, value = inputs[i]
        raised[i] = _advance(
            memory, kind, now_ms, relevant, wrong, value, lasting_ms, hold_ms, gap_ms, drop
        )
    return raised
