"""What a KV bucket holds, without nats-py's own listing.

In: a bucket. Out: its keys, or keys and values. Guarantee: all of them, every time. nats-py's
`keys()`, and the start of its watchers, may find a full bucket empty: they ask what is left after
the server has sent everything and before the first entry has arrived (nats.py#842). A pull consumer
says what is left before it sends anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from heatpool_chassis import bus

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from nats.aio.client import Client

_OPERATION: Final = "KV-Operation"  # on what marks a key as deleted


async def keys(client: Client, bucket: str) -> list[str]:
    """Keys of a bucket, oldest change first.

    Raises:
        BusUnavailableError: the reading broke off.
    """
    return [key async for key, _nothing in _read(client, bucket, headers_only=True)]


def entries(client: Client, bucket: str) -> AsyncIterator[tuple[str, bytes]]:
    """Keys with their values, oldest change first, in bounded memory.

    Raises:
        BusUnavailableError: the reading broke off.
    """
    return _read(client, bucket, headers_only=False)


async def _read(
    client: Client, bucket: str, *, headers_only: bool
) -> AsyncIterator[tuple[str, bytes]]:
    prefix = f"$KV.{bucket}."
    async for message in bus.messages_of(
        client, f"KV_{bucket}", f"{prefix}>", headers_only=headers_only
    ):
        if _OPERATION not in (message.headers or {}):
            yield message.subject.removeprefix(prefix), message.data
