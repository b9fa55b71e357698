"""Which homes a training leaves out, because their erasure is under way.

In: KV ERASURES. Out: pseudonyms. Guarantee: from the request on, also before its first step.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from heatpool_chassis import buckets
from heatpool_contract import erasures, subjects

if TYPE_CHECKING:
    from nats.aio.client import Client


async def erasing(client: Client) -> frozenset[str]:
    """Homes whose erasure is under way; of those that are erased the store shows nothing.

    Raises:
        BusUnavailableError: it cannot be known.
    """
    found = set()
    async for _receipt, value in buckets.entries(client, subjects.KV_ERASURES):
        with suppress(erasures.MalformedErasureError):  # it names nobody; the writer reports it
            found.add(erasures.decode(value).installation)
    return frozenset(found - {""})
