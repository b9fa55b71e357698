"""Ablations: the production chain with one thing taken out.

In: a module, a name, another value. Out: a context in which the chain has it. Guarantee: undone at
the end; used by the evaluation alone.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType


@contextlib.contextmanager
def altered(module: ModuleType, name: str, value: object) -> Iterator[None]:
    """Within the context, `module.name` is `value`."""
    before = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, before)
