"""Compiling loops over arrays to machine code, with the arithmetic they are written in.

In: a function of arrays and numbers. Out: the same function, compiled by numba on its first call.
Guaranteed: IEEE 754 doubles in source order (no fastmath, no parallel sums), so that results equal
the plain Python of `heatpool_contract.scoring` bit for bit. Nothing is cached on disk: a cache
would be code from a writable folder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Callable

Floats: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]
Bools: TypeAlias = NDArray[np.bool_]

Function = TypeVar("Function", bound="Callable[..., object]")


def compiled(function: Function) -> Function:
    """Compile lazily; numba ships no types, hence the cast."""
    return cast("Function", numba.njit(fastmath=False, error_model="numpy", nogil=True)(function))
