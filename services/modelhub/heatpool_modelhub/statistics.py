"""PURE: one value a home -> statistics from which no home can be read.

In: values by pseudonym, the last published snapshot. Out: the next snapshot, or the last one again.
Guarantee (docs/decisions/0403): nothing below k homes; no average that one home makes up for more
than 15 %; a quantile only where at least 5 homes lie beyond it, hence never minimum or maximum; no
new snapshot while one or two homes came or went, so that a difference shows no home.
"""

from __future__ import annotations

import math
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

import msgspec

from heatpool_contract.community import MEMBER_CHARS, METRICS, Snapshot, Stats

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SHARE_MAX: Final = 0.15
"""Of one home in a published sum (15/15 rule of energy data, CPUC D.14-05-016)."""
BEYOND_MIN: Final = 5
CHANGE_MIN: Final = 3
N_STEP: Final = 5
PERCENT_STEP: Final = 5
GRID: Final = 100


class Rules(msgspec.Struct, frozen=True):
    """What the operator asks for."""

    homes_min: int = 15


def next_snapshot(
    last: Snapshot | None, fresh: Snapshot, values: Mapping[str, float], rules: Rules
) -> Snapshot:
    """What is published from now on.

    Args:
        last: what is published; None: nothing.
        fresh: names model, window, metric and day; its figures are not looked at.
        values: one of each home, by pseudonym.
        rules: the operator's.
    """
    homes = {home: value for home, value in values.items() if math.isfinite(value)}
    members = _members(homes)
    before = "" if last is None else last.members
    if len(homes) < rules.homes_min:
        # Also the end of one that was shown: it would go stale for ever. Its absence says `n < k`.
        # Who was in it is kept: the next one is compared with what was seen last.
        return msgspec.structs.replace(fresh, stats=None, quantiles=(), members=before)
    if last is not None and before and 0 < len(members ^ _parted(before)) < CHANGE_MIN:
        return last
    ordered = sorted(homes.values())
    return msgspec.structs.replace(
        fresh,
        stats=_stats(ordered, METRICS[fresh.metric].decimals),
        quantiles=tuple(quantile(ordered, step / GRID) for step in range(GRID + 1)),
        members="".join(sorted(members)),
    )


def percentile(snapshot: Snapshot, value: float) -> int | None:
    """Per cent of homes that `value` is above, in steps of 5; None: nothing is published.

    Never so near to an end that fewer than 5 homes lie beyond it.
    """
    if snapshot.stats is None or not snapshot.quantiles:
        return None
    below = sum(step < value for step in snapshot.quantiles) / (GRID + 1)
    end = min(0.5, BEYOND_MIN / snapshot.stats.n)
    clipped = min(max(below, end), 1 - end)
    return int(clipped * 100 / PERCENT_STEP + 1e-9) * PERCENT_STEP


def quantile(ordered: Sequence[float], share: float) -> float:
    """By linear interpolation between neighbours (Hyndman and Fan 1996, type 7)."""
    at = share * (len(ordered) - 1)
    low = math.floor(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (at - low) * (ordered[high] - ordered[low])


def _stats(ordered: Sequence[float], decimals: int) -> Stats:
    total = sum(map(abs, ordered))
    largest = max(abs(ordered[0]), abs(ordered[-1]))
    is_dominated = total > 0 and largest / total > SHARE_MAX

    def at(share: float) -> float | None:
        beyond = len(ordered) * min(share, 1 - share)
        if beyond < BEYOND_MIN - 1e-9:
            return None
        return round(quantile(ordered, share), decimals)

    return Stats(
        n=len(ordered) // N_STEP * N_STEP,
        avg=None if is_dominated else round(sum(ordered) / len(ordered), decimals),
        median=round(quantile(ordered, 0.5), decimals),
        p25=at(0.25),
        p75=at(0.75),
        p5=at(0.05),
        p95=at(0.95),
    )


def _members(homes: Mapping[str, float]) -> set[str]:
    """Hashes: enough to see who came and went, too few bits to be a register of homes."""
    return {blake2b(home.encode(), digest_size=MEMBER_CHARS // 2).hexdigest() for home in homes}


def _parted(members: str) -> set[str]:
    return {members[at : at + MEMBER_CHARS] for at in range(0, len(members), MEMBER_CHARS)}
