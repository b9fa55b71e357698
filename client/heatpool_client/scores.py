"""Readings through the opened model: what it says about each, and in sum.

In: rows of one home in the order of time, a `Scorer`. Out: one `Scored` per scored row, a `Summary`
of all. Guarantee: rows = scored + not scored by reason; an episode is what the pool's calibration
counts, so the figures can be held against the alarm budget.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from heatpool_client.besides import Note, findings, keep
from heatpool_contract.explanation import sentence
from heatpool_contract.verdict import NotScored, Score

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from heatpool_client.faults import Language
    from heatpool_client.submission import Row
    from heatpool_contract.scoring import Scorer

EPISODE_GAP_S: Final = 12 * 3600.0  # an alarm that comes back within it is the same one
EPISODES_LISTED_MAX: Final = 100


class Scored(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict on one row; figures are the leading channel's."""

    timestamp: float
    """Seconds since 1970."""
    mode: str
    channel: str
    score: float
    """Of the present running mean, 0 = usual, towards 1 = unlike every trained home."""
    smoothed: float
    threshold: float
    over: bool
    """A channel is over its threshold for its debounce time."""
    alarm: bool
    """`over`, and the model is released, not learning."""
    reason: str
    """Heaviest contribution in words; empty while not over."""


class Episode(msgspec.Struct, kw_only=True):
    """A stretch over the threshold without a break of 12 hours."""

    start_s: float
    end_s: float
    peak: float
    """Highest smoothed score."""
    alarm: bool
    reason: str
    """Of the peak."""


class Summary(msgspec.Struct, kw_only=True):
    """All rows together."""

    rows: int = 0
    scored: int = 0
    not_scored: dict[str, int] = {}
    over: int = 0
    alarms: int = 0
    """Scored rows with an alarm."""
    episodes_over: int = 0
    episodes_alarm: int = 0
    smoothed_max: float = 0.0
    modes: dict[str, int] = {}
    """Scored rows by mode."""
    first_s: float | None = None
    last_s: float | None = None
    episodes: list[Episode] = []
    """The first ones, at most `EPISODES_LISTED_MAX`."""
    days_scored: int = 0
    """Hours at whose end the last 24 were scored."""
    notes: list[Note] = []
    """What days, hard rules and wear found; each channel has an alarm budget of its own."""

    @property
    def over_share(self) -> float:
        """Share of scored rows over the threshold."""
        return self.over / self.scored if self.scored else 0.0


def score(
    rows: Iterable[Row], scorer: Scorer, summary: Summary, language: Language
) -> Iterator[Scored]:
    """Score rows lazily and keep `summary` up to date.

    Args:
        rows: of one home, in the order of time.
        scorer: with the opened model; remembers what it saw.
        summary: counts every row.
        language: of the reasons.
    """
    open_episode: Episode | None = None
    for row in rows:
        summary.rows += 1
        summary.first_s = row.timestamp_s if summary.first_s is None else summary.first_s
        summary.last_s = row.timestamp_s
        before = scorer.beside
        verdict = scorer.observe(round(row.timestamp_s * 1000), row.values)
        if scorer.beside is not before:
            summary.days_scored += isinstance(scorer.beside.cycle, Score)
            keep(
                summary.notes,
                findings(scorer.beside, row.timestamp_s, language),
                row.timestamp_s,
            )
        if isinstance(verdict, NotScored):
            _add(summary.not_scored, verdict.reason)
            continue
        scored = _scored(verdict, language)
        summary.scored += 1
        summary.over += scored.over
        summary.alarms += scored.alarm
        summary.smoothed_max = max(summary.smoothed_max, scored.smoothed)
        _add(summary.modes, scored.mode)
        if scored.over:
            open_episode = _extend(summary, open_episode, scored)
        yield scored


def _scored(verdict: Score, language: Language) -> Scored:
    leading = verdict.leading
    heaviest = verdict.contributions[:1]
    return Scored(
        timestamp=verdict.timestamp_ms / 1000,
        mode=verdict.mode,
        channel=leading.channel,
        score=leading.raw,
        smoothed=leading.smoothed,
        threshold=leading.threshold,
        over=any(one.over for one in verdict.channels),
        alarm=verdict.alarm,
        reason=sentence(heaviest[0], verdict.circumstances, language) if heaviest else "",
    )


def _extend(summary: Summary, episode: Episode | None, scored: Scored) -> Episode:
    """The episode that `scored` belongs to: the open one, or a new one."""
    if episode is None or scored.timestamp - episode.end_s > EPISODE_GAP_S:
        summary.episodes_over += 1
        episode = Episode(
            start_s=scored.timestamp,
            end_s=scored.timestamp,
            peak=scored.smoothed,
            alarm=False,
            reason=scored.reason,
        )
        if len(summary.episodes) < EPISODES_LISTED_MAX:
            summary.episodes.append(episode)
    if scored.alarm and not episode.alarm:
        summary.episodes_alarm += 1
        episode.alarm = True
    episode.end_s = scored.timestamp
    if scored.smoothed > episode.peak:
        episode.peak, episode.reason = scored.smoothed, scored.reason
    return episode


def _add(into: dict[str, int], key: str) -> None:
    into[key] = into.get(key, 0) + 1
