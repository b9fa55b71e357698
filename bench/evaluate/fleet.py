"""The simulated fleet: a release trained on some homes, held to what happens in others.

In: recordings of `recordings`. Out: `FleetResult`: per scenario found, delay, AUC; false alarms per
pump-week. Guarantee: no home and no weather of the report was seen in training or in choosing; a
fault counts as found only by what the client would show: a channel of residuals or of days,
debounced and over the release's own threshold, or a hard rule; what healthy twins would have
"found" in the same days stands beside it. Wear speaks of weeks and is not judged here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from evaluate import measures, recordings, store
from heatpool_contract.detector import decode
from heatpool_fleet.chance import DAY_S
from heatpool_trainer.beside_evaluate import raised_ms, score_days
from heatpool_trainer.calibrate import WEEK_MS
from heatpool_trainer.evaluate import ChannelScores, auc, score_home
from heatpool_trainer.native import Integers
from heatpool_trainer.plan import Candidate, TrainingPlan
from heatpool_trainer.rebuild import rebuild

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from evaluate.recordings import Period, Play
    from heatpool_contract.detector import Detector
    from heatpool_trainer.catalogue import Catalogue
    from heatpool_trainer.looks import Homes
    from heatpool_trainer.native import Floats
    from heatpool_trainer.readings import HomeSeries

MS: Final = 1_000
HEATING: Final = 1.0  # status
FAULT_MS: Final = int(recordings.FAULT_DAYS * DAY_S * MS)
MODEL: Final = "aero_slm"
HOUR_MS: Final = 3_600_000
SAID_MS: Final = 24 * HOUR_MS
PUMP: Final = "pump"
"""Name of all channels together: hour by hour the rarest of what they say."""


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
    by: tuple[str, ...] = ()
    """Channels and rules that found it."""


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


class Seen(msgspec.Struct, frozen=True, eq=False):
    """What the client would see of one recording."""

    channels: dict[str, ChannelScores]
    raised: dict[str, Integers]
    """By hard rule: the times at which it is raised."""

    def over_ms(self, from_ms: int, to_ms: int) -> dict[str, Integers]:
        """By channel and rule that alarms within the times: when."""
        times = {name: one.scored.timestamps_ms[one.over] for name, one in self.channels.items()}
        times |= self.raised
        within = {name: one[(one >= from_ms) & (one < to_ms)] for name, one in times.items()}
        return {name: one for name, one in within.items() if one.size}


class FleetResult(msgspec.Struct, frozen=True):
    """A release, held to plays of some periods."""

    title: str
    payload_bytes: int
    training_homes: int
    thresholds: dict[str, float]
    outcomes: tuple[Outcome, ...]
    """Of plays in which the fault did anything: without frost a missing defrost is none."""
    idle: int
    """Plays left out, every reading of which is that of the healthy twin."""
    healthy: tuple[Healthy, ...]


class Summary(msgspec.Struct, frozen=True):
    """A set of outcomes in figures."""

    number: int
    found: float
    area: float
    """Mean over the plays of the heating channel against the home's own normal, or of all channels
    where it is silent."""
    pump_area: float
    """Likewise, of all channels together."""
    delay_hours: float
    """Median over the plays found; NaN if none was."""


def train(folder: Path, catalogue: Catalogue, plan: TrainingPlan, homes: Homes | None) -> Candidate:
    """The release, from all training homes or from those given."""
    source = homes or store.Files(recordings.training_files(folder))
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
    planned = 0
    for period in periods:
        well = dict(_files(recordings.healthy_file(folder, period), period.homes))
        usual = {home: watched(detector, series) for home, series in well.items()}
        healthy += [healthy_home(home, period, well[home], usual[home]) for home in well]
        planned += sum(len(block) for block in recordings.plays(period)[::every])
        for play, series in acting(folder, period, well, every):
            seen = watched(detector, series)
            outcomes.append(outcome_of(play, period, series, seen, usual[play.home]))
    return FleetResult(
        title=title,
        payload_bytes=len(payload),
        training_homes=detector.homes,
        thresholds={
            f"{mode.name}/{channel.name}": channel.threshold
            for mode in detector.modes
            for channel in mode.channels
        },
        outcomes=tuple(outcomes),
        idle=planned - len(outcomes),
        healthy=tuple(healthy),
    )


def summary(outcomes: Sequence[Outcome], channel: str = "heating/home") -> Summary:
    """Figures of some outcomes."""
    areas = [one.areas.get(channel, one.areas.get(PUMP, 0.5)) for one in outcomes if one.areas]
    together = [one.areas[PUMP] for one in outcomes if PUMP in one.areas]
    delays = [one.alarm_hours for one in outcomes if one.alarm_hours is not None]
    return Summary(
        number=len(outcomes),
        found=len(delays) / max(1, len(outcomes)),
        area=float(np.mean(areas)) if areas else float("nan"),
        pump_area=float(np.mean(together)) if together else float("nan"),
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


def acting(
    folder: Path, period: Period, well: Mapping[int, HomeSeries], every: int = 1
) -> Iterator[tuple[Play, HomeSeries]]:
    """Plays (of every so manieth block) in which the fault changed any reading.

    Args:
        folder: of the recordings.
        period: whose plays.
        well: by home, the recording without fault, which is longer.
        every: 1 = all blocks.
    """
    for number, block in enumerate(recordings.plays(period)):
        if number % every:
            continue
        path = recordings.block_file(folder, period, number)
        for play, series in zip(block, store.load_series(path), strict=True):
            size, twin = series.timestamps_ms.size, well[play.home].columns
            if any(
                not np.array_equal(column, twin[name][:size], equal_nan=True)
                for name, column in series.columns.items()
            ):
                yield play, series


def watched(detector: Detector, series: HomeSeries) -> Seen:
    """All that the client would see of a recording, but wear."""
    found = [*score_home(detector, series), *score_days(detector, series)]
    return Seen(
        {f"{one.mode.name}/{one.channel.name}": one for one in found},
        raised_ms(detector, series),
    )


def healthy_home(home: int, period: Period, series: HomeSeries, seen: Seen) -> Healthy:
    """How often a home without fault alarms."""
    onset_ms, end_ms = int(period.onset_s * MS), int(series.timestamps_ms[-1])
    late = seen.over_ms(onset_ms, end_ms + 1)
    return Healthy(
        home=home,
        period=period.name,
        weeks=(end_ms - onset_ms) / WEEK_MS,
        episodes=measures.united_episodes([*late.values()]),
        by_channel={name: measures.united_episodes([times]) for name, times in late.items()},
        found_by_chance=bool(seen.over_ms(onset_ms, onset_ms + FAULT_MS)),
    )


def outcome_of(play: Play, period: Period, series: HomeSeries, seen: Seen, usual: Seen) -> Outcome:
    """What came of one play; `usual` is what was seen of its healthy twin."""
    onset_ms = int(period.onset_s * MS)
    end_ms = onset_ms + FAULT_MS
    over = seen.over_ms(onset_ms, end_ms)
    alarm_ms = min((int(times[0]) for times in over.values()), default=None)
    heating = (series.columns["status"] == HEATING) & (series.columns["compressor_freq"] > 0.0)
    areas = {}
    for name in sorted(seen.channels.keys() & usual.channels.keys()):
        sound, faulty = (_late(one.channels[name], onset_ms, end_ms) for one in (usual, seen))
        if sound.size and faulty.size:
            areas[name] = auc(sound, faulty)
    sound, faulty = (_rarest(one, onset_ms, end_ms) for one in (usual, seen))
    if sound.size and faulty.size:
        areas[PUMP] = auc(sound, faulty)
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
        by=tuple(sorted(over)),
    )


def _late(one: ChannelScores, from_ms: int, to_ms: int) -> Floats:
    times_ms = one.scored.timestamps_ms
    found: Floats = one.scored.smoothed[(times_ms >= from_ms) & (times_ms < to_ms)]
    return found


def _rarest(seen: Seen, from_ms: int, to_ms: int) -> Floats:
    """Hour by hour, the most weeks in which a healthy pump gets there once, over all channels.

    Their scores have no scale in common, their rarity has; between the steps of a channel's table
    the logarithm of the weeks goes straight. What a channel said last counts for a day, as an owner
    sees it; hours without any are left out.
    """
    ends_ms = np.arange(from_ms + HOUR_MS, to_ms + 1, HOUR_MS)
    rarest = np.full(len(ends_ms), -np.inf)
    for one in seen.channels.values():
        times_ms = one.scored.timestamps_ms
        steps = np.array([(step.score, np.log(step.weeks)) for step in one.channel.rarity])
        if not (len(steps) and len(times_ms)):
            continue
        last = np.searchsorted(times_ms, ends_ms, side="right") - 1
        known = (last >= 0) & (ends_ms - times_ms[last] <= SAID_MS)
        weeks = np.interp(one.scored.smoothed[last[known]], *steps.T)
        rarest[known] = np.maximum(rarest[known], weeks)
    found: Floats = rarest[np.isfinite(rarest)]
    return found
