"""LBNL's air-handling units, day by day: good days train, each left out in turn.

In: the files that are there. Out: `LbnlResult`. Guarantee: a good day is scored by a detector that
has not seen it; a faulty day by one trained on all good days. A file with fewer than three good
days says so and has no false-alarm figure.
"""

from __future__ import annotations

import csv
import functools
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from evaluate import baselines, measures
from evaluate.altered import altered
from heatpool_trainer import forest, rebuild
from heatpool_trainer.catalogue import load_catalogue
from heatpool_trainer.evaluate import auc, score_home
from heatpool_trainer.plan import Candidate, TrainingPlan
from heatpool_trainer.readings import HomeSeries

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from heatpool_trainer.native import Bools, Floats

FILES: Final = ("MZVAV-2-2.csv", "SZCAV.csv")
DAY_ROWS: Final = 1440
GOOD_DAYS_MIN: Final = 3
SEEDS: Final = (1, 2, 3)
DAY_QUANTILE: Final = 0.9  # a day's score: reached by a tenth of its occupied minutes
OCCUPIED: Final = "Occupancy_Mode_Indicator"
MEAN_ROWS: Final = 15


class Day(msgspec.Struct, frozen=True, eq=False):
    """One day of a unit."""

    date: str
    faulty: bool
    series: HomeSeries

    @property
    def occupied(self) -> Bools:
        """Which minutes count."""
        found: Bools = self.series.columns[OCCUPIED] > 0
        return found


class DayScore(msgspec.Struct, frozen=True):
    """What our detector says of a day."""

    date: str
    faulty: bool
    score: float


class Row(msgspec.Struct, frozen=True):
    """One detector on one file."""

    detector: str
    found_percent: float
    """Faulty days above the level that at most 8 % of good days pass."""
    good_percent: float
    found_quiet_percent: float
    """Faulty days above all good days."""
    auc_days: float
    auc_minutes: float


class FileResult(msgspec.Struct, frozen=True):
    """One file."""

    name: str
    good: int
    faulty: int
    rows: tuple[Row, ...]
    days: tuple[DayScore, ...]
    remark: str = ""


class LbnlResult(msgspec.Struct, frozen=True):
    """All files present."""

    files: tuple[FileResult, ...]


def read(path: Path) -> list[Day]:
    """The days of a file."""
    with path.open(encoding="utf-8-sig") as file:
        header, *rows = csv.reader(file)
    names = [re.sub(r"[^A-Za-z0-9_]+", "_", name.strip()) for name in header[1:]]
    values = np.array([[_number(cell) for cell in row[1:]] for row in rows])
    stamps = [datetime.strptime(row[0], "%m/%d/%Y %H:%M").replace(tzinfo=UTC) for row in rows]
    times_ms = np.array([int(stamp.timestamp() * 1000) for stamp in stamps])
    days = []
    for first in range(0, len(values), DAY_ROWS):
        part = slice(first, first + DAY_ROWS)
        columns = {name: values[part, place] for place, name in enumerate(names[:-1])}
        faulty = bool(np.nanmax(values[part, -1]) > 0)
        series = HomeSeries(f"{first // DAY_ROWS:02d}", times_ms[part], columns)
        days.append(Day(stamps[first].date().isoformat(), faulty, series))
    return days


def _number(cell: str) -> float:
    """Missing where the spreadsheet had an error (`#VALUE!`)."""
    return float("nan") if cell.startswith("#") else float(cell)


def evaluate(folder: Path) -> LbnlResult | None:
    """All files; None where there is none."""
    paths = [folder / "lbnl" / name for name in FILES if (folder / "lbnl" / name).exists()]
    if not paths:
        return None
    with altered(forest, "structure", functools.cache(forest.structure)):
        return LbnlResult(tuple(_file(path) for path in paths))


def _file(path: Path) -> FileResult:
    days = read(path)
    good, faulty = [day for day in days if not day.faulty], [day for day in days if day.faulty]
    if len(good) < GOOD_DAYS_MIN:
        remark = (
            f"{len(good)} good day of {len(days)}: no day can be left out, so neither a threshold "
            "nor a false-alarm rate exists; nothing is claimed for this unit"
        )
        return FileResult(path.stem, len(good), len(faulty), (), (), remark)
    detectors: list[tuple[str, Callable[[Sequence[Day], Sequence[Day]], list[Floats]]]] = [
        ("heatpool (river HST)", _ours)
    ]
    detectors += [(name, functools.partial(_others, scorer)) for name, scorer in baselines.ALL]
    rows: list[Row] = []
    ours: tuple[DayScore, ...] = ()
    for name, scorer in detectors:
        quiet = [scorer([one for one in good if one is not day], [day])[0] for day in good]
        loud = scorer(good, faulty)
        rows.append(_row(name, quiet, loud))
        if not ours:
            pairs = [*zip(good, quiet, strict=True), *zip(faulty, loud, strict=True)]
            ours = tuple(DayScore(day.date, day.faulty, _level(found)) for day, found in pairs)
    rows.append(Row("always alarming", 100.0, 100.0, 0.0, 0.5, 0.5))
    return FileResult(path.stem, len(good), len(faulty), tuple(rows), ours)


def _level(scores: Floats) -> float:
    return float(np.quantile(scores, DAY_QUANTILE)) if scores.size else 0.0


def _row(name: str, quiet: Sequence[Floats], loud: Sequence[Floats]) -> Row:
    good, bad = np.array([_level(one) for one in quiet]), np.array([_level(one) for one in loud])
    allowed = int(0.08 * len(good))
    limit = np.sort(good)[-1 - allowed]
    return Row(
        detector=name,
        found_percent=100.0 * float(np.mean(bad > limit)),
        good_percent=100.0 * float(np.mean(good > limit)),
        found_quiet_percent=100.0 * float(np.mean(bad > good.max())),
        auc_days=auc(good, bad),
        auc_minutes=auc(np.concatenate(quiet), np.concatenate(loud)),
    )


def _ours(training: Sequence[Day], days: Sequence[Day]) -> list[Floats]:
    catalogue = load_catalogue(Path(__file__).with_name("lbnl.toml"))
    plan = TrainingPlan(model="ahu", seeds=SEEDS, folds=1)
    found = rebuild.rebuild([day.series for day in training], plan, catalogue)
    if not isinstance(found, Candidate):
        raise SystemExit(found.reason)
    scored = [score_home(found.detector, day.series)[0].scored.smoothed for day in days]
    return [measures.rarefied(one) for one in scored]


def _others(scorer: baselines.Scorer, training: Sequence[Day], days: Sequence[Day]) -> list[Floats]:
    """Occupied minutes, running means as ours, every fifth minute."""
    rows = np.concatenate([_means(one)[one.occupied][::5] for one in training])
    parts = [_means(one)[one.occupied][::5] for one in days]
    _, found = scorer(rows, np.concatenate(parts), SEEDS[0])
    edges = np.cumsum([len(one) for one in parts])[:-1]
    return [*np.split(found, edges)]


def _means(day: Day) -> Floats:
    values = np.column_stack([*day.series.columns.values()])
    sums = np.cumsum(np.vstack([np.zeros(values.shape[1]), values]), axis=0)
    last = np.arange(1, len(sums))
    first = np.maximum(last - MEAN_ROWS, 0)
    means: Floats = (sums[last] - sums[first]) / (last - first)[:, None]
    return means
