"""Pictures of the dashboards' panels without Grafana: `make dashboards-shots STORE=http://...`.

In: a store, the tables of `build.py`. Out: one PNG a dashboard: every panel's queries over the last
minutes, in the order and width that Grafana gives them. Guarantee: what is drawn is what the store
answers to the panels' own queries; a panel without data says so.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import matplotlib as mpl

sys.path.insert(0, str(Path(__file__).parent))

from build import COLUMNS, DASHBOARDS, Panel  # type: ignore[import-not-found]  # beside this

mpl.use("Agg")
from matplotlib import pyplot as plt

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROW_INCHES: Final = 2.6
WIDTH_INCHES: Final = 18.0
SERIES_MAX: Final = 12
STEPS: Final = 120


class Span(NamedTuple):
    """What the pictures show, in seconds since 1970."""

    start_s: float
    end_s: float


class Drawn(NamedTuple):
    """One series."""

    labels: dict[str, str]
    times: list[float]
    values: list[float]


def ask(store: str, query: str, span: Span) -> list[Drawn]:
    """Labels, times and values of every series."""
    step_s = max(1, round((span.end_s - span.start_s) / STEPS))
    asked = {"query": query.replace("$model", ".+"), "start": span.start_s, "end": span.end_s}
    text = urllib.parse.urlencode(asked | {"step": step_s, "nocache": 1})
    with urllib.request.urlopen(f"{store}/api/v1/query_range?{text}", timeout=30) as answer:  # noqa: S310 - the operator's own store
        found = json.load(answer)["data"]["result"]
    return [
        Drawn(one["metric"], [at for at, _ in one["values"]], [float(v) for _, v in one["values"]])
        for one in found
    ]


def draw_panel(axes: Axes, panel: Panel, store: str, span: Span) -> int:
    """One panel; how many series it shows."""
    axes.set_title(f"{panel.title} [{panel.unit}]", fontsize=9, loc="left")
    drawn = 0
    for query, legend in panel.queries:
        for labels, times, values in ask(store, query, span):
            drawn += 1
            if drawn > SERIES_MAX:
                continue
            name = re.sub(r"{{(\w+)}}", lambda one: labels.get(one[1], ""), legend)  # noqa: B023 - used at once
            if panel.kind == "stat":
                axes.text(0.5, 0.5, f"{values[-1]:.4g}", ha="center", va="center", fontsize=22)
            else:
                axes.plot([(at - span.end_s) / 60 for at in times], values, label=name or None)
    if panel.kind == "stat" or not drawn:
        axes.set_axis_off()
    if not drawn:
        axes.text(0.5, 0.5, "no data", ha="center", va="center", color="tab:red")
    elif panel.kind != "stat":
        axes.tick_params(labelsize=7)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(fontsize=6, loc="upper left")
    return drawn


def draw(uid: str, store: str, folder: Path, span: Span) -> list[str]:
    """One dashboard's picture; the titles of panels without data."""
    title, rows, _since = DASHBOARDS[uid]
    placed: list[tuple[Panel, int, int]] = []
    x = y = 0
    for row in rows:
        y, x = y + (1 if x else 0), 0
        for panel in row.panels:
            if x + panel.width > COLUMNS:
                y, x = y + 1, 0
            placed.append((panel, x, y))
            x += panel.width
    lines = placed[-1][2] + 1
    figure = plt.figure(figsize=(WIDTH_INCHES, ROW_INCHES * lines), layout="constrained")
    figure.suptitle(f"{title}, minutes before now")
    grid = figure.add_gridspec(lines, COLUMNS)
    empty = [
        panel.title
        for panel, left, top in placed
        if not draw_panel(
            figure.add_subplot(grid[top, left : left + panel.width]), panel, store, span
        )
    ]
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / f"{uid}.png", dpi=70)
    plt.close(figure)
    return empty


def main() -> None:
    """All dashboards."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--store", required=True, help="URL of VictoriaMetrics")
    parser.add_argument("--folder", type=Path, default=Path(".bench") / "dashboards")
    parser.add_argument("--minutes", type=float, default=15.0)
    chosen = parser.parse_args()
    now_s = time.time()
    for uid in DASHBOARDS:
        span = Span(now_s - chosen.minutes * 60, now_s)
        empty = draw(uid, chosen.store, chosen.folder, span)
        print(f"{chosen.folder / uid}.png: without data: {', '.join(empty) or 'none'}")


if __name__ == "__main__":
    main()
