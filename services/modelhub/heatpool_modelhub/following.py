"""A KV bucket -> a view of it in memory that stays true.

In: a bucket of JetStream. Out: calls of a `View`, first for everything that is there, then for
every change. Guarantee: the view misses nothing for longer than `IDLE_S`: a gap in the consumer's
numbering, a lost consumer or a lost connection starts a complete resynchronisation, at the end of
which the view drops what the bucket no longer has.

Not nats-py's own KV watch: that is a push consumer which nobody resets when its heartbeats stay
away (nats.py#510), so after some reconnects it is silent for ever. A pull consumer asks.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final, Protocol

import nats.errors
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from heatpool_chassis import bus

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.aio.msg import Msg
    from nats.js.client import JetStreamContext

    from heatpool_chassis.lifecycle import Lifecycle
    from heatpool_chassis.metrics import ModelhubMetrics

FETCH_MESSAGES_MAX: Final = 512  # an entry has below 1 KiB; this is one round trip
IDLE_S: Final = 5.0
"""Without news for so long we ask the server whether the consumer still is where we are."""
CONSUMER_LIFE_S: Final = 60.0  # the server forgets a consumer of a hub that died
CONTROL_TIMEOUT_S: Final = 5.0
RETRY_S: Final = 1.0
_OPERATION: Final = "KV-Operation"
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


class _GapError(Exception):
    """Messages were lost on the way to us."""


async def follow(
    client: Client, bucket: str, view: View, life: Lifecycle, metrics: ModelhubMetrics
) -> None:
    """Keep `view` true until the task is cancelled. Reports the check named `bucket` to `life`.

    The check goes on once: a view that was true serves on while NATS is away, and the check
    `nats` says that it is.
    """
    life.set_check(bucket, ok=False)
    js = client.jetstream(timeout=CONTROL_TIMEOUT_S)
    while True:
        raise_if_cancelled()
        try:
            await _follow_once(js, bucket, view, life)
        except (nats.errors.Error, TimeoutError, _GapError):
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


async def _follow_once(js: JetStreamContext, bucket: str, view: View, life: Lifecycle) -> None:
    """Read everything, then changes, until something is wrong."""
    prefix = f"$KV.{bucket}."
    subscription = await bus.temporary(
        js,
        f"KV_{bucket}",
        ConsumerConfig(
            filter_subject=f"{prefix}>",
            description=f"{life.service}: view of {bucket}",
            deliver_policy=DeliverPolicy.LAST_PER_SUBJECT,
            ack_policy=AckPolicy.NONE,
            inactive_threshold=CONSUMER_LIFE_S,
            mem_storage=True,
            num_replicas=1,
        ),
    )
    try:
        view.begin()
        taken, is_complete = 0, False
        while True:
            raise_if_cancelled()
            if not is_complete and await _has_taken_all(subscription, taken):
                view.complete()
                life.set_check(bucket, ok=True)
                is_complete = True
            try:
                messages = await subscription.fetch(FETCH_MESSAGES_MAX, timeout=IDLE_S)
            except TimeoutError:  # nats-py's own is one of these
                await _has_taken_all(subscription, taken)  # raises if we are not where we think
                continue
            for message in messages:
                taken += 1
                if message.metadata.sequence.consumer != taken:
                    raise _GapError
                view.apply(message.subject.removeprefix(prefix), _value(message))
    finally:
        with contextlib.suppress(nats.errors.Error, TimeoutError):
            await subscription.unsubscribe()


async def _has_taken_all(subscription: JetStreamContext.PullSubscription, taken: int) -> bool:
    """Whether there is nothing that we have not taken.

    Raises:
        _GapError: the server has delivered what never arrived, or knows no such consumer.
    """
    info = await subscription.consumer_info()
    if info.delivered is None or info.delivered.consumer_seq != taken:
        raise _GapError
    return info.num_pending == 0


def _value(message: Msg) -> bytes | None:
    headers = message.headers or {}
    # Deleted by a client; or by the server, for its age (2.11 and newer).
    is_gone = headers.get(_OPERATION) in _GONE or _MARKER in headers
    return None if is_gone else message.data
