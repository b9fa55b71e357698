"""What services tell operators on `heatpool.<service>.<endpoint>`, beyond `status` and `drain`.

In: an operator's request. Out: JSON. Guarantee: no installation, no key, no content of a model.
"""

from __future__ import annotations

import msgspec


class ShownRelease(msgspec.Struct, frozen=True, kw_only=True):
    """A release that a hub hands out, because it has read and hashed the whole file."""

    model: str
    model_hash: str
    version: str
    epoch: int
    seq: int
    state: str
    canary_share: float


class ShownReleases(msgspec.Struct, frozen=True, kw_only=True):
    """Answer of one hub on `heatpool.modelhub.models`."""

    instance: str
    releases: list[ShownRelease]
    pending: int
    """Pointers whose file is not there or not right."""
