"""Public bytes -> HTTP: one tag, one gzip, made once and sent to everybody.

In: a body. Out: 200, or 304 for who has it. Guarantee: who may read it (`*` or this site alone) and
how long it may be kept stands with the body; the same body has the same tag on every hub.
"""

from __future__ import annotations

import gzip
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

import msgspec

from heatpool_modelhub.answering import Reply
from heatpool_modelhub.ranges import is_known

if TYPE_CHECKING:
    from heatpool_modelhub.asking import Asked

SHRUNK_BYTES_MIN: Final = 860  # below it, gzip saves no packet
HASH_BYTES: Final = 8
EVERYONE: Final = ("access-control-allow-origin", "*")
"""For what has neither token nor cookie: cards on other sites read it."""


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """A body as it is sent."""

    body: bytes
    packed: bytes
    """With gzip; empty: not worth it."""
    digest: str
    headers: tuple[tuple[bytes, bytes], ...]


def publish(body: bytes, media: str, cache: str, *more: tuple[str, str]) -> Published:
    """Prepare a body; `more` are further headers."""
    digest = digest_of(body)
    # mtime: the same bytes on every hub. Weak: gzip is another encoding of the same.
    packed = gzip.compress(body, mtime=0) if len(body) >= SHRUNK_BYTES_MIN else b""
    named = (("content-type", media), ("cache-control", cache), ("etag", f'W/"{digest}"'))
    pairs = [*named, *more]
    if not any(name == "vary" for name, _ in pairs):
        pairs.append(("vary", "accept-encoding"))
    headers = tuple((name.encode(), value.encode()) for name, value in pairs)
    return Published(body=body, packed=packed, digest=digest, headers=headers)


def digest_of(body: bytes) -> str:
    """A name for these bytes."""
    return blake2b(body, digest_size=HASH_BYTES).hexdigest()


def send(request: Asked, published: Published) -> Reply:
    """The answer to this request."""
    headers = list(published.headers)
    if is_known(request.headers.get("if-none-match"), f'"{published.digest}"'):
        return Reply(304, headers, b"")
    body = published.body
    if published.packed and takes_gzip(request.headers.get("accept-encoding", "")):
        body = published.packed
        headers.append((b"content-encoding", b"gzip"))
    headers.append((b"content-length", b"%d" % len(body)))
    return Reply(200, headers, body)


def takes_gzip(accept_encoding: str) -> bool:
    """Whether the header allows it (RFC 9110, 12.5.3; `*` is not looked at)."""
    for part in accept_encoding.split(","):
        name, _, weight = part.strip().partition(";")
        if name.strip().lower() == "gzip":
            return weight.strip().replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False
