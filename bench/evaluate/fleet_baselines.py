"""The detectors of `baselines` on the same plays as the ablations.

In: recordings. Out: `BaselinesResult`. Guarantee: raw readings of running minutes in heating, five
minutes apart, as the predecessor took them; the same training homes, smoothing, debounce and alarm
budget as our chain; the calibrated threshold comes from healthy homes that are neither trained on
nor reported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from evaluate import ablation, baselines, fleet, recordings, store
from evaluate.fleet import FleetResult, Seen
from heatpool_contract.detector import Channel, Mode
from heatpool_trainer.calibrate import UNREACHABLE, WEEK_MS, calibrate, scored
from heatpool_trainer.evaluate import ChannelScores
from heatpool_trainer.native import Floats, Integers
from heatpool_trainer.readings import HomeSeries

if TYPE_CHECKING:
    from pathlib import Path

    from heatpool_contract.detector import RarityStep
    from heatpool_trainer.calibrate import Scored

STEP: Final = 5  # minutes
ROWS_MAX: Final = 10_000  # of training: the trees of height 15 learn 460 rows a second
SMOOTHING_MS: Final = 3_600_000
DEBOUNCE_MS: Final = 1_800_000
AGE_MS_MAX: Final = 86_400_000
EPISODES_PER_WEEK_MAX: Final = 0.1
SEED: Final = 1
FIELDS: Final = (
    *("temp_outdoor", "temp_flow", "temp_return", "power_electric", "power_thermal"),
    *("compressor_freq", "fan_speed", "pressure_high", "pressure_low", "flow_rate", "cop_current"),
)
MODE: Final = Mode(name="heating", label_en="", label_de="", mean_age_ms_max=AGE_MS_MAX)


class BaselinesResult(msgspec.Struct, frozen=True):
    """One result a detector and threshold."""

    detectors: tuple[FleetResult, ...]


class Recorded(msgspec.Struct, frozen=True, eq=False):
    """One home's running minutes."""

    series: HomeSeries
    timestamps_ms: Integers
    rows: Floats


def evaluate(folder: Path) -> BaselinesResult:
    """All of them, calibrated, and the predecessor's at its fixed threshold."""
    trained = [_recorded(one) for one in store.Files(recordings.training_files(folder))]
    rows = _arrival(trained)
    quiet = [
        _recorded(one)
        for one in store.load_series(recordings.healthy_file(folder, recordings.CHOICE))
    ]
    period = recordings.WINTER
    sound = store.load_series(recordings.healthy_file(folder, period))
    healthy = [_recorded(one) for one in sound]
    twins = dict(zip(period.homes, sound, strict=True))
    pairs = [
        (play, _recorded(one)) for play, one in fleet.acting(folder, period, twins, ablation.EVERY)
    ]
    plays, played = [play for play, _ in pairs], [one for _, one in pairs]
    results = []
    for name, scorer in baselines.ALL:
        everything = [*quiet, *healthy, *played]
        training, found = scorer(rows, np.concatenate([one.rows for one in everything]), SEED)
        low, high = min(training.min(), found.min()), max(training.max(), found.max())
        unit = 1.0 / max(high - low, 1e-12)  # into [0, 1], as thresholds are
        parts = np.split((found - low) * unit, np.cumsum([len(one.rows) for one in everything]))
        smooth = [_smoothed(one, part) for one, part in zip(everything, parts, strict=False)]
        limit = calibrate(
            smooth[: len(quiet)],
            pump_weeks=sum(_weeks(one) for one in quiet),
            episodes_per_week_max=EPISODES_PER_WEEK_MAX,
            debounce_ms=DEBOUNCE_MS,
            age_ms_max=AGE_MS_MAX,
        )
        levels = [(f"{name}, calibrated", limit.threshold)]
        if scorer in {baselines.minmax_trees, baselines.standard_trees}:
            levels.append((f"{name}, at 0.7", (baselines.PREDECESSOR_THRESHOLD - low) * unit))
        rest = smooth[len(quiet) :]
        results += [
            _judged(title, level, limit.rarity, len(trained), healthy, played, plays, rest)
            for title, level in levels
        ]
    last = _judged("always alarming", -1.0, (), len(trained), healthy, played, plays, rest)
    return BaselinesResult((*results, last))


def _recorded(series: HomeSeries) -> Recorded:
    columns = series.columns
    running = (columns["status"] == fleet.HEATING) & (columns["compressor_freq"] > 0.0)
    running &= np.arange(series.timestamps_ms.size) % STEP == 0
    rows = np.column_stack([columns[name][running] for name in FIELDS])
    kept = {name: columns[name] for name in ("status", "compressor_freq")}
    return Recorded(
        msgspec.structs.replace(series, columns=kept), series.timestamps_ms[running], rows
    )


def _arrival(homes: list[Recorded]) -> Floats:
    """The newest rows of all homes in the order of arrival, had all begun at once."""
    times_ms = np.concatenate([one.timestamps_ms - one.series.timestamps_ms[0] for one in homes])
    rows = np.concatenate([one.rows for one in homes])
    return np.asarray(rows[np.argsort(times_ms, kind="stable")][-ROWS_MAX:])


def _smoothed(one: Recorded, raw: Floats) -> Scored:
    return scored(one.timestamps_ms, raw, smoothing_ms=SMOOTHING_MS, age_ms_max=AGE_MS_MAX)


def _weeks(one: Recorded) -> float:
    return float(one.series.timestamps_ms[-1] - one.series.timestamps_ms[0]) / WEEK_MS


def _judged(  # noqa: PLR0913, PLR0917 - a detector, its level, and what it is held to
    title: str,
    threshold: float,
    rarity: tuple[RarityStep, ...],
    homes: int,
    healthy: list[Recorded],
    played: list[Recorded],
    plays: list[recordings.Play],
    smooth: list[Scored],
) -> FleetResult:
    channel = Channel(
        name="home",
        relative_to="fleet",
        imputed=(),
        centre=(),
        whitening=(),
        median=(),
        scale=(),
        squash=1.0,
        forests=(),
        smoothing_ms=SMOOTHING_MS,
        threshold=min(threshold, UNREACHABLE),
        debounce_ms=DEBOUNCE_MS,
        rarity=rarity,
    )
    period = recordings.WINTER
    said = [Seen({"heating/home": ChannelScores(MODE, channel, one)}, {}) for one in smooth]
    usual = dict(zip(period.homes, said, strict=False))
    return FleetResult(
        title=title,
        payload_bytes=0,
        training_homes=homes,
        thresholds={"heating/home": float(threshold)},
        idle=0,  # told beside the ablation, which has the same plays
        outcomes=tuple(
            fleet.outcome_of(play, period, one.series, seen, usual[play.home])
            for play, one, seen in zip(plays, played, said[len(healthy) :], strict=True)
        ),
        healthy=tuple(
            fleet.healthy_home(home, period, one.series, seen)
            for home, one, seen in zip(period.homes, healthy, said, strict=False)
        ),
    )
