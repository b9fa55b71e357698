"""KV `TRUST` -> the chain of signed trust files, as clients walk it.

In: files and their changes (`following`). Out: the file of a version. Guarantee: bytes as they were
published; the hub verifies nothing here, because it holds no key and no say in the matter.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from heatpool_contract.subjects import KV_TRUST
from heatpool_contract.trust import STEPS_MAX, TRUST_BYTES_MAX

if TYPE_CHECKING:
    from heatpool_chassis.metrics import ModelhubMetrics

_VERSION: Final = re.compile("[1-9][0-9]{0,8}")


class TrustFiles:
    """A view of the bucket, see `following.View`."""

    def __init__(self, metrics: ModelhubMetrics) -> None:
        self._metrics = metrics
        self._files: dict[str, bytes] = {}
        self._unseen: set[str] = set()

    def find(self, version: int) -> bytes | None:
        """The file of a version."""
        return self._files.get(str(version))

    def begin(self) -> None:
        """See `following.View`."""
        self._unseen = set(self._files)

    def apply(self, key: str, value: bytes | None) -> None:
        """See `following.View`."""
        self._unseen.discard(key)
        if value is None:
            self._files.pop(key, None)
        elif not _VERSION.fullmatch(key) or len(value) > TRUST_BYTES_MAX:
            self._metrics.malformed.labels(KV_TRUST).inc()
        elif key not in self._files and len(self._files) >= STEPS_MAX:
            self._metrics.overflow.labels(KV_TRUST).inc()
        else:
            self._files[key] = value

    def complete(self) -> None:
        """See `following.View`."""
        for key in self._unseen:
            self._files.pop(key, None)
        self._unseen = set()
