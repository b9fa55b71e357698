"""What a KV bucket holds, without nats-py's own listing.

In: a bucket. Out: its keys. Guarantee: all of them, every time. nats-py's `keys()`, and the start
of its watchers, may find a full bucket empty: they ask what is left after the server has sent
everything and before the first entry has arrived (nats.py#842). A pull consumer says what is left
before it sends anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from heatpool_chassis import bus

if TYPE_CHECKING:
    from nats.aio.client import Client

_OPERATION: Final = "KV-Operation"  # on what marks a key as deleted


async def keys(client: Client, bucket: str) -> list[str]:
    """Keys of a bucket, oldest change first.

    Raises:
        BusUnavailableError: the reading broke off.
    """
    prefix = f"$KV.{bucket}."
    return [
        message.subject.removeprefix(prefix)
        async for message in bus.messages_of(
            client, f"KV_{bucket}", f"{prefix}>", headers_only=True
        )
        if _OPERATION not in (message.headers or {})
    ]
