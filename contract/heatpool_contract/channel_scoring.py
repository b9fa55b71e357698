"""One channel of a detector made ready to score: feature vector -> anomaly score in [0, 1].

In: a channel with its structures; vectors in the order of the mode's targets, None = missing.
Out: what `river.anomaly.HalfSpaceTrees.score_one` would return for the squashed vector, averaged
over the forests. Guaranteed: only + - * / and comparisons of IEEE 754 doubles, in the order written
here, so that every machine and the trainer's compiled copy agree bit for bit. Sums of masses are
integers below 2**53 and therefore exact in any order.
"""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING, Final

from heatpool_contract.detector_checks import all_nodes, counts, floats, inner_nodes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from heatpool_contract.detector import Channel, Forest, Structure

SIZE_LIMIT_SHARE: Final = 0.1
"""River stops a walk at nodes lighter than this share of the window (Tan, Ting, Liu 2011)."""

_LEAF: Final = -1


class CompiledForest:
    """The nodes that a scoring walk can reach; a tenth or less of all, in flat lists."""

    def __init__(self, structure: Structure, forest: Forest) -> None:
        """Walk every tree once and keep, per node, the sum a walk ending there would have."""
        self._feature: list[int] = []
        self._threshold: list[float] = []
        self._child: list[int] = []
        self._sum: list[int] = []
        self._roots: list[int] = []
        features = structure.feature
        thresholds = floats(structure.threshold)
        masses = counts(forest.r_mass)
        inner, size = inner_nodes(structure.height), all_nodes(structure.height)
        mass_min = SIZE_LIMIT_SHARE * forest.window_size
        for tree in range(structure.trees):
            self._roots.append(self._grow())
            pending = [(self._roots[-1], 0, 1, 0)]
            while pending:
                slot, node, weight, above = pending.pop()
                mass = masses[tree * size + node]
                self._sum[slot] = above + mass * weight
                if node >= inner or mass < mass_min:
                    continue
                self._feature[slot] = features[tree * inner + node]
                self._threshold[slot] = thresholds[tree * inner + node]
                left = self._child[slot] = self._grow()
                right = self._grow()
                pending.append((left, 2 * node + 1, 2 * weight, self._sum[slot]))
                pending.append((right, 2 * node + 2, 2 * weight, self._sum[slot]))
        # river's `_max_score`
        self._sum_max = structure.trees * forest.window_size * size

    def score(self, vector: Sequence[float]) -> float:
        """Score of a squashed vector; near 1 = unlike everything in the window."""
        feature, threshold, child = self._feature, self._threshold, self._child
        total = 0
        for root in self._roots:
            node = root
            split = feature[node]
            while split >= 0:
                node = child[node] if vector[split] < threshold[node] else child[node] + 1
                split = feature[node]
            total += self._sum[node]
        return 1 - total / self._sum_max

    def _grow(self) -> int:
        self._feature.append(_LEAF)
        self._threshold.append(0.0)
        self._child.append(0)
        self._sum.append(0)
        return len(self._feature) - 1


class CompiledChannel:
    """A channel with its forests, and the precision matrix that explanations need."""

    def __init__(self, channel: Channel, structures: Sequence[Structure]) -> None:
        """Compile the forests."""
        self.channel = channel
        size = len(channel.centre)
        self._rows = [channel.whitening[i * size : (i + 1) * size] for i in range(size)]
        self._forests = [
            CompiledForest(structures[forest.structure], forest) for forest in channel.forests
        ]
        self._precision = [[self._dot(i, j) for j in range(size)] for i in range(size)]

    def score(self, vector: Sequence[float]) -> float:
        """Mean score of the forests for a complete vector of residuals."""
        squashed = self._squashed(vector)
        total = 0.0
        for forest in self._forests:
            total += forest.score(squashed)
        return total / len(self._forests)

    def imputed(self, vector: Sequence[float | None]) -> list[float]:
        """The vector with medians in its gaps."""
        return [
            median if value is None else value
            for value, median in zip(vector, self.channel.imputed, strict=True)
        ]

    def expected(self, vector: Sequence[float], feature: int) -> tuple[float, float]:
        """Expectation of a feature given the others, and how far the truth is off, squared.

        Conditional mean of a normal distribution with the channel's centre and covariance; the
        second number is the share of T2 that the feature takes away when it is set to the mean.
        """
        gap = 0.0
        for weight, value, centre in zip(
            self._precision[feature], vector, self.channel.centre, strict=True
        ):
            gap += weight * (value - centre)
        own = self._precision[feature][feature]
        return vector[feature] - gap / own, gap * gap / own

    def deviation(self, feature: int) -> float:
        """Standard deviation of a feature while the others are given."""
        return sqrt(1.0 / self._precision[feature][feature])

    def ablated(self, vector: Sequence[float]) -> list[tuple[float, float]]:
        """Per feature: how much lower the score is with the feature at its conditional mean.

        The second number orders features between which the trees see no difference.
        """
        score = self.score(vector)
        drops = []
        for feature in range(len(vector)):
            mean, distance = self.expected(vector, feature)
            usual = [*vector]
            usual[feature] = mean
            drops.append((score - self.score(usual), distance))
        return drops

    def rarity_weeks(self, score: float) -> float | None:
        """Pump-weeks in which a healthy pump reaches this score once; None = more often."""
        weeks = None
        for step in self.channel.rarity:
            if step.score > score:
                break
            weeks = step.weeks
        return weeks

    def _dot(self, first: int, second: int) -> float:
        total = 0.0  # not `sum`, which compensates from Python 3.12 on
        for row in self._rows:
            total += row[first] * row[second]
        return total

    def _squashed(self, vector: Sequence[float]) -> list[float]:
        channel = self.channel
        offsets = [value - centre for value, centre in zip(vector, channel.centre, strict=True)]
        squashed = []
        for row, median, scale in zip(self._rows, channel.median, channel.scale, strict=True):
            white = 0.0
            for weight, offset in zip(row, offsets, strict=True):
                white += weight * offset
            z = (white - median) / scale
            squashed.append(0.5 + 0.5 * z / (channel.squash + abs(z)))
        return squashed
