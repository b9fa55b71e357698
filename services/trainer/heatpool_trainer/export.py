"""The training window of one heat-pump model, home by home, out of VictoriaMetrics.

In: a model's slug and a window. Out: homes, then the readings of one home at a time. Guarantee: one
home in memory; homes in the order of their pseudonyms; a home's series are joined by timestamp
before anything else sees them, because the export is series by series.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from heatpool_trainer.readings import HomeSeries, pivot

if TYPE_CHECKING:
    from heatpool_chassis.victoria import Victoria
    from heatpool_trainer.native import Floats, Integers

SERIES_PREFIX: Final = "heatpump_"
_NOT_READINGS: Final = "heatpump_(batch_samples|info)"
_PIECE_MS: Final = 30 * 86_400_000  # 43,200 minutes: a line of an export stays below a megabyte


class Home(msgspec.Struct, frozen=True):
    """A home with data of this model in the window."""

    installation: str
    samples: int


async def homes(store: Victoria, model: str, start_ms: int, end_ms: int) -> list[Home]:
    """Homes of the model, ordered by pseudonym."""
    window_s = (end_ms - start_ms) // 1000
    found = await store.query(
        f'sum(sum_over_time(heatpump_batch_samples{{model="{model}"}}[{window_s}s]))'
        " by (installation)",
        at_s=end_ms / 1000,
    )
    return sorted(
        (Home(point.metric["installation"], int(float(point.value[1]))) for point in found),
        key=lambda home: home.installation,
    )


async def readings(
    store: Victoria, model: str, installation: str, start_ms: int, end_ms: int
) -> HomeSeries:
    """All readings of one home in [start, end)."""
    selector = (
        f'{{__name__=~"{SERIES_PREFIX}.+",__name__!~"{_NOT_READINGS}",'
        f'installation="{installation}",model="{model}"}}'
    )
    parts: list[tuple[str, Integers, Floats]] = []
    for piece_ms in range(start_ms, end_ms, _PIECE_MS):
        until_ms = min(piece_ms + _PIECE_MS, end_ms) - 1
        parts += [
            (
                series.metric["__name__"].removeprefix(SERIES_PREFIX),
                np.array(series.timestamps, dtype=np.int64),
                np.array(series.values, dtype=np.float64),
            )
            async for series in store.export(selector, piece_ms, until_ms)
        ]
    # The store exports in no promised order; pivot lets the later piece win.
    parts.sort(key=lambda part: (part[0], int(part[1][0]) if part[1].size else 0))
    return pivot(installation, parts)
