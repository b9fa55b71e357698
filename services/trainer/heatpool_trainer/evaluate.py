"""How good a detector is: scores of whole recordings, and figures that do not depend on a scale.

In: a finished detector and recordings of homes it was not trained on. Out: scores per channel, AUC,
first alarm, alarm episodes. Guaranteed: the scores are those of the client, bit for bit; nothing is
tuned on what is evaluated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from heatpool_contract.detector import Channel, Mode
from heatpool_trainer import features, residual_means
from heatpool_trainer.calibrate import Scored, episodes, over_threshold
from heatpool_trainer.cross_fit import Inputs, score
from heatpool_trainer.readings import thinned

if TYPE_CHECKING:
    from collections.abc import Iterable

    from heatpool_contract.detector import Detector
    from heatpool_trainer.native import Bools, Floats
    from heatpool_trainer.readings import HomeSeries


class ChannelScores(msgspec.Struct, frozen=True, eq=False):
    """All scores of one channel in one recording."""

    mode: Mode
    channel: Channel
    scored: Scored

    @property
    def over(self) -> Bools:
        """Where the client would show the channel over its threshold, debounced."""
        return over_threshold(
            self.scored.timestamps_ms,
            self.scored.smoothed,
            self.channel.threshold,
            self.channel.debounce_ms,
            self.mode.mean_age_ms_max,
        )

    @property
    def episodes(self) -> int:
        """Alarm episodes, an alarm that returns within half a day being the same."""
        return episodes(
            self.scored,
            self.channel.threshold,
            debounce_ms=self.channel.debounce_ms,
            age_ms_max=self.mode.mean_age_ms_max,
        )


def score_home(detector: Detector, series: HomeSeries) -> list[ChannelScores]:
    """Score a recording from its beginning, as a client does that starts with it."""
    found = features.values(detector, thinned(series, detector))
    scores = []
    for index, mode in enumerate(detector.modes):
        if not mode.channels:
            continue
        means = residual_means.means(mode, detector, features.rows(mode, index, found))
        for channel in mode.channels:
            if channel.relative_to == "home":
                seen = Inputs(means.home_timestamps_ms, means.home)
            else:
                seen = Inputs(means.fleet_timestamps_ms, means.fleet)
            scored = score(channel, detector.structures, seen, mode)
            scores.append(ChannelScores(mode, channel, scored))
    return scores


def first_over_ms(scores: Iterable[ChannelScores], from_ms: int) -> int | None:
    """When any channel is first over its threshold at or after `from_ms`."""
    firsts = []
    for one in scores:
        times_ms = one.scored.timestamps_ms
        found = times_ms[one.over & (times_ms >= from_ms)]
        if found.size:
            firsts.append(int(found[0]))
    return min(firsts, default=None)


def auc(healthy: Floats, faulty: Floats) -> float:
    """Probability that a faulty score exceeds a healthy one, ties half (Mann and Whitney 1947).

    Raises:
        ValueError: one of the two is empty.
    """
    if not healthy.size or not faulty.size:
        raise ValueError("an AUC needs healthy and faulty scores")
    _, inverse, counts = np.unique(
        np.concatenate([healthy, faulty]), return_inverse=True, return_counts=True
    )
    ranks = np.cumsum(counts) - (counts - 1) / 2.0
    total = float(ranks[inverse[healthy.size :]].sum())
    size = faulty.size
    return (total - size * (size + 1) / 2.0) / (healthy.size * size)
