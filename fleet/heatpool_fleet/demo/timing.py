"""Stages of the demo: their names, their times, their checks."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator


class Check(msgspec.Struct, frozen=True):
    """One thing that must hold."""

    text: str
    held: bool
    found: str


class Book:
    """What happened so far."""

    def __init__(self) -> None:
        self.stages: list[tuple[str, float]] = []
        self.checks: list[Check] = []

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage."""
        started_s = time.monotonic()
        yield
        self.stages.append((name, time.monotonic() - started_s))

    def check(self, text: str, *, held: bool, found: object) -> None:
        """Note whether something holds."""
        self.checks.append(Check(text, held, str(found)))

    @property
    def held(self) -> bool:
        """Whether everything holds."""
        return all(check.held for check in self.checks)
