"""Which installations were erased: a view of KV INSTALLATIONS, of which only these are kept.

In: the bucket's entries, all at the start and then as they change. Out: `is_erased`. Guarantee:
fails closed: before the first full reading, and `STALE_S_MAX` after the bucket could last be asked,
nothing is accepted. A logger keeps what is refused, whereas what is stored for an erased home has
to be found and deleted again.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import nats.errors

from heatpool_chassis import reading
from heatpool_contract import registry, subjects

if TYPE_CHECKING:
    from nats.aio.client import Client
    from structlog.stdlib import BoundLogger

    from heatpool_chassis.lifecycle import Lifecycle

STALE_S_MAX: Final = 60.0
ERASED_MAX: Final = 200_000  # 20 MB; a pool that erased more than it ever had is another one
CHECK: Final = "installations"
_STREAM: Final = f"KV_{subjects.KV_INSTALLATIONS}"
_PREFIX: Final = f"$KV.{subjects.KV_INSTALLATIONS}."
_PAUSE_S: Final = 0.5


class Erased:
    """The view. Read anew whenever something may have been missed."""

    def __init__(self, client: Client, log: BoundLogger) -> None:
        self._client = client
        self._log = log
        self._erased: set[str] = set()
        self._fresh_s: float | None = None

    def is_erased(self, installation: str) -> bool:
        """Whether nothing may be stored for this installation."""
        return installation in self._erased

    def usable(self, now_s: float) -> bool:
        """Whether the view may be relied on; `now_s` on the monotonic clock."""
        return (
            self._fresh_s is not None
            and now_s - self._fresh_s <= STALE_S_MAX
            and len(self._erased) <= ERASED_MAX
        )

    async def run(self, life: Lifecycle) -> None:
        """Follow the bucket until the process stops."""
        life.set_check(CHECK, ok=False)
        while not life.stopping.is_set():
            try:
                await self._follow(life)
            except (nats.errors.Error, TimeoutError, ConnectionError) as error:
                self._log.warning("registry_not_followed", reason=type(error).__name__)
            life.set_check(CHECK, ok=self.usable(time.monotonic()))
            await life.stopped_within(_PAUSE_S)

    async def _follow(self, life: Lifecycle) -> None:
        """Read all entries, then their changes, until the bucket is another one."""
        async for message in reading.followed(self._client, _STREAM, f"{_PREFIX}>"):
            if message is not None:
                self._apply(message)
                continue
            self._fresh_s = time.monotonic()
            life.set_check(CHECK, ok=self.usable(self._fresh_s))
            if life.stopping.is_set():
                return

    def _apply(self, message: reading.Stored) -> None:
        installation = message.subject.removeprefix(_PREFIX)
        if message.headers.get(
            reading.HEADER_OPERATION
        ):  # deleted: nothing is known of it any more
            self._erased.discard(installation)
            return
        try:
            entry = registry.decode(message.data)
        except registry.MalformedEntryError:
            self._log.warning("registry_entry_malformed", installation=installation)
            return
        if entry.erased:
            self._erased.add(installation)
        else:
            self._erased.discard(installation)
