"""What the supervisor is told: systemd's notify protocol (sd_notify(3)).

In: `NOTIFY_SOCKET` and `WATCHDOG_USEC`, as systemd sets them; the state of the process. Out:
`READY=1` once traffic may come, `WATCHDOG=1` while the event loop turns, `STOPPING=1`. Guarantee:
without a socket nothing happens; a loop that hangs sends nothing, so that systemd restarts it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from heatpool_chassis.lifecycle import Lifecycle

READY_LOOK_S: Final = 0.1
BEATS_A_WATCHDOG: Final = 3  # sd_watchdog_enabled(3) advises half; a third allows for one lost
DEFAULT_BEAT_S: Final = 10.0


class Supervisor:
    """The other end of the notify socket, or nobody."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        watchdog_us = int(environ.get("WATCHDOG_USEC", "0"))
        self.beat_s = watchdog_us / 1e6 / BEATS_A_WATCHDOG if watchdog_us else DEFAULT_BEAT_S

    def tell(self, state: str) -> None:
        """One datagram. A supervisor that does not listen is no reason to stop."""
        if self._address:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as door:
                door.settimeout(0)
                with contextlib.suppress(OSError):
                    door.sendto(state.encode(), self._address)

    async def follow(self, life: Lifecycle) -> None:
        """Until cancelled: readiness once, then beats."""
        if not self._address:
            return
        while not life.ready:
            if await life.stopped_within(READY_LOOK_S):
                return
        self.tell("READY=1")
        while True:
            self.tell("WATCHDOG=1")
            await asyncio.sleep(self.beat_s)
