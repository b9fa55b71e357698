"""What a command of `heatpool` printed, as values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from click.testing import Result


def document(result: Result) -> dict[str, object]:
    """The one JSON document on stdout."""
    return msgspec.json.decode(result.stdout, type=dict[str, object])


def part(result: Result, name: str) -> dict[str, object]:
    """A member of it that is an object."""
    return msgspec.convert(document(result)[name], dict[str, object])
