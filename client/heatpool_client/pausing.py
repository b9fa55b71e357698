"""A pause: readings wait on this device, nothing is sent until it ends or the owner ends it.

In: the owner's wish. Out: `paused.json`. Guarantee: as long as it lasts no round of sending begins;
a clock that jumped does not make it longer than `PAUSE_S_MAX`; consent stands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from heatpool_client.faults import ClientError
from heatpool_client.home import read_private, write_private

if TYPE_CHECKING:
    from heatpool_client.home import Home

PAUSE_S_MAX: Final = 30 * 86_400.0  # longer is a withdrawal
PAUSED: Final = "paused"
"""In the place of a fault's code: `Round.problem`."""


class Pause(msgspec.Struct, frozen=True):
    """Until when, seconds since 1970; 0: none."""

    until_s: float = 0.0


def pause(home: Home, seconds: float, now_s: float) -> Pause:
    """Pause for so long from now; 0 ends it.

    Raises:
        ClientError: `state_unusable`.
    """
    wish = Pause(now_s + min(seconds, PAUSE_S_MAX) if seconds > 0 else 0.0)
    write_private(home.paused, msgspec.json.encode(wish) + b"\n")
    return wish


def paused_until(home: Home, now_s: float) -> float | None:
    """When the pause ends; None if there is none."""
    try:
        wish = msgspec.json.decode(read_private(home.paused) or b"{}", type=Pause)
    except (ValueError, ClientError):  # sharing was agreed to; a damaged pause is none
        return None
    return wish.until_s if now_s < wish.until_s <= now_s + PAUSE_S_MAX else None
