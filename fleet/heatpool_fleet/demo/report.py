"""What the demo shows: tables on the terminal, a plot as PNG.

In: the book of stages and the outcome. Out: text and `score.png`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from rich.table import Table

from heatpool_fleet.demo.scores import read_scores

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from heatpool_deploy.stack import Stack
    from heatpool_fleet.demo.story import Outcome, Plan
    from heatpool_fleet.demo.timing import Book

PLOT: Final = "score.png"
_DAY_S: Final = 86_400.0


def show(console: Console, stack: Stack, plan: Plan, outcome: Outcome, book: Book) -> None:
    """Print the report."""
    sums = outcome.sums
    console.print(
        _table(
            "samples",
            ("station", "samples"),
            [
                ("simulated", f"{sums.simulated:,}"),
                ("accepted by the edge", f"{sums.accepted:,}"),
                ("stored, as VictoriaMetrics counts them", f"{sums.stored:,}"),
                ("registered in KV INSTALLATIONS", f"{sums.registered:,}"),
            ],
        )
    )
    console.print(
        _table(
            "release",
            ("", ""),
            [(name, str(value)) for name, value in outcome.report.items() if value is not None],
        )
    )
    console.print(
        _table(
            f"scores, fault: {plan.fault} {plan.grade:g}",
            ("", "healthy week", "week with fault"),
            [
                ("over the threshold", f"{outcome.over_healthy:.1%}", f"{outcome.over_faulty:.1%}"),
                ("AUC, week against week", "", f"{outcome.auc:.3f}"),
            ],
        )
    )
    console.print(
        _table(
            "time",
            ("stage", "seconds"),
            [(name, f"{seconds:.1f}") for name, seconds in book.stages],
        )
    )
    console.print(
        _table(
            "checks",
            ("", "check", "found"),
            [
                ("held" if check.held else "FAILED", check.text, check.found)
                for check in book.checks
            ],
        )
    )
    console.print(_further(stack), highlight=False, markup=False)


def plot(outcome: Outcome, path: Path) -> None:
    """Score over time with threshold and fault, as PNG."""
    import matplotlib as mpl  # noqa: PLC0415 - half a second that only this function needs

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415 - after the choice of the backend

    table = read_scores(outcome.scores)
    fault_day = (outcome.fault_from_s - outcome.healthy_from_s) / _DAY_S
    figure, axes = plt.subplots(figsize=(11, 5), layout="constrained")
    days = (table.timestamp_s - outcome.healthy_from_s) / _DAY_S
    for number, name in enumerate(np.unique(table.channel)):
        rows = table.channel == name
        color = f"C{number}"
        axes.plot(days[rows], table.smoothed[rows], ".", markersize=3, color=color, label=name)
        axes.plot(days[rows], table.threshold[rows], "_", markersize=2, color=color, alpha=0.6)
    axes.axvspan(fault_day, float(days.max()), color="red", alpha=0.1, label="fault present")
    axes.axvline(0.0, color="grey", linewidth=0.8, linestyle="--")
    axes.annotate(
        "history: the home learns its offset",
        (days.min(), 1.02),
        fontsize=8,
        xycoords=("data", "axes fraction"),
    )
    axes.annotate("healthy week", (0.0, 1.02), fontsize=8, xycoords=("data", "axes fraction"))
    axes.set_xlabel("days since the end of the shared history")
    axes.set_ylabel("anomaly score and, as bars, its threshold")
    axes.legend(loc="upper left", markerscale=4, title="mode/channel", fontsize=8)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _table(title: str, columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> Table:
    table = Table(*columns, title=title, title_justify="left", show_header=any(columns))
    for row in rows:
        table.add_row(*row)
    return table


def _further(stack: Stack) -> str:
    ports = stack.ports
    return f"""\
look further (`make up STATE={stack.state.name}` starts this pool again, with its data):
  edge            {stack.ingest_url}/health/ready
  hub             {stack.modelhub_url}/api/v1/pool/status
  VictoriaMetrics {stack.victoria_url}/api/v1/query?query=count(heatpump_batch_samples)
  NATS monitoring http://127.0.0.1:{ports.nats_monitor}/jsz?streams=true&consumers=true
  nats context add heatpool --select --server {stack.nats_url} \\
    --nkey {stack.keys}/nats_operator.nk --inbox-prefix _INBOX_operator
  nats stream view TELEMETRY
  nats consumer info TELEMETRY writer
  nats kv get INSTALLATIONS <pseudonym>
  nats kv get TRAINING aero_slm_6_17
  nats object ls MODELS
"""
