"""Half-space trees as arrays: built by river, counted and scored by compiled loops.

In: a number of features, a seed; squashed vectors in [0, 1]. Out: the contract's `Structure` and
`Forest`, scores, and on demand the ordinary river object. Guaranteed: masses and scores equal those
of `river.anomaly.HalfSpaceTrees` (difference 0), in any order of the vectors; masses of parts add
up, so a part can be subtracted again.

Tan, Ting, Liu: Fast anomaly detection for streaming data, IJCAI 2011. River keeps the masses of the
last `window_size` vectors; here one window holds the whole training set.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

import numpy as np
from river.anomaly import HalfSpaceTrees

from heatpool_contract.channel_scoring import SIZE_LIMIT_SHARE
from heatpool_contract.detector import Forest, Structure
from heatpool_contract.detector_checks import all_nodes, inner_nodes
from heatpool_trainer.native import Floats, Integers, compiled

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


LANES: Final = 8
"""Vectors that go down a tree side by side: each step waits for memory, so eight wait at once."""


def structure(features: int, trees: int, height: int, seed: int) -> Structure:
    """Trees as river draws them for features with limits [0, 1]; no masses yet."""
    model = HalfSpaceTrees(n_trees=trees, height=height, window_size=2, seed=seed)
    # River draws its trees at the first vector.
    names = [_name(feature) for feature in range(features)]
    _draw(model, names)
    return arrays_from_river(model, names)[0]


def count_masses(trees: Structure, vectors: Floats) -> Integers:
    """How many vectors pass each node, shape (trees, nodes).

    Args:
        trees: with F features.
        vectors: shape (n, F).
    """
    feature, threshold = _splits(trees)
    return _count(_blocked(vectors), len(vectors), feature, threshold, trees.height)


def forest(index: int, masses: Integers) -> Forest:
    """Masses of one complete window as part of a payload; `index` names their structure."""
    return Forest(
        structure=index, window_size=int(masses[0, 0]), r_mass=masses.astype("<u4").tobytes()
    )


def scores(structures: Sequence[Structure], forests: Sequence[Forest], vectors: Floats) -> Floats:
    """Mean score over forests per vector, shape (n,), as `CompiledChannel.score` has it."""
    total = np.zeros(len(vectors))
    blocks = _blocked(vectors)
    for one in forests:
        trees = structures[one.structure]
        masses = np.frombuffer(one.r_mass, "<u4").reshape(trees.trees, -1).astype(np.float64)
        feature, threshold = _splits(trees)
        mass_min = SIZE_LIMIT_SHARE * one.window_size
        sums = _path_sums(blocks, feature, threshold, masses, trees.height, mass_min)[: len(total)]
        total = total + (1 - sums / float(masses.size * one.window_size))
    return total / len(forests)


def river_forest(trees: Structure, one: Forest, names: Sequence[str]) -> HalfSpaceTrees:
    """The ordinary river model: scores and goes on learning as if it had counted itself.

    Args:
        trees: the structure that `one` refers to.
        one: masses.
        names: of the features, sorted.
    """
    model = HalfSpaceTrees(n_trees=trees.trees, height=trees.height, window_size=one.window_size)
    _draw(model, names)  # makes nodes of river's classes; filled below
    feature, threshold = _splits(trees)
    r_mass = np.frombuffer(one.r_mass, "<u4").reshape(trees.trees, -1)
    zeros = np.zeros_like(r_mass)
    l_mass = zeros if one.l_mass is None else np.frombuffer(one.l_mass, "<u4").reshape(r_mass.shape)
    for tree, root in enumerate(model.trees):
        for heap, node in _heap(root):
            if heap < feature.shape[1]:
                node.feature = names[feature[tree, heap]]
                node.threshold = float(threshold[tree, heap])
            node.r_mass, node.l_mass = int(r_mass[tree, heap]), int(l_mass[tree, heap])
    model.counter = int(l_mass[0, 0])
    model._first_window = False  # noqa: SLF001 - river has no other way to restore a model
    return model


def arrays_from_river(model: HalfSpaceTrees, names: Sequence[str]) -> tuple[Structure, Forest]:
    """A river model that has learnt at least one vector, as arrays.

    Args:
        model: with complete features.
        names: of its features, sorted.
    """
    shape = (len(model.trees), inner_nodes(model.height))
    feature, threshold = np.zeros(shape, np.uint8), np.zeros(shape)
    r_mass = np.zeros((shape[0], all_nodes(model.height)), np.uint32)
    l_mass = np.zeros_like(r_mass)
    for tree, root in enumerate(model.trees):
        for heap, node in _heap(root):
            if heap < shape[1]:
                feature[tree, heap] = names.index(node.feature)
                threshold[tree, heap] = node.threshold
            r_mass[tree, heap], l_mass[tree, heap] = node.r_mass, node.l_mass
    trees = Structure(
        trees=shape[0],
        height=model.height,
        features=len(names),
        feature=feature.tobytes(),
        threshold=threshold.astype("<f8").tobytes(),
    )
    one = Forest(
        structure=0,
        window_size=model.window_size,
        r_mass=r_mass.astype("<u4").tobytes(),
        l_mass=l_mass.astype("<u4").tobytes() if l_mass.any() else None,
    )
    return trees, one


def _draw(model: HalfSpaceTrees, names: Sequence[str]) -> None:
    model.learn_one(dict.fromkeys(names, 0.5))  # type: ignore[no-untyped-call]  # river's


def _name(feature: int) -> str:
    return f"{feature:02d}"  # river sorts by name


def _splits(trees: Structure) -> tuple[Integers, Floats]:
    shape = (trees.trees, inner_nodes(trees.height))
    feature = np.frombuffer(trees.feature, np.uint8).reshape(shape).astype(np.int64)
    return feature, np.frombuffer(trees.threshold, "<f8").reshape(shape).astype(np.float64)


class _Node(Protocol):
    """A node of river's trees; inner ones have `feature`, `threshold` and `children`, too."""

    feature: str
    threshold: float
    r_mass: int
    l_mass: int


