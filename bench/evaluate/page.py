"""One page of everything that has been measured, and of what has not.

In: the results in the report folder. Out: plots, `index.html` (self-contained), `tables.txt`.
Guarantee: a part without result is on the page as not measured.
"""

from __future__ import annotations

import base64
import html
import re
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from evaluate import plots, recordings, store, tables
from evaluate.ablation import titles
from evaluate.at_home import HomeResult
from evaluate.fleet import FleetResult
from evaluate.fleet_baselines import BaselinesResult
from evaluate.lbnl import LbnlResult
from evaluate.skab import SkabResult

if TYPE_CHECKING:
    from pathlib import Path

    from evaluate.tables import Table

Result = TypeVar("Result", bound=msgspec.Struct)

STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 75em; padding: 0 1em }
table { border-collapse: collapse; margin: 0.5em 0 1em } caption { text-align: left }
th, td { border-bottom: 1px solid #ddd; padding: 0.15em 0.7em; text-align: right }
th:first-child, td:first-child { text-align: left } th { vertical-align: bottom }
img { max-width: 100% } .missing { color: #b30000; font-weight: bold }
"""
INTRODUCTION: Final = (
    "Simulated homes: the simulator is ours and the form of the reference suits it; expect less in "
    "the field. SKAB and LBNL are real or third-party recordings. Every split is by home, run or "
    "day; seeds are fixed. Settings of the SKAB rig were chosen on valve1 and valve2; the design "
    "of the chain on earlier simulations and on the homes named 'choice'."
)


def result_file(out: Path, part: str) -> Path:
    """Where a part keeps its result."""
    return out / "parts" / f"{part}.json"


def variant_name(title: str) -> str:
    """An ablation's file."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower())


def write(out: Path) -> Path:
    """Write the page; returns where it is."""
    out.mkdir(parents=True, exist_ok=True)
    shown: list[Table | Path] = []
    found = [_load(out, f"fleet-{one.name}", FleetResult) for one in recordings.JUDGED]
    judged = [one for one in found if one is not None]
    if judged and any(one.title != "fleet-choice" for one in judged):
        plots.fleet_found(judged, out / "fleet.png")
        alike = _load(out, "alike", FleetResult)
        shown += [
            tables.fleet_overview(judged, alike),
            out / "fleet.png",
            tables.fleet_scenarios(judged),
        ]
    if len(judged) < len(found):
        shown.append(tables.missing("Fleet", "`make evaluate PARTS=fleet` has not finished"))
    if home := _load(out, "home", HomeResult):
        shown.append(tables.home_table(home))
    else:
        shown.append(tables.missing("At home", "needs the fleet part"))
    measured = [_load(out, f"variants/{variant_name(one)}", FleetResult) for one in titles()]
    variants = [one for one in measured if one is not None]
    if variants:
        title = "One choice taken out at a time"
        plots.compared(variants, title, out / "ablation.png")
        shown += [tables.ablation_table(variants, len(measured)), out / "ablation.png"]
    else:
        shown.append(tables.missing("Ablation", "`make evaluate PARTS=ablation` has not finished"))
    if others := _load(out, "baselines", BaselinesResult):
        shown.append(tables.baselines_table(others))
    else:
        shown.append(tables.missing("Others", "`make evaluate PARTS=baselines` has not finished"))
    if rig := _load(out, "skab", SkabResult):
        plots.skab_plane(rig, out / "skab.png")
        shown += [out / "skab.png", *tables.skab_table(rig)]
    else:
        shown.append(tables.missing("SKAB", "not run, or no data under HEATPOOL_DATA"))
    if units := _load(out, "lbnl", LbnlResult):
        plots.lbnl_days(units, out / "lbnl.png")
        shown += [*tables.lbnl_tables(units), out / "lbnl.png"]
    else:
        shown.append(tables.missing("LBNL", "not run, or no data under HEATPOOL_DATA"))
    texts = [tables.text(one) for one in shown if isinstance(one, tables.Table)]
    store.write_bytes(out / "tables.txt", "\n".join(texts).encode())
    body = "\n".join(_table(one) if isinstance(one, tables.Table) else _image(one) for one in shown)
    page = (
        "<!doctype html><html lang=en><meta charset=utf-8><title>heatpool evaluation</title>"
        f"<style>{STYLE}</style><h1>heatpool: evaluation</h1>"
        f"<p>{html.escape(INTRODUCTION)} {html.escape(recordings.sizes())}.</p>{body}</html>"
    )
    store.write_bytes(out / "index.html", page.encode())
    return out / "index.html"


def _load(out: Path, part: str, kind: type[Result]) -> Result | None:
    return store.load_result(result_file(out, part), kind)


def _table(table: Table) -> str:
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in table.header)
    rows = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>"
        for row in table.rows
    )
    kind = "" if table.rows else " class=missing"
    return (
        f"<h2>{html.escape(table.title)}</h2><p{kind}>{html.escape(table.remark)}</p>"
        f"<table><tr>{head}</tr>{rows}</table>"
    )


def _image(path: Path) -> str:
    raw = base64.b64encode(path.read_bytes()).decode()
    return f'<img alt="{path.stem}" src="data:image/png;base64,{raw}">'
