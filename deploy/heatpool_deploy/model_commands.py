"""The commands of `heatpoolctl models` that look at releases and trainings, and ask for one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import rich_click as click
from rich.console import Console
from rich.table import Table

from heatpool_chassis import micro
from heatpool_contract.release import RebuildRequest, RebuildRequested
from heatpool_deploy import model_admin
from heatpool_deploy.connection import on_bus, print_json
from heatpool_deploy.model_admin import ModelAdminError

if TYPE_CHECKING:
    from nats.aio.client import Client

    from heatpool_contract.release import RefusedCandidate, TrainingReport
    from heatpool_deploy.model_admin import Standing


@click.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON document, for programs.")
def list_(*, as_json: bool) -> None:
    """Show every model: its release, the homes it is made of, and how the last training went."""
    found = on_bus(model_admin.standings)
    if as_json:
        print_json(found)
        return
    table = Table("model", "version", "epoch.seq", "state", "share", "hash", "predecessor")
    for name in ("last training", "out", "refused"):
        table.add_column(name)
    for one in found:
        table.add_row(one.model, *_release(one), *_training(one))
    Console().print(table)


@click.command()
@click.argument("model")
def show(model: str) -> None:
    """Show one model: its last training with every figure, homes left out, refused candidates."""
    found = on_bus(lambda client: model_admin.standing(client, model))
    console = Console()
    if found.report is not None:
        console.print(_report(found.report))
    for candidate in found.refused:
        console.print(_candidate(candidate))


@click.command()
@click.argument("model")
@click.option("--accept", multiple=True, help="A reason of the gate to accept; repeatable.")
def train(model: str, accept: tuple[str, ...]) -> None:
    """Ask the trainers for a training of MODEL, whatever is new of it.

    After a refusal: `models show MODEL`, and if what it says is right for all that,
    `models train MODEL --accept REASON`. The manifest of the release names what was accepted.
    """

    async def work(client: Client) -> RebuildRequested:
        asked = RebuildRequest(model, accept)
        try:
            to = micro.subject("trainer", "rebuild")
            return await micro.ask(client, to, asked, RebuildRequested)
        except micro.EndpointError as error:
            raise ModelAdminError(str(error)) from error

    click.echo(f"{on_bus(work).model}: asked for; `heatpoolctl models show {model}` follows it")


def _release(one: Standing) -> tuple[str, ...]:
    if one.pointer is None:
        return ("",) * 6
    current, previous = one.pointer.current, one.pointer.previous
    return (
        current.version,
        f"{current.epoch}.{current.seq}",
        current.state,
        f"{one.pointer.canary_share:.0%}",
        current.model_hash[:12],
        f"{previous.epoch}.{previous.seq}" if previous else "",
    )


def _training(one: Standing) -> tuple[str, ...]:
    report = one.report
    if report is None:
        return "", "", str(len(one.refused))
    outcome: str = report.outcome
    if outcome == "training":
        outcome = f"{report.stage} {report.share:.0%}"
    elif report.reasons:
        outcome = f"{outcome}: {', '.join(report.reasons)}"
    out = report.homes_quarantined + len(report.homes_rejected)
    return outcome, str(out), str(len(one.refused))


def _report(report: TrainingReport) -> Table:
    table = Table(f"{report.model}, {_when(report.at_ms)}", report.outcome)
    if report.outcome == "training":
        table.add_row("doing", f"{report.stage}, {report.share:.0%}")
    table.add_row("reasons", ", ".join(report.reasons))
    table.add_row("homes", str(report.installations))
    table.add_row("in quarantine", str(report.homes_quarantined))
    table.add_row("rejected by the others", "\n".join(report.homes_rejected))
    table.add_row("samples", f"{report.samples:,}")
    table.add_row("took", f"{report.took_s:.1f} s")
    for name, value in report.figures.items():
        table.add_row(name, f"{value:.4g}")
    return table


def _candidate(one: RefusedCandidate) -> Table:
    table = Table(f"refused, {_when(one.at_ms)}", "value", "limit", caption=one.object_name)
    for figure in one.figures:
        style = "bold" if figure.name in one.reasons else None
        table.add_row(figure.name, f"{figure.value:.4g}", f"{figure.limit:.4g}", style=style)
    for home in one.homes_rejected:
        table.add_row("rejected", home, "")
    start, end = (_when(at_s * 1000) for at_s in (one.window_start_s, one.window_end_s))
    table.add_row("window", start, end)
    other = [reason for reason in one.reasons if all(reason != f.name for f in one.figures)]
    table.add_row("other reasons", ", ".join(other), "")
    return table


def _when(moment_ms: int) -> str:
    return datetime.fromtimestamp(moment_ms / 1000, UTC).isoformat(timespec="seconds")
