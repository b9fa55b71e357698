"""Half-space trees as arrays: the same trees, masses and scores as river's, to the last bit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river.anomaly import HalfSpaceTrees

from heatpool_contract.channel_scoring import CompiledForest
from heatpool_trainer import forest

if TYPE_CHECKING:
    from heatpool_trainer.native import Floats

TREES, HEIGHT, SEED = 7, 5, 11


def vectors(seed: int, number: int, features: int) -> Floats:
    """Some of them beyond the trees' range, some exactly on each other."""
    chance = np.random.default_rng(seed)
    found = chance.normal(0.5, 0.25, (number, features))
    found[::7] = found[0]
    return found


def names(features: int) -> list[str]:
    """As the trainer has them: sorted."""
    return [f"{index:02d}" for index in range(features)]


def _learn(model: HalfSpaceTrees, vector: dict[str, float]) -> None:
    model.learn_one(vector)  # type: ignore[no-untyped-call]  # river is half typed


def _score(model: HalfSpaceTrees, vector: dict[str, float]) -> float:
    return float(model.score_one(vector))  # type: ignore[no-untyped-call]  # river is half typed


def taught(found: Floats, window: int) -> HalfSpaceTrees:
    """River's own model after learning the vectors one by one."""
    model = HalfSpaceTrees(n_trees=TREES, height=HEIGHT, window_size=window, seed=SEED)
    for vector in found.tolist():
        _learn(model, dict(zip(names(found.shape[1]), vector, strict=True)))
    return model


@given(
    seed=st.integers(0, 2**32),
    number=st.integers(2, 60),
    features=st.integers(1, 5),
    data=st.data(),
)
@settings(max_examples=25, deadline=None)
def test_masses_equal_rivers_in_any_order_and_any_number_of_parts(
    seed: int, number: int, features: int, data: st.DataObject
) -> None:
    """One window over all vectors, counted in parts and shuffled, against `learn_one`."""
    found = vectors(seed, number, features)
    trees, learnt = forest.arrays_from_river(taught(found, number), names(features))
    order = data.draw(st.permutations(range(number)))
    cuts = sorted(data.draw(st.lists(st.integers(0, number), max_size=4)))

    parts = np.split(found[order], cuts)
    masses = sum(forest.count_masses(trees, part) for part in parts)

    assert trees == forest.structure(features, TREES, HEIGHT, SEED)
    assert forest.forest(0, np.asarray(masses)) == learnt


@given(seed=st.integers(0, 2**32), features=st.integers(1, 5))
@settings(max_examples=15, deadline=None)
def test_scores_equal_rivers(seed: int, features: int) -> None:
    """River's object, the compiled loop and the client's plain Python: difference exactly 0."""
    found = vectors(seed, 50, features)
    model = taught(found, 50)
    trees, learnt = forest.arrays_from_river(model, names(features))
    others = vectors(seed + 1, 30, features)

    river = [_score(model, dict(zip(names(features), v, strict=True))) for v in others.tolist()]

    assert forest.scores([trees], [learnt], others).tolist() == river
    assert [CompiledForest(trees, learnt).score(vector) for vector in others.tolist()] == river


def test_several_forests_score_their_mean() -> None:
    """Seeds are averaged in the order of the payload."""
    found = vectors(1, 40, 3)
    trees = [forest.structure(3, TREES, HEIGHT, seed) for seed in (1, 2)]
    both = [forest.forest(i, forest.count_masses(one, found)) for i, one in enumerate(trees)]

    mean = forest.scores(trees, both, found)

    single = [forest.scores(trees, [one], found) for one in both]
    assert np.array_equal(mean, (single[0] + single[1]) / 2)


@pytest.mark.parametrize("extra", [0, 13])
def test_the_rebuilt_river_model_goes_on_as_the_original_would(extra: int) -> None:
    """Also in the middle of a window, and over its end."""
    found = vectors(2, 40 + extra, 4)
    original = taught(found, 40)
    trees, learnt = forest.arrays_from_river(original, names(4))

    rebuilt = forest.river_forest(trees, learnt, names(4))
    for vector in vectors(3, 60, 4).tolist():
        _learn(original, dict(zip(names(4), vector, strict=True)))
        _learn(rebuilt, dict(zip(names(4), vector, strict=True)))

    assert forest.arrays_from_river(rebuilt, names(4)) == forest.arrays_from_river(
        original, names(4)
    )


def test_subtracting_a_home_equals_never_having_counted_it() -> None:
    """What erasure and the leave-one-out filter rely on."""
    trees = forest.structure(3, TREES, HEIGHT, SEED)
    first, second = vectors(4, 50, 3), vectors(5, 30, 3)

    both = forest.count_masses(trees, np.concatenate([first, second]))

    assert np.array_equal(
        both - forest.count_masses(trees, second), forest.count_masses(trees, first)
    )
