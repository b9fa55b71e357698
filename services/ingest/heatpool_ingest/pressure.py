"""PURE: whether to take a request now, and when to come again.

In: how full the stream is and how far behind the writer, a lane, randomness. Out: yes, or seconds.
Guarantee: sheds before NATS would refuse, the bulk lane long before the live one; what clients are
told spreads and grows, so that they do not come back all at once.
"""

from __future__ import annotations

from typing import Final

import msgspec

from heatpool_ingest.lanes import Lane

FILL_MAX: Final = {Lane.LIVE: 0.97, Lane.BULK: 0.90}
"""Of the stream's bytes. The janitor keeps it at 80 %: above, the writer does not get on."""
PENDING_MAX: Final = {Lane.LIVE: 500_000, Lane.BULK: 20_000}
"""Messages that the writer has not seen. It does some thousand a second: the bulk lane waits when
others' live data would be ten seconds late."""
RETRY_BASE_S: Final = 5.0
RETRY_S_MAX: Final = 300.0
_ATTEMPTS_MAX: Final = 10  # 5 s x 2^10 is far past the maximum


class BusState(msgspec.Struct, frozen=True):
    """What was last heard of stream and writer."""

    fill: float = 0.0
    """Bytes in TELEMETRY as a fraction of what it may hold."""
    pending: int = 0
    """Messages not yet delivered to the writer."""
    floor_seq: int = 0
    """All up to here is acknowledged: durable in the store, or in DEADLETTER."""
    last_seq: int = 0


def sheds(state: BusState, lane: Lane) -> bool:
    """Whether a request of this lane is to wait outside."""
    return state.fill > FILL_MAX[lane] or state.pending > PENDING_MAX[lane]


def retry_after_s(attempt: int, chance: float) -> int:
    """Seconds for `Retry-After`: doubling with each attempt, spread over 0.5 to 1.5 of it.

    `attempt` is what the client says in `Retry-Attempt` (0 for the first), `chance` uniform in
    [0, 1).
    """
    base_s = min(RETRY_S_MAX, RETRY_BASE_S * 2.0 ** min(max(attempt, 0), _ATTEMPTS_MAX))
    return max(1, round(base_s * (0.5 + chance)))


def attempt_of(header: str | None) -> int:
    """Value of `Retry-Attempt`; 0 if there is none or it is no small number."""
    if header is None or len(header) > 3 or not (header.isascii() and header.isdigit()):  # noqa: PLR2004 - 999 attempts
        return 0
    return int(header)
