"""A KV bucket -> a view of it in memory that stays true.

In: a bucket of JetStream. Out: calls of a `View`, first for everything that is there, then for
every change. Guarantee: the view misses nothing for longer than a poll: it asks for what follows
the last that it has, and a failed request or a bucket that was made anew or emptied starts a
complete resynchronisation, at the end of which the view drops what the bucket no longer has.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final, Protocol

import nats.errors

from heatpool_chassis import reading

if TYPE_CHECKING:
    from nats.aio.client import Client

    from heatpool_chassis.lifecycle import Lifecycle
    from heatpool_chassis.metrics import ModelhubMetrics

RETRY_S: Final = 1.0
_GONE: Final = ("DEL", "PURGE")
_MARKER: Final = "Nats-Marker-Reason"


class View(Protocol):
    """What is kept of a bucket."""

    def begin(self) -> None:
        """Everything that is there comes now, once."""

    def apply(self, key: str, value: bytes | None) -> None:
        """`key` has this value now; None: it was deleted."""

    def complete(self) -> None:
        """That was everything: what did not come since `begin` is no longer there."""


async def follow(
    client: Client, bucket: str, view: View, life: Lifecycle, metrics: ModelhubMetrics
) -> None:
    """Keep `view` true until the task is cancelled. Reports the check named `bucket` to `life`.

    The check goes on once: a view that was true serves on while NATS is away, and the check
    `nats` says that it is.
    """
    life.set_check(bucket, ok=False)
    while True:
        raise_if_cancelled()
        with contextlib.suppress(nats.errors.Error, TimeoutError):
            await _follow_once(client, bucket, view, life)
        metrics.resyncs.labels(bucket).inc()
        await asyncio.sleep(RETRY_S)


def raise_if_cancelled() -> None:
    """Raise `CancelledError` if this task was asked to end.

    The request can get lost on its way: `wait_for` drops it when a result arrives in the same
    moment (bpo-37658, mended in Python 3.12), and nats-py turns it into `ConnectionClosedError`.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


async def _follow_once(client: Client, bucket: str, view: View, life: Lifecycle) -> None:
    """Read everything, then changes, until the bucket is another one."""
    prefix, is_complete = f"$KV.{bucket}.", False
    view.begin()
    async for message in reading.followed(client, f"KV_{bucket}", f"{prefix}>"):
        raise_if_cancelled()
        if message is not None:
            view.apply(message.subject.removeprefix(prefix), _value(message))
        elif not is_complete:
            view.complete()
            life.set_check(bucket, ok=True)
            is_complete = True


def _value(message: reading.Stored) -> bytes | None:
    # Deleted by a client; or by the server, for its age (2.11 and newer).
    is_gone = message.headers.get(reading.HEADER_OPERATION) in _GONE or _MARKER in message.headers
    return None if is_gone else message.data
