"""Trace context (W3C): taken from the request, handed on with the messages.

In: the header `traceparent`. Out: the value for the messages' header of the same name. Guarantee:
only a well-formed value passes, so that nobody writes headers of their own. With the extra `otel`
and an endpoint set, the edge's own span is exported and stands between; without, nothing is.
"""

from __future__ import annotations

import re
from contextlib import nullcontext
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

_TRACEPARENT: Final = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


class Tracer(Protocol):
    """One span around a submission."""

    def span(self, parent: str | None) -> AbstractContextManager[str | None]:
        """Context manager that gives the context to hand on."""

    def close(self) -> None:
        """Export what is left."""


def traceparent(header: str | None) -> str | None:
    """The header's value if it is one, else None."""
    return header if header is not None and _TRACEPARENT.fullmatch(header) else None


class PassedOn:
    """No span of our own: the logger's context reaches the writer as it came."""

    def span(self, parent: str | None) -> AbstractContextManager[str | None]:
        """As in `Tracer`."""
        return nullcontext(parent)

    def close(self) -> None:
        """Nothing to export."""
