"""The plots of the report.

In: results of the parts. Out: PNG files. Guarantee: axes say what they show and in which unit; no
figure is drawn that is not in a table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import matplotlib as mpl
import numpy as np

from evaluate import fleet, published, skab

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.figure import Figure

    from evaluate.fleet import FleetResult
    from evaluate.lbnl import LbnlResult
    from evaluate.skab import SkabResult

mpl.use("Agg")
from matplotlib import pyplot as plt

COLOURS: Final = {"light": "#9ecae1", "moderate": "#3182bd", "severe": "#08306b"}
OURS: Final = "#d95f02"
OTHERS: Final = "#666666"
DPI: Final = 110


def skab_plane(result: SkabResult, path: Path) -> None:
    """False against missed alarms: our curve, the leaderboard's points."""
    figure, axes = plt.subplots(figsize=(7.0, 5.0))
    curve = np.array(result.curve)
    axes.plot(curve[:, 0], curve[:, 1], color=OURS, label="heatpool, as the threshold falls")
    for row in result.rows:
        if row.files == "all" and row.detector == skab.OURS:
            axes.plot(row.far_percent[0], row.mar_percent[0], "o", color=OURS, label="reported")
    for name, _, far, mar in published.SKAB:
        axes.plot(far, mar, "s", color=OTHERS, markersize=5)
        axes.annotate(name, (far, mar), xytext=(4, 3), textcoords="offset points", fontsize=8)
    axes.set(
        xlabel="false alarms, % of rows without anomaly",
        ylabel="missed alarms, % of rows with anomaly",
        title=f"SKAB: {len(result.files)} files present; squares: published, 34 files",
        xlim=(0, 60),
        ylim=(0, 90),
    )
    axes.grid(alpha=0.3)
    axes.legend()
    _save(figure, path)


def fleet_found(results: Sequence[FleetResult], path: Path) -> None:
    """Share of plays found per fault and level."""
    outcomes = [o for one in results if one.title != "fleet-choice" for o in one.outcomes]
    titles = [*dict.fromkeys(one.scenario.rpartition(":")[0] for one in outcomes)][::-1]
    figure, axes = plt.subplots(figsize=(8.0, 0.36 * len(titles) + 1.5))
    height = 0.27
    for place, (level, colour) in enumerate(COLOURS.items()):
        for row, title in enumerate(titles):
            some = [
                one
                for one in outcomes
                if one.level == level and one.scenario.rpartition(":")[0] == title
            ]
            if some:
                share = 100.0 * fleet.summary(some).found
                label = level if row == len(titles) - 1 else None
                axes.barh(row + (1 - place) * height, share, height, color=colour, label=label)
    axes.set_yticks(range(len(titles)), titles, fontsize=8)
    axes.set(
        xlabel="plays found within seven days, %",
        xlim=(0, 102),
        ylim=(-0.6, len(titles) - 0.4),
        title="Unseen homes, unseen weather: which faults are found",
    )
    axes.grid(axis="x", alpha=0.3)
    axes.legend(loc="upper center", bbox_to_anchor=(0.4, -0.06), ncols=3, fontsize=8)
    _save(figure, path)


def compared(results: Sequence[FleetResult], title: str, path: Path) -> None:
    """Found against false alarms of variants or detectors."""
    figure, axes = plt.subplots(figsize=(8.0, 0.34 * len(results) + 1.6))
    names = [one.title for one in results][::-1]
    heavy = [
        100.0 * fleet.summary([o for o in one.outcomes if o.level != "light"]).found
        for one in results
    ][::-1]
    false = [fleet.false_per_week(one.healthy) for one in results][::-1]
    axes.barh(range(len(names)), heavy, 0.6, color="#3182bd")
    for row, (share, rate) in enumerate(zip(heavy, false, strict=True)):
        axes.text(share + 1, row, f"{rate:.2f} false a week", va="center", fontsize=8)
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.set(xlabel="moderate and severe plays found, %", xlim=(0, 125), title=title)
    axes.grid(axis="x", alpha=0.3)
    _save(figure, path)


def lbnl_days(result: LbnlResult, path: Path) -> None:
    """Every day's score, the first unit that has any."""
    unit = next(one for one in result.files if one.days)
    figure, axes = plt.subplots(figsize=(7.0, 4.0))
    for faulty, colour, label in ((False, "#31a354", "good, left out"), (True, OURS, "faulty")):
        some = [(i, one.score) for i, one in enumerate(unit.days) if one.faulty == faulty]
        axes.plot(
            [i for i, _ in some], [score for _, score in some], "o", color=colour, label=label
        )
    level = sorted(one.score for one in unit.days if not one.faulty)[-2]
    axes.axhline(level, color=OTHERS, linewidth=1, label="passed by one good day")
    axes.set_xticks(range(len(unit.days)), [one.date for one in unit.days], rotation=90, fontsize=7)
    axes.set(ylabel="score of the day (-log mass share)", title=f"LBNL {unit.name}")
    axes.grid(axis="y", alpha=0.3)
    axes.legend()
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    figure.tight_layout()
    figure.savefig(path, dpi=DPI)
    plt.close(figure)
