"""Fitting a channel: medians, whitening, scales, and the masses of its forests.

In: vectors of homes, in a fixed order of homes, equally many from each. Out: a `Channel` whose
threshold nothing reaches yet. Guaranteed: the same bits whatever order the homes arrived in; a
vector far outside pulls at centre and covariance no more than one some deviations away, and is one
vector in the masses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from heatpool_contract.detector import Channel
from heatpool_trainer import features, forest
from heatpool_trainer.reference_fit import MAD_TO_SIGMA
from heatpool_trainer.whitening import covariance, inverse_root

if TYPE_CHECKING:
    from collections.abc import Sequence

    from heatpool_contract.detector import Structure
    from heatpool_trainer.native import Floats

CLIP_SIGMAS: Final = 6.0  # beyond, a vector pulls at the covariance no further
SHRINKAGE: Final = 0.2  # towards the diagonal: near-copies of a feature must not dominate
SCALE_MIN: Final = 1e-9  # of a feature that hardly varies
UNREACHABLE: Final = 2.0  # scores end at 1: a channel not calibrated yet raises nothing


def spread_evenly(vectors: Floats, number: int) -> Floats:
    """At most `number` of the vectors, at equal distances."""
    if len(vectors) <= number:
        return vectors
    return vectors[np.arange(number) * len(vectors) // number]


def fit(
    blank: Channel,
    vectors: Sequence[Floats],
    structures: Sequence[Structure],
    chosen: Sequence[int],
) -> Channel:
    """Fill in everything but threshold and rarity.

    Args:
        blank: name, squash and timing of the channel.
        vectors: per home, shape (n, features), NaN = missing; homes in canonical order.
        structures: all of the payload.
        chosen: indices of those to fill, one forest each.
    """
    pooled = np.concatenate(vectors)
    imputed = np.array([features.median(column) for column in pooled.T])
    complete = np.where(np.isnan(pooled), imputed, pooled)
    sigmas = _sigmas(complete - imputed)
    scaled = np.clip((complete - imputed) / sigmas, -CLIP_SIGMAS, CLIP_SIGMAS)
    shrunk = (1.0 - SHRINKAGE) * covariance(scaled) + SHRINKAGE * np.eye(len(sigmas))
    whitening = inverse_root(shrunk) / sigmas
    size = len(sigmas)
    plain = msgspec.structs.replace(
        blank,
        imputed=tuple(imputed.tolist()),
        centre=tuple(imputed.tolist()),
        whitening=tuple(whitening.ravel().tolist()),
        median=(0.0,) * size,
        scale=(1.0,) * size,
    )
    white = features.whitened(plain, complete)
    middles = np.array([features.median(column) for column in white.T])
    ready = msgspec.structs.replace(
        plain, median=tuple(middles.tolist()), scale=tuple(_sigmas(white - middles).tolist())
    )
    inputs = features.squashed(ready, complete)
    forests = tuple(
        forest.forest(index, forest.count_masses(structures[index], inputs)) for index in chosen
    )
    return msgspec.structs.replace(ready, forests=forests)


def _sigmas(centred: Floats) -> Floats:
    """Robust scale of every column; of one that is mostly constant, its root mean square."""
    robust = MAD_TO_SIGMA * np.median(np.abs(centred), axis=0)
    plain = np.sqrt(np.diag(covariance(centred)))
    return np.maximum(np.where(robust > 0.0, robust, plain), SCALE_MIN)
