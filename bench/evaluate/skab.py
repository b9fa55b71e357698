"""SKAB by its own protocol: of every file the first 400 rows train, the rest is judged, pooled.

In: the files that are there. Out: `SkabResult`. Guarantee: our rows come from `rebuild` and
`score_home`, the code that ships, with a catalogue entry for the rig (`skab.toml`); settings and
threshold rule were chosen on valve1 and valve2, which the result says beside figures of the rest.
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

from evaluate import baselines, measures, store
from evaluate.altered import altered
from evaluate.measures import Pooled, Scores
from heatpool_trainer import channel_fit, forest, rebuild
from heatpool_trainer.catalogue import load_catalogue
from heatpool_trainer.evaluate import auc, score_home
from heatpool_trainer.native import Bools
from heatpool_trainer.plan import Candidate, TrainingPlan
from heatpool_trainer.readings import HomeSeries, select

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from heatpool_trainer.catalogue import Catalogue
    from heatpool_trainer.native import Floats

OURS: Final = "heatpool (river HST)"
TRAINING_ROWS: Final = 400
QUANTILE: Final = 0.9975  # of 400 training scores: the second highest
SEEDS: Final = tuple(range(1, 11))
FORESTS: Final = 5
MEAN_ROWS: Final = 60
WATER: Final = "Thermocouple"
CHOSEN_ON: Final = ("valve1", "valve2")
FAR_PERCENT: Final = (13.5, 27.0)


class Run(msgspec.Struct, frozen=True, eq=False):
    """One file."""

    name: str
    series: HomeSeries
    labels: Bools

    @property
    def rows(self) -> Floats:
        """As a matrix."""
        return np.column_stack(list(self.series.columns.values()))


class Row(msgspec.Struct, frozen=True):
    """One detector: mean over seeds, and their standard deviation."""

    detector: str
    files: str
    f1: tuple[float, float]
    far_percent: tuple[float, float]
    mar_percent: tuple[float, float]
    mar_at: tuple[float, float]
    """At the false alarm rates of `FAR_PERCENT`."""
    auc: float
    fixed: bool = False
    """Judged by a rule that no threshold belongs to."""


class SkabResult(msgspec.Struct, frozen=True):
    """All detectors on all files present."""

    files: tuple[str, ...]
    rows: tuple[Row, ...]
    curve: tuple[tuple[float, float], ...]
    """Ours on all files: FAR, MAR while the training quantile falls from 1 to 0.9."""


def read(folder: Path) -> list[Run]:
    """The labelled files that are there."""
    runs = []
    for path in sorted(folder.glob("*/*.csv")):
        with path.open(encoding="utf-8") as file:
            rows = list(csv.DictReader(file, delimiter=";"))
        stamps = [datetime.fromisoformat(row["datetime"]).replace(tzinfo=UTC) for row in rows]
        columns = {
            name.replace(" ", "_"): np.array([float(row[name]) for row in rows])
            for name in rows[0]
            if name not in {"datetime", "anomaly", "changepoint"}
        }
        times_ms = np.array([int(stamp.timestamp() * 1000) for stamp in stamps])
        labels = np.array([float(row["anomaly"]) > 0 for row in rows])
        name = f"{path.parent.name}/{path.stem}"
        runs.append(Run(name, HomeSeries(path.stem, times_ms, columns), labels))
    return runs


def evaluate(folder: Path, cache: Path) -> SkabResult | None:
    """Everything; None where no file is.

    Args:
        folder: of the recordings.
        cache: keeps the scores of each detector and seed, so that a run goes on where it ended.
    """
    runs = read(folder / "skab")
    if not runs:
        return None
    judged: dict[str, list[list[Scores]]] = {}
    with altered(forest, "structure", functools.cache(forest.structure)):
        for name, seeds, scorer in _detectors():
            judged[name] = [_kept(cache, f"{name} {seed}", runs, scorer, seed) for seed in seeds]
    rows = [row for name, seeds in judged.items() for row in _rows(name, runs, seeds)]
    predecessor = judged[baselines.ALL[0][0]]
    rows += _fixed("predecessor's trainer at its threshold 0.7", predecessor, runs)
    rows += _fixed("always alarming", predecessor, runs, threshold=-np.inf)
    curve = []
    for quantile in 1.0 - np.geomspace(1e-4, 0.2, 30):
        points = [measures.at_training_quantile(one, float(quantile)) for one in judged[OURS]]
        curve.append(
            (_mean(one.far_percent for one in points), _mean(one.mar_percent for one in points))
        )
    return SkabResult(tuple(run.name for run in runs), tuple(rows), tuple(curve))


def _detectors() -> list[tuple[str, tuple[int, ...], Callable[[Run, int], Scores]]]:
    """Name, seeds, and how a run is scored."""
    catalogue = load_catalogue(Path(__file__).with_name("skab.toml"))
    mine = functools.partial(ours, catalogue)
    found: list[tuple[str, tuple[int, ...], Callable[[Run, int], Scores]]] = [
        (OURS, SEEDS, mine),
        ("  without whitening", SEEDS[:1], functools.partial(_unwhitened, catalogue)),
        ("  water temperature as a target", SEEDS[:1], functools.partial(ours, _water(catalogue))),
        ("  means of 15 s", SEEDS[:1], functools.partial(ours, _with_mean(catalogue, 15))),
        ("  single rows, no mean", SEEDS[:1], functools.partial(ours, _with_mean(catalogue, 1))),
    ]
    for name, scorer in baselines.ALL:
        seeds = SEEDS[:3] if scorer is baselines.isolation_forest else SEEDS[:1]
        found.append((name, seeds, functools.partial(_raw, scorer)))
    for name, scorer in baselines.ALL[2:]:
        found.append((f"{name}, on our features", SEEDS[:1], functools.partial(_means, scorer)))
    return found


def _kept(
    cache: Path, name: str, runs: Sequence[Run], scorer: Callable[[Run, int], Scores], seed: int
) -> list[Scores]:
    path = cache / (re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") + ".msgpack")
    if not path.exists():
        found = [scorer(run, seed) for run in runs]
        raw = [(one.training.tolist(), one.rest.tolist()) for one in found]
        store.write_bytes(path, msgspec.msgpack.encode(raw))
    kept = msgspec.msgpack.decode(path.read_bytes(), type=list[tuple[list[float], list[float]]])
    return [
        Scores(np.array(training), np.array(rest), run.labels[TRAINING_ROWS:])
        for run, (training, rest) in zip(runs, kept, strict=True)
    ]


def ours(catalogue: Catalogue, run: Run, seed: int) -> Scores:
    """Train on the first 400 rows, score all, as a release would be made and used."""
    plan = TrainingPlan(
        model="skab",
        seeds=tuple(range(seed * 100, seed * 100 + FORESTS)),
        folds=1,  # one short run: nothing to leave out
    )
    healthy = select(run.series, slice(0, TRAINING_ROWS))
    found = rebuild.rebuild([healthy], plan, catalogue)
    if not isinstance(found, Candidate):
        raise SystemExit(f"{run.name}: {found.reason}")
    (scores,) = score_home(found.detector, run.series)
    # A row without a score of its own keeps the last.
    times_ms = scores.scored.timestamps_ms
    last = np.searchsorted(times_ms, run.series.timestamps_ms, side="right") - 1
    spread = measures.rarefied(scores.scored.smoothed[np.maximum(last, 0)])
    return Scores(spread[:TRAINING_ROWS], spread[TRAINING_ROWS:], run.labels[TRAINING_ROWS:])


def features_of(run: Run) -> Floats:
    """The same running means that our channel sees, for the others."""
    columns = [column for name, column in run.series.columns.items() if name != WATER]
    sums = np.cumsum(np.vstack([np.zeros(len(columns)), np.column_stack(columns)]), axis=0)
    last = np.arange(1, len(sums))
    first = np.maximum(last - MEAN_ROWS, 0)
    means: Floats = (sums[last] - sums[first]) / (last - first)[:, None]
    return means


def _unwhitened(catalogue: Catalogue, run: Run, seed: int) -> Scores:
    with altered(channel_fit, "SHRINKAGE", 1.0):
        return ours(catalogue, run, seed)


def _with_mean(catalogue: Catalogue, rows: int) -> Catalogue:
    (profile,) = catalogue.profiles
    (mode,) = profile.modes
    mode = msgspec.structs.replace(mode, mean=rows)
    return msgspec.structs.replace(
        catalogue, profiles=(msgspec.structs.replace(profile, modes=(mode,)),)
    )


def _water(catalogue: Catalogue) -> Catalogue:
    (profile,) = catalogue.profiles
    (mode,) = profile.modes
    water = msgspec.structs.replace(mode.targets[0], fields=(WATER,))
    mode = msgspec.structs.replace(mode, targets=(*mode.targets, water))
    return msgspec.structs.replace(
        catalogue, profiles=(msgspec.structs.replace(profile, modes=(mode,)),)
    )


def _raw(scorer: baselines.Scorer, run: Run, seed: int) -> Scores:
    return _baseline(run, run.rows, scorer, seed)


def _means(scorer: baselines.Scorer, run: Run, seed: int) -> Scores:
    return _baseline(run, features_of(run), scorer, seed)


def _baseline(run: Run, rows: Floats, scorer: baselines.Scorer, seed: int) -> Scores:
    training, rest = scorer(rows[:TRAINING_ROWS], rows[TRAINING_ROWS:], seed)
    return Scores(training, rest, run.labels[TRAINING_ROWS:])


def _groups(runs: Sequence[Run]) -> list[tuple[str, list[int]]]:
    chosen = [i for i, run in enumerate(runs) if run.name.split("/")[0] in CHOSEN_ON]
    others = [i for i in range(len(runs)) if i not in chosen]
    named = [("all", [*range(len(runs))]), ("chosen on", chosen), ("others", others)]
    return [(name, places) for name, places in named if places]


def _rows(
    name: str,
    runs: Sequence[Run],
    seeds: list[list[Scores]],
    judge: Callable[[list[Scores]], Pooled] | None = None,
) -> list[Row]:
    rows = []
    for group, places in _groups(runs):
        picked = [[files[place] for place in places] for files in seeds]
        points = [
            judge(files) if judge else measures.at_training_quantile(files, QUANTILE)
            for files in picked
        ]
        low, high = (
            _mean(measures.missed_at(files, far) for files in picked) for far in FAR_PERCENT
        )
        rows.append(
            Row(
                detector=name,
                files=group,
                f1=_spread(point.f1 for point in points),
                far_percent=_spread(point.far_percent for point in points),
                mar_percent=_spread(point.mar_percent for point in points),
                mar_at=(low, high),
                auc=_mean(
                    auc(one.rest[~one.labels], one.rest[one.labels])
                    for files in picked
                    for one in files
                ),
                fixed=judge is not None,
            )
        )
    return rows


def _fixed(
    name: str,
    seeds: list[list[Scores]],
    runs: Sequence[Run],
    threshold: float = baselines.PREDECESSOR_THRESHOLD,
) -> list[Row]:
    def judge(files: list[Scores]) -> Pooled:
        return measures.pooled(
            [one.rest >= threshold for one in files], [one.labels for one in files]
        )

    return _rows(name, runs, seeds, judge)


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))


def _spread(values: Iterable[float]) -> tuple[float, float]:
    found = np.array(list(values))
    return float(found.mean()), float(found.std())