def _heap(root: _Node) -> Iterator[tuple[int, _Node]]:
    pending = [(0, root)]
    while pending:
        heap, node = pending.pop()
        yield heap, node
        for side, child in enumerate(getattr(node, "children", ())):
            pending.append((2 * heap + 1 + side, child))


def _blocked(vectors: Floats) -> Floats:
    """Filled up with zeros to whole blocks, so that the compiler knows their size."""
    missing = -len(vectors) % LANES
    if missing:
        vectors = np.concatenate([vectors, np.zeros((missing, vectors.shape[1]))])
    return np.ascontiguousarray(vectors)


@compiled
def _count(
    vectors: Floats, rows: int, feature: Integers, threshold: Floats, height: int
) -> Integers:
    trees, inner = feature.shape
    masses = np.zeros((trees, 2 * inner + 1), np.int64)
    nodes = np.zeros(LANES, np.int64)
    for tree in range(trees):
        split, limit = feature[tree], threshold[tree]
        for first in range(0, rows, LANES):
            nodes[:] = 0
            for _ in range(height):
                for lane in range(LANES):
                    node = nodes[lane]
                    right = not vectors[first + lane, split[node]] < limit[node]
                    nodes[lane] = 2 * node + 1 + right
            for lane in range(min(LANES, rows - first)):
                masses[tree, nodes[lane]] += 1
        for node in range(inner - 1, -1, -1):
            masses[tree, node] = masses[tree, 2 * node + 1] + masses[tree, 2 * node + 2]
    return masses


@compiled
def _path_sums(
    vectors: Floats,
    feature: Integers,
    threshold: Floats,
    masses: Floats,
    height: int,
    mass_min: float,
) -> Floats:
    sums = np.zeros(vectors.shape[0])
    nodes = np.zeros(LANES, np.int64)
    for tree in range(feature.shape[0]):
        split, limit, mass = feature[tree], threshold[tree], masses[tree]
        for first in range(0, vectors.shape[0], LANES):
            nodes[:] = 0
            weight = 1.0
            for depth in range(height + 1):
                walking = 0
                for lane in range(LANES):
                    node = nodes[lane]
                    if node < 0:
                        continue
                    sums[first + lane] += mass[node] * weight
                    if depth == height or mass[node] < mass_min:
                        nodes[lane] = -1
                        continue
                    right = not vectors[first + lane, split[node]] < limit[node]
                    nodes[lane] = 2 * node + 1 + right
                    walking += 1
                if walking == 0:
                    break
                weight *= 2.0
    return sums
