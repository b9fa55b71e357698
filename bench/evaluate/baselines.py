"""What others would have used: detectors that see one vector at a time.

In: training vectors, vectors to score. Out: scores of both, higher = odder. Guarantee: the two
pipelines of the predecessor are river's own code in its parameters, fed row after row; every
detector sees the same vectors.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import numpy as np
from river import anomaly, compose, preprocessing
from sklearn.ensemble import IsolationForest

if TYPE_CHECKING:
    from collections.abc import Callable

    from heatpool_trainer.native import Floats

Scorer: TypeAlias = "Callable[[Floats, Floats, int], tuple[Floats, Floats]]"

PREDECESSOR_THRESHOLD: Final = 0.7  # fixed in the predecessor's code
VARIANCE_KEPT: Final = 0.9  # by principal components
BINS: Final = 20
TREES: Final = 200
PROBABILITY_MIN: Final = 1e-6


def minmax_trees(training: Floats, rest: Floats, seed: int) -> tuple[Floats, Floats]:
    """The predecessor's trainer: MinMaxScaler, 50 trees of height 6, windows of 250."""
    return _river("minmax", training, rest, seed)


def standard_trees(training: Floats, rest: Floats, seed: int) -> tuple[Floats, Floats]:
    """The predecessor's service: StandardScaler, 25 trees of height 15, windows of 250."""
    return _river("standard", training, rest, seed)


def isolation_forest(training: Floats, rest: Floats, seed: int) -> tuple[Floats, Floats]:
    """scikit-learn's, 200 trees."""
    model = IsolationForest(n_estimators=TREES, random_state=seed).fit(training)
    return -model.score_samples(training), -model.score_samples(rest)


def pca_t2_q(training: Floats, rest: Floats, seed: int) -> tuple[Floats, Floats]:
    """Hotelling's T2 in the principal space and Q beside it, each over its training quantile."""
    del seed
    centre, scale = training.mean(axis=0), training.std(axis=0)
    scale = np.where(scale > 0.0, scale, 1.0)
    _, sizes, axes = np.linalg.svd((training - centre) / scale, full_matrices=False)
    variances = sizes**2 / len(training)
    kept = 1 + int(np.searchsorted(np.cumsum(variances) / variances.sum(), VARIANCE_KEPT))
    kept = min(kept, len(variances))
    limits = np.ones(2)

    def both(vectors: Floats) -> Floats:
        z = (vectors - centre) / scale
        parts = z @ axes[:kept].T
        t2 = (parts**2 / np.maximum(variances[:kept], PROBABILITY_MIN)).sum(axis=1)
        q = ((z - parts @ axes[:kept]) ** 2).sum(axis=1)
        return np.column_stack([t2, q]) / limits

    limits = np.maximum(np.quantile(both(training), 0.999, axis=0), PROBABILITY_MIN)
    return both(training).max(axis=1), both(rest).max(axis=1)


def hbos(training: Floats, rest: Floats, seed: int) -> tuple[Floats, Floats]:
    """Histogram-based outlier score (Goldstein and Dengel 2012): sum of -log density a feature."""
    del seed
    scores = [np.zeros(len(training)), np.zeros(len(rest))]
    for column in range(training.shape[1]):
        counts, edges = np.histogram(training[:, column], BINS)
        density = counts / max(float(counts.max()), 1.0)
        for place, vectors in enumerate((training, rest)):
            where = np.searchsorted(edges, vectors[:, column], side="right") - 1
            inside = (vectors[:, column] >= edges[0]) & (vectors[:, column] <= edges[-1])
            found = np.where(inside, density[np.clip(where, 0, BINS - 1)], 0.0)
            scores[place] = scores[place] - np.log(np.maximum(found, PROBABILITY_MIN))
    return scores[0], scores[1]


def _river(
    kind: Literal["minmax", "standard"], training: Floats, rest: Floats, seed: int
) -> tuple[Floats, Floats]:
    """Learn in the order of the rows, then freeze."""
    names = tuple(f"{column:02d}" for column in range(training.shape[1]))
    scaler = preprocessing.MinMaxScaler() if kind == "minmax" else preprocessing.StandardScaler()
    model = compose.Pipeline(scaler, _empty(_drawn(kind, names, seed)))
    for row in training.tolist():
        model.learn_one(dict(zip(names, row, strict=True)))
    found = [
        np.array([model.score_one(dict(zip(names, row, strict=True))) for row in rows.tolist()])
        for rows in (training, rest)
    ]
    return found[0], found[1]


@functools.cache
def _drawn(
    kind: Literal["minmax", "standard"], names: tuple[str, ...], seed: int
) -> anomaly.HalfSpaceTrees:
    """Drawing 1.6 million nodes takes river ten seconds: once for all files."""
    trees, height = (50, 6) if kind == "minmax" else (25, 15)
    model = anomaly.HalfSpaceTrees(n_trees=trees, height=height, window_size=250, seed=seed)
    model.learn_one(dict.fromkeys(names, 0.5))  # type: ignore[no-untyped-call]  # river's
    return model


def _empty(model: anomaly.HalfSpaceTrees) -> anomaly.HalfSpaceTrees:
    """As after drawing, before the first row."""
    pending = [*model.trees]
    while pending:
        node = pending.pop()
        node.l_mass = node.r_mass = 0
        pending.extend(getattr(node, "children", ()))
    model.counter, model._first_window = 0, True  # noqa: SLF001 - river has no reset
    return model


ALL: Final[tuple[tuple[str, Scorer], ...]] = (
    ("predecessor's trainer (river MinMax 50/6/250)", minmax_trees),
    ("predecessor's service (river Standard 25/15/250)", standard_trees),
    ("IsolationForest (scikit-learn, 200)", isolation_forest),
    ("PCA T2 + Q", pca_t2_q),
    ("HBOS", hbos),
)
