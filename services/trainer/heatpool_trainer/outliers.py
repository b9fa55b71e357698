"""Homes that the other homes' model rejects: a faulty pump whose owner does not know, or a lie.

In: the vectors of every home under the model of all, and its masses. Out: homes whose own vectors
are odd to the others, and by how much. Guaranteed: each home is scored by the masses of the others
alone, by exact subtraction; the outcome does not depend on the order of homes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from heatpool_trainer import features, forest
from heatpool_trainer.reference_fit import MAD_TO_SIGMA

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from heatpool_contract.detector import Channel, Structure
    from heatpool_trainer.native import Floats

QUANTILE: Final = 0.9  # of a home's scores: what it does in its odder hours
DEVIATION_MAX: Final = 5.0  # of simulated healthy homes |z| <= 3; of one fouled by half 19
HOMES_MIN: Final = 5  # to say what is usual
SPREAD_MIN: Final = 0.02  # of ln(1 - score): homes that agree to 2 % are not told apart
VECTORS_MIN: Final = 20  # of a home, for a quantile
SPAN_MS_MIN: Final = 2 * 86_400_000  # from first to last: an afternoon is weather, not a home


class Odd(msgspec.Struct, frozen=True):
    """A home that the others' model rejects."""

    home: str
    mode: str
    channel: str
    """Where it differs most."""
    deviations: float
    """Robust standard deviations of the homes' quantiles."""


def odd_homes(
    mode: str,
    channel: Channel,
    structures: Sequence[Structure],
    vectors: Mapping[str, Floats],
) -> list[Odd]:
    """Homes that stand out in one channel.

    Args:
        mode: name, for the report.
        channel: fitted on the vectors of all these homes.
        structures: of the payload.
        vectors: per home, the very ones whose masses are in the channel.
    """
    one = channel.forests[0]  # one seed tells who is odd
    trees = structures[one.structure]
    total = np.frombuffer(one.r_mass, "<u4").reshape(trees.trees, -1).astype(np.int64)
    levels: dict[str, float] = {}
    for home, found in vectors.items():
        if not VECTORS_MIN <= len(found) < one.window_size:
            continue
        inputs = features.squashed(channel, found)
        others = forest.forest(one.structure, total - forest.count_masses(trees, inputs))
        scores = forest.scores(structures, [others], inputs)
        level = float(np.quantile(scores, QUANTILE, method="higher"))
        levels[home] = -float(np.log(max(1.0 - level, np.finfo(np.float64).tiny)))
    if len(levels) < HOMES_MIN:
        return []
    found_levels = np.array(list(levels.values()))
    middle = np.median(found_levels)
    spread = max(MAD_TO_SIGMA * float(np.median(np.abs(found_levels - middle))), SPREAD_MIN)
    return [
        Odd(home, mode, channel.name, float(level - middle) / spread)
        for home, level in levels.items()
        if level - middle > DEVIATION_MAX * spread
    ]


def worst(found: Sequence[Odd]) -> tuple[Odd, ...]:
    """Each home once, where it stands out most, in the order of homes."""
    by_home: dict[str, Odd] = {}
    for one in found:
        known = by_home.get(one.home)
        if known is None or one.deviations > known.deviations:
            by_home[one.home] = one
    return tuple(by_home[home] for home in sorted(by_home))
