"""Hard rules: what no healthy machine does, with the time it must last and the time it is held.

In: of each reading, whether a rule is in its context and whether it is broken. Out: whether it is
raised. Guaranteed: eight numbers of memory per rule; a missing value neither proves nor clears
anything; one implementation, in words that the trainer compiles.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from heatpool_contract.quantities import Numbers

HOLDS: Final = 0.0
STUCK: Final = 1.0
FALLING: Final = 2.0
KINDS: Final = {"holds": HOLDS, "stuck": STUCK, "falling": FALLING}

FALL_STEP: Final = 0.2
"""A new low lies at least this far below the last: noise makes lows, too."""
FALL_PAUSE_MS: Final = 1_200_000.0
"""Without a new low for so long the fall has ended."""

LAST_MS: Final = 0
HELD_MS: Final = 1
CLEAR_MS: Final = 2
RAISED_MS: Final = 3
"""When it was raised; 0 = it is not."""
BEGAN_MS: Final = 4
"""Of `stuck` and `falling`: when the present run of values began; 0 = there is none."""
VALUE: Final = 5
"""The last value, or the lowest."""
FIRST: Final = 6
LOW_MS: Final = 7
SIZE: Final = 8


def initial() -> list[float]:
    """The memory of a rule before the first reading."""
    return [0.0] * SIZE


def advance(  # noqa: PLR0913, PLR0917 - numbers and arrays, so that it can be compiled
    memory: Numbers,
    kind: float,
    now_ms: float,
    relevant: float,
    wrong: float,
    value: float,
    lasting_ms: float,
    hold_ms: float,
    gap_ms: float,
    drop: float,
) -> bool:
    """Take a reading; whether the rule is raised after it.

    Args:
        memory: `SIZE` numbers, changed.
        kind: `HOLDS`, `STUCK` or `FALLING`.
        now_ms: of the reading.
        relevant: 1 in context, else 0.
        wrong: of `HOLDS`: 1 or 0; -1 = a value is missing.
        value: of the others; NaN = missing.
        lasting_ms: of the rule, as the rest.
        hold_ms: ...
        gap_ms: a longer silence breaks off what is being counted.
        drop: ...
    """
    elapsed = now_ms - memory[LAST_MS]
    memory[LAST_MS] = now_ms
    if elapsed < 0.0 or elapsed > gap_ms:
        elapsed = 0.0
        memory[HELD_MS] = memory[BEGAN_MS] = 0.0
    if kind == FALLING and relevant == 0.0:
        memory[BEGAN_MS] = 0.0
    if relevant > 0.0 and kind == STUCK:
        wrong = repeats(memory, now_ms, value)
    elif relevant > 0.0 and kind == FALLING:
        wrong = falls(memory, now_ms, value, lasting_ms, drop)
        lasting_ms = 0.0
    if relevant > 0.0 and wrong > 0.0:
        memory[HELD_MS] += elapsed
        memory[CLEAR_MS] = 0.0
        if memory[HELD_MS] >= lasting_ms and memory[RAISED_MS] == 0.0:
            memory[RAISED_MS] = now_ms
    elif relevant > 0.0 and wrong == 0.0:
        memory[HELD_MS] = 0.0
        memory[CLEAR_MS] += elapsed
        if memory[CLEAR_MS] >= hold_ms:
            memory[RAISED_MS] = 0.0
    return memory[RAISED_MS] > 0.0


def repeats(memory: Numbers, now_ms: float, value: float) -> float:
    """1 if the value is the last one again, 0 if it is not, -1 if it is missing."""
    if value != value:  # noqa: PLR0124 - NaN
        return -1.0
    same = memory[BEGAN_MS] > 0.0 and value == memory[VALUE]
    if not same:
        memory[BEGAN_MS] = now_ms
    memory[VALUE] = value
    return 1.0 if same else 0.0


def falls(memory: Numbers, now_ms: float, value: float, lasting_ms: float, drop: float) -> float:
    """1 while the value has kept falling for long and far, 0 if it has not, -1 if it is missing."""
    if value != value:  # noqa: PLR0124 - NaN
        return -1.0
    if memory[BEGAN_MS] == 0.0 or now_ms - memory[LOW_MS] > FALL_PAUSE_MS:
        memory[BEGAN_MS] = memory[LOW_MS] = now_ms
        memory[FIRST] = memory[VALUE] = value
    elif value <= memory[VALUE] - FALL_STEP:
        memory[VALUE] = value
        memory[LOW_MS] = now_ms
    long = memory[LOW_MS] - memory[BEGAN_MS] >= lasting_ms
    return 1.0 if long and memory[FIRST] - memory[VALUE] >= drop else 0.0
