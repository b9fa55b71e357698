"""The reference regression: right for clean data, steady under bad data, fair to every home."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from heatpool_trainer.reference_fit import PENALTY_MAX, basis, fit, penalties

if TYPE_CHECKING:
    from heatpool_trainer.native import Floats

TRUTH = np.array([10.0, 2.0, -1.0, 0.5, 0.3, 0.2])


def home(seed: int, number: int, lean: float = 0.0) -> Floats:
    """Terms of two conditioners; `lean` shifts where the home operates."""
    chance = np.random.default_rng(seed)
    u = np.clip(chance.uniform(-1, 1, number) * 0.5 + lean, -1, 1)
    v = chance.uniform(-1, 1, number)
    return np.column_stack([np.ones(number), u, v, u * u, u * v, v * v])


def test_coefficients_are_found_behind_home_effects_and_noise() -> None:
    """Homes differ by a factor; the median home is the reference."""
    bases = [home(seed, 400) for seed in range(7)]
    factors = [0.8, 0.9, 0.95, 1.0, 1.05, 1.1, 1.3]
    noise = np.random.default_rng(9)
    values = [
        b @ TRUTH * f * noise.normal(1, 0.01, 400) for b, f in zip(bases, factors, strict=True)
    ]

    found, floor = fit(bases, values, "ratio")

    assert np.array(found) == pytest.approx(TRUTH, abs=0.12)
    assert floor == pytest.approx(0.05 * float(np.median(np.concatenate(values))))


def test_homes_that_operate_elsewhere_do_not_tilt_the_reference() -> None:
    """Homes with high flow temperatures are also the leaky ones: no consequence of the flow."""
    leans = [-0.5, -0.2, 0.0, 0.2, 0.5]
    bases = [home(seed, 500, lean) for seed, lean in enumerate(leans)]
    values = [b @ TRUTH + 6.0 * lean for b, lean in zip(bases, leans, strict=True)]

    found, _ = fit(bases, values, "difference")

    assert np.array(found) == pytest.approx(TRUTH, abs=0.05)


def test_absurd_values_hardly_move_the_reference() -> None:
    """Two in a hundred readings a hundred times too high."""
    bases = [home(seed, 400) for seed in range(5)]
    clean = [b @ TRUTH for b in bases]
    dirty = [v.copy() for v in clean]
    for one in dirty:
        one[::50] *= 100.0
    noise = np.random.default_rng(1)
    dirty = [one + noise.normal(0, 0.05, one.size) for one in dirty]

    found, _ = fit(bases, dirty, "difference")

    assert np.array(found) == pytest.approx(TRUTH, abs=0.05)


def test_a_home_that_sends_fifty_times_as_much_has_the_same_weight() -> None:
    """Repeating a home's readings changes nothing but rounding."""
    bases = [home(seed, 300) for seed in range(4)]
    noise = np.random.default_rng(2)
    values = [b @ TRUTH + noise.normal(0, 0.5, 300) for b in bases]

    once, _ = fit(bases, values, "difference")
    loud, _ = fit(
        [*bases[:3], np.tile(bases[3], (50, 1))],
        [*values[:3], np.tile(values[3], 50)],
        "difference",
    )

    assert np.array(loud) == pytest.approx(np.array(once), abs=0.05)


def test_missing_values_and_empty_homes_are_left_out() -> None:
    """A home without the sensor has no say; nothing at all predicts zero."""
    bases = [home(1, 300), home(2, 300)]
    values = [bases[0] @ TRUTH, np.full(300, np.nan)]
    values[0][::3] = np.nan

    found, _ = fit(bases, values, "difference")
    nothing, floor = fit(bases, [values[1], values[1]], "ratio")

    assert np.array(found) == pytest.approx(TRUTH, abs=0.01)
    assert (nothing, floor) == ((0.0,) * 6, 0.0)


def test_homes_may_differ_in_what_differs_between_homes() -> None:
    """The constant differs a lot, one slope not at all: the penalties say so."""
    chance = np.random.default_rng(4)
    bases = [home(seed, 500) for seed in range(8)]
    values = [b @ TRUTH + chance.normal(0, 2.0) + chance.normal(0, 0.1, 500) for b in bases]

    found = penalties(bases, values, tuple(TRUTH), "difference")

    assert found[0] < 0.02
    assert min(found[1:]) > 20 * found[0]
    assert (
        penalties([bases[0][:50]], [values[0][:50]], tuple(TRUTH), "difference")
        == (PENALTY_MAX,) * 6
    )


def test_the_basis_grows_with_the_data() -> None:
    """Ten coefficients are not fitted on a handful of readings."""
    assert basis(3, 50) == ((-1, -1),)
    assert len(basis(3, 200)) == 4
    assert len(basis(3, 10_000)) == 10
