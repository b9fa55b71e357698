"""Telemetry as it passes: one line a message.

In: a subject. Out: `Line`s, in the stream's order. Guarantee: nothing is consumed, no consumer is
left behind; a message that is no chunk is a line, too.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from heatpool_contract.frames import MalformedChunkError, decode_raw

if TYPE_CHECKING:
    from collections.abc import Callable

    from nats.aio.client import Client
    from nats.aio.msg import Msg


class Line(msgspec.Struct, frozen=True):
    """One message on its way into the stream."""

    received_ms: int
    model: str
    installation: str
    version: str
    records: int
    samples: int
    bytes: int
    fault: str = ""

    def __str__(self) -> str:
        at = datetime.fromtimestamp(self.received_ms / 1000, UTC).isoformat(timespec="milliseconds")
        told = self.fault or f"{self.records} records, {self.samples} samples"
        return f"{at} {self.model} {self.installation} {self.version}: {told}, {self.bytes} bytes"


async def follow(
    client: Client, subject: str, shown: Callable[[Line], None], count: int | None
) -> None:
    """Show each message under `subject`; end after `count`, if given."""
    subscription = await client.subscribe(subject)
    async for message in subscription.messages:
        shown(line_of(message))
        if count is not None:
            count -= 1
            if not count:
                break
    await subscription.unsubscribe()


def line_of(message: Msg) -> Line:
    """What a message says of itself."""
    _, _, rest = message.subject.partition(".")
    model, _, home = rest.partition(".")
    size = len(message.data)
    try:
        chunk = decode_raw(message.data)
    except MalformedChunkError as error:
        return Line(0, model, home, "", 0, 0, size, str(error))
    return Line(
        chunk.received_ms,
        model,
        home,
        chunk.version,
        sum(len(frame.timestamps_ms) for frame in chunk.frames),
        chunk.samples,
        size,
    )
