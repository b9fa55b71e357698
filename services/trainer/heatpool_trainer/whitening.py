"""The symmetric inverse root of a covariance matrix: whitened features that keep their names.

In: vectors. Out: W with W C W = 1, C their shrunk covariance (ZCA; Kessy, Lewin, Strimmer 2018).
Guaranteed: sums in row order and Jacobi rotations in compiled code, hence the same bits on every
processor, which a LAPACK does not promise.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from heatpool_trainer.native import Floats, compiled

SWEEPS_MAX: Final = 40  # converges in under ten for 64 features


@compiled
def covariance(vectors: Floats) -> Floats:
    """Mean of the outer products of centred vectors."""
    size = vectors.shape[1]
    total = np.zeros((size, size))
    for row in range(vectors.shape[0]):
        for i in range(size):
            for j in range(i + 1):
                total[i, j] += vectors[row, i] * vectors[row, j]
    for i in range(size):
        for j in range(i + 1):
            total[i, j] /= vectors.shape[0]
            total[j, i] = total[i, j]
    return total


@compiled
def inverse_root(matrix: Floats) -> Floats:
    """Symmetric inverse square root of a positive definite matrix, by cyclic Jacobi rotations."""
    size = matrix.shape[0]
    work, vectors = matrix.copy(), np.eye(size)
    for _ in range(SWEEPS_MAX):
        off = 0.0
        for p in range(size - 1):
            for q in range(p + 1, size):
                off += work[p, q] * work[p, q]
                if work[p, q] == 0.0:
                    continue
                theta = (work[q, q] - work[p, p]) / (2.0 * work[p, q])
                sign = 1.0 if theta >= 0.0 else -1.0
                tangent = sign / (abs(theta) + np.sqrt(theta * theta + 1.0))
                cosine = 1.0 / np.sqrt(tangent * tangent + 1.0)
                sine = tangent * cosine
                for k in range(size):
                    first, second = work[k, p], work[k, q]
                    work[k, p] = cosine * first - sine * second
                    work[k, q] = sine * first + cosine * second
                for k in range(size):
                    first, second = work[p, k], work[q, k]
                    work[p, k] = cosine * first - sine * second
                    work[q, k] = sine * first + cosine * second
                for k in range(size):
                    first, second = vectors[k, p], vectors[k, q]
                    vectors[k, p] = cosine * first - sine * second
                    vectors[k, q] = sine * first + cosine * second
        if off < 1e-24:
            break
    root = np.zeros((size, size))
    for i in range(size):
        for j in range(size):
            for k in range(size):
                root[i, j] += vectors[i, k] * vectors[j, k] / np.sqrt(work[k, k])
    return root
