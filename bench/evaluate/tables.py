"""Results as tables: titles, headers, rows of text.

In: results of the parts. Out: `Table`s. Guarantee: what is missing is a table that says so.
"""

from __future__ import annotations

import collections
import itertools
import math
from typing import TYPE_CHECKING, Final

import msgspec

from evaluate import fleet, published

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evaluate.at_home import HomeResult
    from evaluate.fleet import FleetResult, Healthy, Outcome
    from evaluate.fleet_baselines import BaselinesResult
    from evaluate.lbnl import LbnlResult
    from evaluate.skab import Row, SkabResult

LEVELS: Final = ("light", "moderate", "severe")


class Table(msgspec.Struct, frozen=True):
    """One table of the page."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    remark: str = ""


def missing(title: str, why: str) -> Table:
    """A part that has not run."""
    return Table(title, (), (), f"NOT MEASURED: {why}")


def skab_table(result: SkabResult) -> list[Table]:
    """Ours and theirs, on all files present; then apart by what was used to choose."""
    header = ("detector", "F1", "FAR %", "MAR %", "MAR at FAR 13.5", "MAR at FAR 27", "mean AUC")
    board = [
        (f"{name} (published, all {published.FILES} files)", f"{f1:.2f}", f"{far:.2f}",
         f"{mar:.2f}", "", "", "")
        for name, f1, far, mar in published.SKAB
    ]  # fmt: skip
    groups = {
        "all": f"SKAB, the {len(result.files)} files present",
        "chosen on": "SKAB, the files that settings were chosen on (valve1, valve2)",
        "others": "SKAB, the other files present",
    }
    tables = []
    for group, title in groups.items():
        rows = [
            (
                row.detector,
                _pair(row.f1, 3),
                _pair(row.far_percent, 1),
                _pair(row.mar_percent, 1),
                *_swept(row),
            )
            for row in result.rows
            if row.files == group
        ]
        if rows:
            more = board if group == "all" else []
            tables.append(Table(title, header, (*rows, *more)))
    return tables


def lbnl_tables(result: LbnlResult) -> list[Table]:
    """One table a unit."""
    header = ("detector", "faulty days found", "good days alarmed", "found above all good days",
              "AUC of days", "AUC of minutes")  # fmt: skip
    return [
        Table(
            f"LBNL {one.name}: {one.faulty} faulty days, {one.good} good days",
            header,
            tuple(
                (
                    row.detector,
                    f"{row.found_percent:.0f} %",
                    f"{row.good_percent:.1f} %",
                    f"{row.found_quiet_percent:.0f} %",
                    f"{row.auc_days:.3f}",
                    f"{row.auc_minutes:.3f}",
                )
                for row in one.rows
            ),
            one.remark,
        )
        for one in result.files
    ]


FLEET_HEADER: Final = (
    "", "plays", "found", "moderate and severe", "light", "AUC", "AUC, all channels", "AUC, light",
    "median delay h", "false alarms a pump-week", "alarms by chance",
)  # fmt: skip


def fleet_row(title: str, outcomes: Sequence[Outcome], healthy: Sequence[Healthy]) -> tuple[
    str, ...
]:  # fmt: skip
    """A release in one line; AUC and delay of moderate and severe faults where not said."""
    heavy = [one for one in outcomes if one.level != "light"]
    light = [one for one in outcomes if one.level == "light"]
    everything, apart, slight = (fleet.summary(one) for one in (outcomes, heavy, light))
    return (
        title,
        str(len(outcomes)),
        _percent(everything.found),
        _percent(apart.found),
        _percent(slight.found),
        f"{apart.area:.3f}",
        f"{apart.pump_area:.3f}",
        f"{slight.area:.3f}",
        _hours(apart.delay_hours),
        f"{fleet.false_per_week(healthy):.2f}",
        _percent(fleet.by_chance(healthy)),
    )


def fleet_overview(results: Sequence[FleetResult], alike: FleetResult | None) -> Table:
    """Per period, the reported ones together, and what came of training in one weather."""
    reported = [one for one in results if one.title != "fleet-choice"]
    rows = [
        fleet_row(
            "reported homes, both weathers",
            [o for one in reported for o in one.outcomes],
            [h for one in reported for h in one.healthy],
        )
    ]
    rows += [fleet_row(one.title.removeprefix("fleet-"), one.outcomes, one.healthy)
             for one in results]  # fmt: skip
    if alike is not None:
        rows.append(fleet_row("reported, trained in one weather", alike.outcomes, alike.healthy))
    weeks = sum(h.weeks for one in reported for h in one.healthy)
    first = results[0]
    return Table(
        "Fleet: unseen homes in unseen weather",
        FLEET_HEADER,
        tuple(rows),
        f"Trained on {first.training_homes} homes; {weeks:.0f} healthy pump-weeks reported, and "
        f"{sum(one.idle for one in reported)} plays left out, in whose weather the fault did "
        "nothing. 'choice' are the homes that design questions were decided on. AUC and delay: "
        "moderate and severe; heating against the home's own normal, then hour by hour the rarest "
        "that any channel says. Found, false alarms: residuals, days and rules together.",
    )


def fleet_scenarios(results: Sequence[FleetResult]) -> Table:
    """Per fault and grade."""
    outcomes = [o for one in results if one.title != "fleet-choice" for o in one.outcomes]
    names = [*dict.fromkeys(one.scenario for one in outcomes)]
    by_name = {name: [one for one in outcomes if one.scenario == name] for name in names}
    titles = [*dict.fromkeys(name.rpartition(":")[0] for name in names)]
    rows = []
    for title in titles:
        for name in (one for one in names if one.rpartition(":")[0] == title):
            some = by_name[name]
            figures = fleet.summary(some)
            days = sorted(one.alarm_days for one in some if one.alarm_days is not None)
            rows.append(
                (
                    title,
                    name.rpartition(":")[2],
                    some[0].level,
                    str(figures.number),
                    _percent(figures.found),
                    f"{figures.area:.3f}",
                    f"{figures.pump_area:.3f}",
                    _hours(figures.delay_hours),
                    f"{days[len(days) // 2]:.1f}" if days else "-",
                    _finders(some),
                )
            )
    return Table(
        "Fleet: per fault and grade",
        ("fault", "grade", "level", "plays", "found", "AUC", "AUC, all channels",
         "median delay, h of heating", "median delay, days", "found by"),
        tuple(rows),
        "AUC: heating channel against the home's own normal, faulty days against the same days of "
        "the same home without the fault. Found: any channel, debounced, within seven days.",
    )  # fmt: skip


def compared(title: str, results: Sequence[FleetResult], remark: str) -> Table:
    """Variants or detectors on the same plays."""
    rows = tuple(fleet_row(one.title, one.outcomes, one.healthy) for one in results)
    return Table(title, FLEET_HEADER, rows, remark)


def ablation_table(variants: Sequence[FleetResult], planned: int) -> Table:
    """One line a variant."""
    return compared(
        "Ablation: one choice taken out at a time",
        variants,
        f"{len(variants)} of {planned} variants measured. Trained as the release; a third "
        "of the reported homes' winter plays.",
    )


def baselines_table(result: BaselinesResult) -> Table:
    """One line a detector."""
    return compared(
        "Others on the same plays",
        result.detectors,
        "Raw readings of running minutes; calibrated on 16 healthy unseen homes to the same "
        "budget; smoothing and debounce as ours.",
    )


def home_table(result: HomeResult) -> Table:
    """Size, speed, words."""
    rows = [
        ("payload, bytes", f"{result.payload_bytes:,}"),
        ("compressed, before sealing", f"{result.compressed_bytes:,}"),
        ("scored reading, median", f"{result.score_us_median:.0f} us, plain Python"),
        ("scored reading, 99 %", f"{result.score_us_p99:.0f} us"),
        *(("alarm, English", text) for text in result.alarm_en),
        *(("alarm, German", text) for text in result.alarm_de),
    ]
    if result.rarity_weeks is not None:
        rows.append(("healthy pumps get there", f"once in {result.rarity_weeks:.0f} weeks"))
    return Table("At home: a fouled evaporator (half of the air)", ("", ""), tuple(rows))


def text(table: Table) -> str:
    """For a terminal or a document."""
    if not table.rows:
        return f"{table.title}\n  {table.remark}\n"
    everything = [table.header, *table.rows]
    widths = [max(len(row[i]) for row in everything) for i in range(len(table.header))]
    lines = [
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in everything
    ]
    return "\n".join(itertools.chain([table.title], lines, [table.remark, ""]))


def _finders(outcomes: Sequence[Outcome]) -> str:
    """The channel or rule that found most of them."""
    number = collections.Counter(name for one in outcomes for name in one.by)
    return ", ".join(f"{name} {times}" for name, times in number.most_common(2))


def _swept(row: Row) -> tuple[str, str, str]:
    """Nothing for a fixed rule: there is no threshold to sweep."""
    if row.fixed:
        return ("", "", "")
    return (f"{row.mar_at[0]:.1f}", f"{row.mar_at[1]:.1f}", f"{row.auc:.3f}")


def _pair(value: tuple[float, float], digits: int) -> str:
    mean, spread = value
    return f"{mean:.{digits}f} ± {spread:.{digits}f}" if spread else f"{mean:.{digits}f}"


def _percent(share: float) -> str:
    return f"{100.0 * share:.0f} %"


def _hours(hours: float) -> str:
    return "-" if math.isnan(hours) else f"{hours:.1f}"
