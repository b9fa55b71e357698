"""Streams of random numbers: independent, and nothing but a function of their path."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from heatpool_fleet.chance import DAY_S, Stream, generator, smooth_noise

paths = st.tuples(st.sampled_from(Stream), st.integers(0, 10_000), st.integers(0, 50_000))


@given(st.integers(0, 2**63 - 1), paths, paths)
def test_streams_depend_on_their_path_alone(
    seed: int, one: tuple[Stream, int, int], other: tuple[Stream, int, int]
) -> None:
    """The same path draws the same numbers; another path draws others."""
    first = generator(seed, *one).random(4)

    assert np.array_equal(first, generator(seed, *one).random(4))
    if one != other:
        assert not np.array_equal(first, generator(seed, *other).random(4))


def test_smooth_noise_has_unit_variance_and_its_correlation_time() -> None:
    """Over many years and seeds the variance is near 1, the correlation after tau near 1/e."""
    times = np.arange(0.0, 4_000.0 * DAY_S, DAY_S / 4)
    lag = 8  # two days
    variances, correlations = [], []
    for seed in range(8):
        noise = smooth_noise(generator(seed, Stream.REGION), times, 2.0 * DAY_S, 64)
        variances.append(noise.var())
        correlations.append(np.mean(noise[:-lag] * noise[lag:]) / noise.var())

    assert abs(np.mean(variances) - 1.0) < 0.05
    assert abs(np.mean(correlations) - np.exp(-1.0)) < 0.08


@given(st.floats(0.0, 2e9), st.integers(1, 500))
def test_smooth_noise_has_no_beginning(start_s: float, skip: int) -> None:
    """Two stretches that overlap agree where they do, so weather does not depend on the start."""
    times = np.linspace(start_s, start_s + 36_000.0, 601)
    whole = smooth_noise(generator(1, Stream.REGION), times, DAY_S, 8)
    part = smooth_noise(generator(1, Stream.REGION), times[skip:], DAY_S, 8)

    assert np.array_equal(whole[skip:], part)
