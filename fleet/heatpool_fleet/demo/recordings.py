"""Real recordings through the running pool: a release from their healthy part, then scores.

In: a pool, the folder of recordings (SKAB 0.9, LBNL fault-detection data sets). Out: one row a
run or day. Guarantee: the services do not know the data; every step is a command of an owner.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np
import rich_click as click
from rich.console import Console
from rich.table import Table

from heatpool_deploy.stack import StackError
from heatpool_fleet.demo.client import HomeCommands
from heatpool_fleet.demo.running import DemoError, forget, running, wait_for_release
from heatpool_fleet.demo.scores import auc, read_scores

if TYPE_CHECKING:
    from collections.abc import Iterator

    from heatpool_deploy.stack import Stack
    from heatpool_fleet.chance import Floats
    from heatpool_fleet.demo.scores import Scores

SKAB_TRAINING_ROWS: Final = 400  # the published split
LBNL_DAY_ROWS: Final = 1440
LBNL_HELD_OUT: Final = 4  # every fourth good day is not trained on
LBNL_LABEL: Final = "Fault Detection Ground Truth"
_SKAB: Final = ("--time-column", "datetime", "--drop", "anomaly", "--drop", "changepoint")
_LBNL: Final = (
    *("--time-column", "Datetime", "--time-format", "%m/%d/%Y %H:%M"),
    *("--timezone", "America/Los_Angeles", "--drop", LBNL_LABEL),
)


class Row(msgspec.Struct, frozen=True):
    """What a run or a day came to."""

    name: str
    auc: float | None
    """Labelled rows against the others of the same run; None where there is one kind only."""
    over_healthy: float | None
    """Share of scored rows without fault over the threshold."""
    over_faulty: float | None
    """Share of scored rows with fault over the threshold."""


def skab(stack: Stack, data: Path, work: Path) -> Iterator[Row]:
    """Train on the first 400 rows of every run, each a home; score the rest against its labels."""
    commands = HomeCommands(stack, "SKAB", work / "skab")
    commands.init()
    runs = sorted((data / "skab").glob("*/*.csv"))
    for number, run in enumerate(runs):
        part = ("--limit", str(SKAB_TRAINING_ROWS), "--shift", "now")
        commands.replay(run, *_SKAB, *part, *_as_home(number))
    wait_for_release(stack, "skab")
    commands.update()
    for run in runs:
        with run.open(encoding="utf-8") as file:
            rows = list(csv.DictReader(file, delimiter=";"))
        times_s = np.array([np.datetime64(row["datetime"], "s") for row in rows]).astype(np.float64)
        faults = np.array([float(row["anomaly"]) for row in rows])
        commands.score(run, work / "scores.csv", *_SKAB)
        scores = read_scores(work / "scores.csv")
        later = scores.between(times_s[SKAB_TRAINING_ROWS], np.inf)
        yield _row(f"{run.parent.name}/{run.stem}", later, _label(later, times_s, faults))


def lbnl(stack: Stack, data: Path, work: Path) -> Iterator[Row]:
    """Train on good days of MZVAV-2-2, each a home; score the faulty and the held-out good days."""
    commands = HomeCommands(stack, "LBNL MZVAV-2-2", work / "lbnl")
    commands.init()
    file = data / "lbnl" / "MZVAV-2-2.csv"
    with file.open(encoding="utf-8-sig") as opened:
        labels = [float(row[LBNL_LABEL]) for row in csv.DictReader(opened)][::LBNL_DAY_ROWS]
    good = [day for day, label in enumerate(labels) if label == 0]
    held_out = set(good[LBNL_HELD_OUT - 1 :: LBNL_HELD_OUT])
    for number, day in enumerate(day for day in good if day not in held_out):
        commands.replay(file, *_LBNL, *_day(day), "--shift", "now", *_as_home(number))
    wait_for_release(stack, "lbnl_mzvav_2_2")
    commands.update()
    for day, label in enumerate(labels):
        if label == 0 and day not in held_out:
            continue
        commands.score(file, work / "scores.csv", *_LBNL, *_day(day))
        scores = read_scores(work / "scores.csv")
        yield _row(f"day {day}", scores, np.full(scores.smoothed.size, label))


def _day(day: int) -> tuple[str, ...]:
    return ("--skip", str(day * LBNL_DAY_ROWS), "--limit", str(LBNL_DAY_ROWS))


def _as_home(number: int) -> tuple[str, ...]:
    """The first is the home that asks for the model; the others only contribute."""
    if number == 0:
        return ()
    return ("--installation-id", f"00000000-0000-4000-8000-{number:012x}")


def _label(scores: Scores, times_s: Floats, faults: Floats) -> Floats:
    found: Floats = faults[np.searchsorted(times_s, scores.timestamp_s)]
    return found


def _row(name: str, scores: Scores, faults: Floats) -> Row:
    healthy, faulty = scores.of(faults == 0), scores.of(faults > 0)
    both = healthy.smoothed.size > 0 and faulty.smoothed.size > 0
    return Row(
        name=name,
        auc=auc(healthy.smoothed, faulty.smoothed) if both else None,
        over_healthy=float(healthy.over.mean()) if healthy.over.size else None,
        over_faulty=float(faulty.over.mean()) if faulty.over.size else None,
    )


@click.command()
@click.argument("data", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--state", type=click.Path(file_okay=False, path_type=Path), default=".state-rec")
def main(data: Path, state: Path) -> None:
    """Replay the recordings in DATA through a pool of their own and score them."""
    console = Console(width=80)
    try:
        forget(state)
        with running(state) as stack:
            for title, told in (("SKAB", skab), ("LBNL MZVAV-2-2", lbnl)):
                console.print(_table(title, list(told(stack, data, state))))
    except (DemoError, StackError) as error:
        raise click.ClickException(str(error)) from error


def _table(title: str, rows: list[Row]) -> Table:
    table = Table("run", "AUC", "over, no fault", "over, fault", title=title)
    columns = [(row.auc, row.over_healthy, row.over_faulty) for row in rows]
    for row, figures in zip(rows, columns, strict=True):
        table.add_row(row.name, *map(_text, figures))
    means = [
        np.mean(present) if (present := [one for one in column if one is not None]) else None
        for column in zip(*columns, strict=True)
    ]
    table.add_row("mean", *map(_text, means))
    return table


def _text(value: float | np.floating | None) -> str:
    return "" if value is None else f"{value:.3f}"


if __name__ == "__main__":
    main()
