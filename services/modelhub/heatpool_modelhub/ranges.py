"""Conditional and partial requests: which bytes of a release answer these headers.

In: values of `Range`, `If-Range` and `If-None-Match`, the entity tag, the size. Out: a slice, the
whole, or nothing that fits. Guarantee: total; whatever a header says, there is an answer, and what
is not understood is ignored, as RFC 9110 sections 13 and 14 ask.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

# ASCII digits (`\d` takes others too); 18 of them are beyond every file and below int()'s limit.
_SPEC: Final = re.compile(r"(?i:bytes)=[ \t]*([0-9]{0,18})-([0-9]{0,18})[ \t]*")
_TAG: Final = re.compile(r'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')


class Whole(msgspec.Struct, frozen=True):
    """All bytes, status 200."""


class Part(msgspec.Struct, frozen=True):
    """Bytes `start` to before `stop`, status 206."""

    start: int
    stop: int


class Unsatisfiable(msgspec.Struct, frozen=True):
    """Outside of the file, status 416."""


Selection = Whole | Part | Unsatisfiable


def select(range_header: str | None, if_range: str | None, etag: str, size: int) -> Selection:
    """Which bytes a `Range` asks for. Several ranges at once are answered with the whole.

    `etag` is the quoted strong tag. An `If-Range` that is not exactly it (a date, a weak tag)
    means that the client holds parts of another file: it gets the whole.
    """
    if range_header is None or (if_range is not None and if_range.strip() != etag):
        return Whole()
    spec = _SPEC.fullmatch(range_header.strip())
    if spec is None or spec[1] == spec[2] == "":
        return Whole()
    if spec[1] == "":  # the last n bytes
        wanted = int(spec[2])
        return Part(max(0, size - wanted), size) if wanted and size else Unsatisfiable()
    first = int(spec[1])
    last = int(spec[2]) if spec[2] else size - 1
    if spec[2] and last < first:
        return Whole()  # not a range at all, RFC 9110 14.1.2
    return Part(first, min(last + 1, size)) if first < size else Unsatisfiable()


def is_known(if_none_match: str | None, etag: str) -> bool:
    """Whether the client has these bytes already: weak comparison with each listed tag, or `*`."""
    if if_none_match is None:
        return False
    return if_none_match.strip() == "*" or etag in _TAG.findall(if_none_match)
