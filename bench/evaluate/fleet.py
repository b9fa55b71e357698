"""The simulated fleet: a release trained on some homes, held to what happens in others.

In: recordings of `recordings`. Out: `FleetResult`: per scenario found, delay, AUC; false alarms per
pump-week. Guarantee: no home and no weather of the report was seen in training or in choosing; a
fault counts as found only by what the client would show, debounced and over the release's own
thresholds; what healthy twins would have "found" in the same days stands beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from evaluate import measures, recordings, store
from heatpool_contract.detector import Channel, Mode, decode
from heatpool_fleet.chance import DAY_S
from heatpool_trainer.calibrate import WEEK_MS
from heatpool_trainer.evaluate import ChannelScores, auc, score_home
from heatpool_trainer.plan import Candidate, TrainingPlan
from heatpool_trainer.rebuild import rebuild

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from evaluate.recordings import Period
    from heatpool_trainer.catalogue import Catalogue
    from heatpool_trainer.native import Floats
    from heatpool_trainer.readings import HomeSeries

MS: Final = 1_000
HEATING: Final = 1.0  # status
FAULT_MS: Final = int(recordings.FAULT_DAYS * DAY_S * MS)
MODEL: Final = "aero_slm"


class Outcome(msgspec.Struct, frozen=True):
    """One home that played one scenario."""

    scenario: str
    level: str
    home: int
    period: str
    alarm_hours: float | None
    """Hours of heating from onset to alarm; None = not found."""
    alarm_days: float | None
    areas: dict[str, float]
    """AUC by channel against the same home in the same weather without the fault."""


class Healthy(msgspec.Struct, frozen=True):
    """One home without fault."""

    home: int
    period: str
    weeks: float
    episodes: int
    """Of all channels together."""
    by_channel: dict[str, int]
    found_by_chance: bool
    """An alarm in the days in which its twins have their faults."""


class FleetResult(msgspec.Struct, frozen=True):
    """A release, held to plays of some periods."""

    title: str
    payload_bytes: int
    training_homes: int
    thresholds: dict[str, float]
    outcomes: tuple[Outcome, ...]
    healthy: tuple[Healthy, ...]


class Summary(msgspec.Struct, frozen=True):
    """A set of outcomes in figures."""

    number: int
    found: float
    area: float
    """Mean over the plays of the heating channel against the home's own normal."""
    delay_hours: float
    """Median over the plays found; NaN if none was."""


def train(
    folder: Path, catalogue: Catalogue, plan: TrainingPlan, homes: Sequence[HomeSeries] | None
) -> Candidate:
    """The release, from all training homes or from those given."""
    source = homes or store.Files([recordings.healthy_file(folder, recordings.TRAINED)])
    found = rebuild(source, plan, catalogue)
    if not isinstance(found, Candidate):
        raise SystemExit(found.reason)
    return found


def judge(
    folder: Path, title: str, payload: bytes, periods: Sequence[Period], every: int = 1
) -> FleetResult:
    """Score all plays (or every so manieth block) of the periods with a release."""
    detector = decode(payload)
    outcomes: list[Outcome] = []
    healthy: list[Healthy] = []
    for period in periods:
        usual = {}
        for home, series in _files(recordings.healthy_file(folder, period), period.homes):
            scores = score_home(detector, series)
            usual[home] = scores
            healthy.append(healthy_home(home, period, series, scores))
        for number, block in enumerate(recordings.plays(period)):
            if number % every == 0:
                path = recordings.block_file(folder, period, number)
                homes = [play.home for play in block]
                for play, (home, series) in zip(block, _files(path, homes), strict=True):
                    scores = score_home(detector, series)
                    outcomes.append(outcome_of(play, period, series, scores, usual[home]))
    return FleetResult(
        title=title,
        payload_bytes=len(payload),
        training_homes=detector.homes,
        thresholds={_name(mode, c): c.threshold for mode in detector.modes for c in mode.channels},
        outcomes=tuple(outcomes),
        healthy=tuple(healthy),
    )


