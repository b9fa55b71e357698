"""What a KV bucket holds, without nats-py's own listing and without stale answers.

In: a bucket. Out: its keys, or keys and values; a `KeyValue` whose `get` asks the leader.
Guarantee: all of them, every time. nats-py's `keys()`, and the start of its watchers, may find a
full bucket empty: they ask what is left after the server has sent everything and before the first
entry has arrived (nats.py#842).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nats.js.kv import KeyValue

from heatpool_chassis import reading

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from nats.aio.client import Client
    from nats.js.client import JetStreamContext


def bound(js: JetStreamContext, bucket: str) -> KeyValue:
    """A bucket that exists.

    nats-py's `key_value` would let any replica answer, and what it says may have been true a
    moment ago; a compare-and-set that follows would fail, a decision would be wrong.
    """
    return KeyValue(name=bucket, stream=f"KV_{bucket}", pre=f"$KV.{bucket}.", js=js, direct=False)


async def keys(client: Client, bucket: str) -> list[str]:
    """Keys of a bucket, oldest change first.

    Raises:
        BusUnavailableError: the reading broke off.
    """
    return list({key: None async for key, _value in entries(client, bucket)})


async def entries(client: Client, bucket: str) -> AsyncIterator[tuple[str, bytes]]:
    """Keys with their values, oldest change first, in bounded memory.

    One that changes meanwhile comes again.

    Raises:
        BusUnavailableError: the reading broke off.
    """
    prefix = f"$KV.{bucket}."
    async for one in reading.messages(client, f"KV_{bucket}", f"{prefix}>"):
        if reading.HEADER_OPERATION not in one.headers:
            yield one.subject.removeprefix(prefix), one.data
