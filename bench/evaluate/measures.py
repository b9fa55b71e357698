"""PURE: the figures of the report.

In: scores, labels, times. Out: F1, false and missed alarm rates as SKAB's leaderboard has them;
missed alarms at a given false alarm rate; episodes and delays as an owner lives through them.
Guarantee: no figure depends on the scale of a score.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from heatpool_trainer.calibrate import EPISODE_GAP_MS
from heatpool_trainer.native import Bools, Floats

if TYPE_CHECKING:
    from collections.abc import Sequence

    from heatpool_trainer.native import Integers

TINY: Final = 1e-12
MINUTES_PER_HOUR: Final = 60.0


class Pooled(msgspec.Struct, frozen=True):
    """Over the rows of all files together."""

    f1: float
    far_percent: float
    """Of rows without anomaly."""
    mar_percent: float
    """Of rows with anomaly."""


class Scores(msgspec.Struct, frozen=True, eq=False):
    """One file: scores of its training rows and of the rest, and the labels of the rest."""

    training: Floats
    rest: Floats
    labels: Bools


def pooled(alarms: Sequence[Bools], labels: Sequence[Bools]) -> Pooled:
    """SKAB's outlier metrics: counts over all files, then the ratios."""
    said, true = np.concatenate(alarms), np.concatenate(labels)
    hits = float(np.sum(said & true))
    false, missed = float(np.sum(said & ~true)), float(np.sum(~said & true))
    quiet = float(np.sum(~said & ~true))
    return Pooled(
        f1=hits / max(hits + (false + missed) / 2.0, TINY),
        far_percent=100.0 * false / max(false + quiet, TINY),
        mar_percent=100.0 * missed / max(missed + hits, TINY),
    )


def at_training_quantile(files: Sequence[Scores], quantile: float) -> Pooled:
    """Each file's threshold is a quantile of its own training scores."""
    alarms = [one.rest >= np.quantile(one.training, quantile) for one in files]
    return pooled(alarms, [one.labels for one in files])


def missed_at(files: Sequence[Scores], far_percent: float) -> float:
    """Missed alarms in percent where false alarms are at `far_percent`.

    One number is swept for all files: how many standard deviations of its own training scores a
    file's score lies above their median.
    """
    apart = [
        (one.rest - np.median(one.training)) / max(float(np.std(one.training)), TINY)
        for one in files
    ]
    labels = np.concatenate([one.labels for one in files])
    together = np.concatenate(apart)
    level = np.quantile(together[~labels], 1.0 - far_percent / 100.0)
    return float(100.0 * np.mean(together[labels] < level))


def rarefied(scores: Floats) -> Floats:
    """Scores of half-space trees, which crowd below 1, as the logarithm of how thin the mass is."""
    spread: Floats = -np.log(np.maximum(1.0 - scores, TINY))
    return spread


def united_episodes(times_ms: Sequence[Integers]) -> int:
    """Alarm episodes of a home over all channels, from the times at which any is over.

    What comes back within `EPISODE_GAP_MS` is the same episode, whichever channel says it.
    """
    together = np.sort(np.concatenate([np.empty(0, np.int64), *times_ms]))
    if not together.size:
        return 0
    return 1 + int(np.sum(np.diff(together) > EPISODE_GAP_MS))


def hours_until(times_ms: Integers, within: Bools, onset_ms: int, alarm_ms: int) -> float:
    """Hours of operation `within` (the fault's mode) between onset and alarm; minute readings."""
    between = (times_ms >= onset_ms) & (times_ms <= alarm_ms)
    return float(np.sum(within & between)) / MINUTES_PER_HOUR