def summary(outcomes: Sequence[Outcome], channel: str = "heating/home") -> Summary:
    """Figures of some outcomes."""
    areas = [one.areas.get(channel, max(one.areas.values())) for one in outcomes if one.areas]
    delays = [one.alarm_hours for one in outcomes if one.alarm_hours is not None]
    return Summary(
        number=len(outcomes),
        found=len(delays) / max(1, len(outcomes)),
        area=float(np.mean(areas)) if areas else float("nan"),
        delay_hours=float(np.median(delays)) if delays else float("nan"),
    )


def false_per_week(healthy: Sequence[Healthy]) -> float:
    """Alarm episodes per pump-week of healthy homes."""
    return sum(one.episodes for one in healthy) / max(sum(one.weeks for one in healthy), 1e-9)


def by_chance(healthy: Sequence[Healthy]) -> float:
    """Share of healthy homes that alarm within the days of a fault."""
    return sum(one.found_by_chance for one in healthy) / max(1, len(healthy))


def _files(path: Path, homes: Sequence[int]) -> Iterator[tuple[int, HomeSeries]]:
    yield from zip(homes, store.load_series(path), strict=True)


def _name(mode: Mode, channel: Channel) -> str:
    return f"{mode.name}/{channel.name}"


def healthy_home(
    home: int, period: Period, series: HomeSeries, scores: Sequence[ChannelScores]
) -> Healthy:
    """How often a home without fault alarms."""
    onset_ms = int(period.onset_s * MS)
    late = {_name(one.mode, one.channel): _over_ms(one, onset_ms, None) for one in scores}
    within = [_over_ms(one, onset_ms, onset_ms + FAULT_MS) for one in scores]
    return Healthy(
        home=home,
        period=period.name,
        weeks=(int(series.timestamps_ms[-1]) - onset_ms) / WEEK_MS,
        episodes=measures.united_episodes([*late.values()]),
        by_channel={name: measures.united_episodes([times]) for name, times in late.items()},
        found_by_chance=any(one.size for one in within),
    )


def outcome_of(
    play: recordings.Play,
    period: Period,
    series: HomeSeries,
    scores: Sequence[ChannelScores],
    usual: Sequence[ChannelScores],
) -> Outcome:
    """What came of one play; `usual` are the scores of its healthy twin."""
    onset_ms = int(period.onset_s * MS)
    end_ms = onset_ms + FAULT_MS
    firsts = [int(times[0]) for one in scores if (times := _over_ms(one, onset_ms, end_ms)).size]
    alarm_ms = min(firsts, default=None)
    heating = (series.columns["status"] == HEATING) & (series.columns["compressor_freq"] > 0.0)
    areas = {}
    for before, after in zip(usual, scores, strict=True):
        sound, faulty = (_late(one, onset_ms, end_ms) for one in (before, after))
        if sound.size and faulty.size:
            areas[_name(after.mode, after.channel)] = auc(sound, faulty)
    return Outcome(
        scenario=play.scenario.name,
        level=play.scenario.level,
        home=play.home,
        period=period.name,
        alarm_hours=None
        if alarm_ms is None
        else measures.hours_until(series.timestamps_ms, heating, onset_ms, alarm_ms),
        alarm_days=None if alarm_ms is None else (alarm_ms - onset_ms) / (DAY_S * MS),
        areas=areas,
    )


def _over_ms(
    one: ChannelScores, from_ms: int, to_ms: int | None
) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    times_ms = one.scored.timestamps_ms
    late = one.over & (times_ms >= from_ms)
    return times_ms[late & (times_ms < to_ms)] if to_ms is not None else times_ms[late]


def _late(one: ChannelScores, from_ms: int, to_ms: int) -> Floats:
    times_ms = one.scored.timestamps_ms
    found: Floats = one.scored.smoothed[(times_ms >= from_ms) & (times_ms < to_ms)]
    return found
