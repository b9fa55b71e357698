"""Where every random number of the fleet comes from, and the arrays they fill.

In: the seed of a run and a path (which stream, which home, which day). Out: a generator of its own.
Guarantee: streams are independent, and a stream depends on nothing but its path; hence home 3 is
the same home in a fleet of 4 and of 400.
"""

from __future__ import annotations

import enum
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]
Bools: TypeAlias = npt.NDArray[np.bool_]

DAY_S: Final = 86_400.0
HOUR_S: Final = 3_600.0


class Stream(enum.IntEnum):
    """What a stream of random numbers is for. Numbers are fixed: they are part of the seed."""

    REGION = 1  # the weather all homes share
    LOCAL = 2  # what one home's weather adds
    HOME = 3  # how a home is built
    DRAWS = 4  # hot water, per day
    GAINS = 5  # people and appliances
    SENSORS = 6  # offsets of a home's sensors
    NOISE = 7  # noise of every reading
    IDENTITY = 8  # installation id


def generator(seed: int, stream: Stream, *path: int) -> np.random.Generator:
    """A generator for `stream` and `path` alone (NumPy's SeedSequence hashes the whole path)."""
    return np.random.default_rng([seed, int(stream), *path])


def smooth_noise(random: np.random.Generator, times_s: Floats, tau_s: float, waves: int) -> Floats:
    """Autocorrelated noise of unit variance as a function of absolute time.

    A sum of sinusoids with random phases and the spectrum of a first-order autoregressive process,
    S(w) = 1 / (1 + (w tau)^2) (Shinozuka & Deodatis, Appl. Mech. Rev. 44:191, 1991). Unlike a
    recursion it has no beginning: two simulations that overlap in time see the same weather.

    Args:
        random: the stream; the same stream gives the same function of time.
        times_s: seconds since the epoch, any shape.
        tau_s: correlation time.
        waves: number of sinusoids; the periods run from tau/8 to 120 tau.
    """
    edges = np.geomspace(1.0 / (120.0 * tau_s), 8.0 / tau_s, waves + 1)
    widths = np.diff(edges)
    frequencies = edges[:-1] + widths * random.random(waves)
    phases = 2.0 * np.pi * random.random(waves)
    weights = widths / (1.0 + (2.0 * np.pi * frequencies * tau_s) ** 2)
    amplitudes = np.sqrt(2.0 * weights / weights.sum())
    total = np.zeros_like(times_s)
    for frequency, phase, amplitude in zip(frequencies, phases, amplitudes, strict=True):
        total += amplitude * np.cos(2.0 * np.pi * frequency * times_s + phase)
    return total
