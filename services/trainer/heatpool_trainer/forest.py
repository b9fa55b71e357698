"""Half-space trees as arrays: built by river, counted and scored by compiled loops.

In: a number of features, a seed; squashed vectors in [0, 1]. Out: the contract's `Structure` and
`Forest`, scores, and on demand the ordinary river object. Guaranteed: masses and scores equal those
of `river.anomaly.HalfSpaceTrees` (difference 0), in any order of the vectors; masses of parts add
up, so a part can be subtracted again.

Tan, Ting, Liu: Fast anomaly detection for streaming data, IJCAI 2011. River keeps the masses of the
last `window_size` vectors; here one window holds the whole training set.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np
from river.anomaly import HalfSpaceTrees

from heatpool_contract.channel_scoring import SIZE_LIMIT_SHARE
from heatpool_contract.detector import Forest, Structure
from heatpool_contract.detector_checks import all_nodes, inner_nodes
from heatpool_trainer.native import Floats, Integers, compiled

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


LANES: Final = 8  # of `_leaves`
"""Vectors that go down a tree side by side: each step waits for memory, so eight wait at once."""
BLOCK: Final = 64 * LANES
"""Vectors that all trees see before the next ones come: so many stay in the nearest cache."""
FORESTS_KEPT: Final = 32
"""Prepared to score, half a megabyte each: a channel's are asked for home by home."""


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
    return _count(_blocked(vectors), len(vectors), *_rooted(trees), trees.height)


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
        sums = _path_sums(blocks, *_prepared(trees, one), trees.height)[: len(total)]
        total = total + (1 - sums / float(trees.trees * all_nodes(trees.height) * one.window_size))
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


def _rooted(trees: Structure) -> tuple[Integers, Floats]:
    """Splits with the root at 1, as small as they can be: they compete for the nearest cache."""
    feature, threshold = _splits(trees)
    before = ((0, 0), (1, 0))
    return np.pad(feature, before).astype(np.uint8), np.pad(threshold, before)


@lru_cache(maxsize=FORESTS_KEPT)
def _prepared(trees: Structure, one: Forest) -> tuple[Integers, Floats, Floats]:
    """Splits with the root at 1, and what is summed on the way to each leaf."""
    masses = np.frombuffer(one.r_mass, "<u4").reshape(trees.trees, -1).astype(np.float64)
    return *_rooted(trees), _leaf_sums(masses, trees.height, SIZE_LIMIT_SHARE * one.window_size)


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
def _leaves(
    vectors: Floats, first: int, split: Integers, limit: Floats, height: int
) -> tuple[np.uint64, ...]:
    """The nodes that `LANES` vectors reach at the bottom, the root being 1.

    Written out, and without a sign, because the compiler then keeps them in registers.
    """
    a, b, c, d = vectors[first], vectors[first + 1], vectors[first + 2], vectors[first + 3]
    e, f, g, h = vectors[first + 4], vectors[first + 5], vectors[first + 6], vectors[first + 7]
    k = m = n = o = p = q = r = s = np.uint64(1)
    for _ in range(height):
        k = k + k + np.uint64(not a[split[k]] < limit[k])
        m = m + m + np.uint64(not b[split[m]] < limit[m])
        n = n + n + np.uint64(not c[split[n]] < limit[n])
        o = o + o + np.uint64(not d[split[o]] < limit[o])
        p = p + p + np.uint64(not e[split[p]] < limit[p])
        q = q + q + np.uint64(not f[split[q]] < limit[q])
        r = r + r + np.uint64(not g[split[r]] < limit[r])
        s = s + s + np.uint64(not h[split[s]] < limit[s])
    return k, m, n, o, p, q, r, s


@compiled
def _count(
    vectors: Floats, rows: int, feature: Integers, threshold: Floats, height: int
) -> Integers:
    trees, nodes = feature.shape
    masses = np.zeros((trees, 2 * nodes), np.int64)  # the root at 1
    for start in range(0, rows, BLOCK):
        for tree in range(trees):
            for first in range(start, min(start + BLOCK, rows), LANES):
                place = first
                for node in _leaves(vectors, first, feature[tree], threshold[tree], height):
                    masses[tree, node] += place < rows
                    place += 1
    for tree in range(trees):
        for inner in range(nodes - 1, 0, -1):
            masses[tree, inner] = masses[tree, 2 * inner] + masses[tree, 2 * inner + 1]
    return masses[:, 1:].copy()


@compiled
def _leaf_sums(masses: Floats, height: int, mass_min: float) -> Floats:
    """What a vector that reaches a leaf has summed on its way, up to the first node too light.

    Masses times powers of two, hence whole numbers: the same in whatever order they are added.
    """
    leaves = 2**height
    sums = np.empty((masses.shape[0], leaves))
    for tree in range(masses.shape[0]):
        for leaf in range(leaves):
            total, weight = 0.0, 1.0
            for depth in range(height + 1):
                mass = masses[tree, (leaves + leaf) // 2 ** (height - depth) - 1]
                total += mass * weight
                if mass < mass_min:
                    break
                weight *= 2.0
            sums[tree, leaf] = total
    return sums


@compiled
def _path_sums(
    vectors: Floats, feature: Integers, threshold: Floats, leaves: Floats, height: int
) -> Floats:
    sums = np.zeros(vectors.shape[0])
    below = np.uint64(leaves.shape[1])
    for start in range(0, vectors.shape[0], BLOCK):
        for tree in range(feature.shape[0]):
            for first in range(start, min(start + BLOCK, vectors.shape[0]), LANES):
                place = first
                for node in _leaves(vectors, first, feature[tree], threshold[tree], height):
                    sums[place] += leaves[tree, node - below]
                    place += 1
    return sums
