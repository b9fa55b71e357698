"""`heatpool-fleet`: simulate homes, post their history, look at them.

In: options, the clock, the token's file or variable. Out: requests to the pool, tables, pictures.
Guarantee: exit status 0 of `run` only if every record was posted and the pool took it.
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
import rich_click as click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from heatpool_fleet.chance import DAY_S, HOUR_S
from heatpool_fleet.charts import ChartUnavailableError, draw
from heatpool_fleet.faults import Fault
from heatpool_fleet.options import Fleet, fleet_options
from heatpool_fleet.posting import (
    BATCH_RECORDS,
    CONCURRENCY_MAX,
    Counts,
    PostingError,
    Target,
    post,
)
from heatpool_fleet.simulation import simulate, simulate_each

if TYPE_CHECKING:
    from heatpool_fleet.recording import Recording

TOKEN_VARIABLE: Final = "HEATPOOL_FLEET_TOKEN"  # noqa: S105 -- the name of a variable, no secret


CODES: Final = frozenset({"status", "status_heat_pump"})
WHOLE_FROM: Final = 100.0
TABLE_WIDTH: Final = 118  # one line per sensor, also where the terminal's width is unknown


class Summary(msgspec.Struct, frozen=True):
    """What `run --json` prints."""

    homes: int
    model: str
    seed: int
    start_s: float
    days: float
    interval_s: float
    installation_ids: list[str]
    """By home."""
    faults: dict[int, Fault]
    """By home."""
    posted: Counts
    seconds: float
    """Simulation included."""
    records_per_s: float


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Simulated homes with heat pumps, for demo, load and evaluation."""


@main.command()
@fleet_options
@click.option("--url", required=True, help="The pool, as https://pool.example.")
@click.option("--token-file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--token", envvar=TOKEN_VARIABLE, help=f"Better: variable {TOKEN_VARIABLE}.")
@click.option(
    "--batch",
    default=BATCH_RECORDS,
    type=click.IntRange(1),
    show_default=True,
    help="Records a request.",
)
@click.option(
    "--concurrency", default=4, type=click.IntRange(1, CONCURRENCY_MAX), show_default=True
)
@click.option("--json", "as_json", is_flag=True, help="Print a summary as JSON to stdout.")
def run(  # noqa: PLR0913 -- click hands over one argument per option
    fleet: Fleet,
    *,
    url: str,
    token_file: Path | None,
    token: str | None,
    batch: int,
    concurrency: int,
    as_json: bool,
) -> None:
    """Simulate homes and post their history, faster than real time."""
    secret = token_file.read_text(encoding="utf-8").strip() if token_file else token
    if not secret:
        raise click.UsageError(f"no token: give --token-file or set {TOKEN_VARIABLE}")
    began = time.monotonic()
    try:
        posted = _post(fleet, Target(url, secret, batch, concurrency))
    except (PostingError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    summary = _summary(fleet, posted, time.monotonic() - began)
    if as_json:
        click.echo(msgspec.json.encode(summary))
    else:
        _print(summary)
    if posted.processed != posted.records or posted.rejected:
        sys.exit(1)


@main.command()
@fleet_options
@click.option("--of", "shown", default=0, type=click.IntRange(0), help="Which home.")
def show(fleet: Fleet, *, shown: int) -> None:
    """Print the last day of one home, means of two hours (codes: highest)."""
    recording = _one(fleet, shown)
    last = recording.timestamps_s.size
    width = max(round(2.0 * HOUR_S / fleet.interval_s), 1)
    begins = range(max(last - round(DAY_S / fleet.interval_s), 0), last, width)
    table = Table(title=f"home {shown}, {recording.home.model}, hours in UTC")
    table.add_column("sensor")
    for begin in begins:
        table.add_column(time.strftime("%H", time.gmtime(recording.timestamps_s[begin])))
    for name, column in recording.columns.items():
        parts = [column[begin : begin + width] for begin in begins]
        means = [float(part.max() if name in CODES else part.mean()) for part in parts]
        table.add_row(name, *(f"{mean:.{0 if abs(mean) >= WHOLE_FROM else 1}f}" for mean in means))
    Console(width=max(Console().width, TABLE_WIDTH)).print(table)


@main.command()
@fleet_options
@click.argument("path", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--of", "shown", default=0, type=click.IntRange(0), help="Which home.")
def plot(fleet: Fleet, *, path: Path, shown: int) -> None:
    """Draw one home's recording to PATH (PNG)."""
    recording = _one(fleet, shown)
    try:
        draw(recording, path)
    except ChartUnavailableError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{path}: {recording.timestamps_s.size} records")


def _one(fleet: Fleet, shown: int) -> Recording:
    if shown >= len(fleet.homes):
        raise click.UsageError(f"--of counts from 0 to {len(fleet.homes) - 1}")
    faults = {index: fault for index, fault in fleet.faults.items() if index == shown}
    homes = [fleet.homes[shown]]  # a home is the same alone
    try:
        return simulate(homes, fleet.start_s, fleet.days, fleet.interval_s, fleet.seed, faults)[0]
    except ValueError as error:
        raise click.UsageError(str(error)) from error


def _post(fleet: Fleet, target: Target) -> Counts:
    records = round(fleet.days * DAY_S / fleet.interval_s) * len(fleet.homes)
    with Progress(
        TextColumn("posting"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("records"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    ) as progress:
        task = progress.add_task("posting", total=records)
        recordings = simulate_each(
            fleet.homes, fleet.start_s, fleet.days, fleet.interval_s, fleet.seed, fleet.faults
        )
        return asyncio.run(
            post(recordings, target, lambda counts: progress.advance(task, counts.records))
        )


def _summary(fleet: Fleet, posted: Counts, seconds: float) -> Summary:
    return Summary(
        homes=len(fleet.homes),
        model=fleet.homes[0].model,
        seed=fleet.seed,
        start_s=fleet.start_s,
        days=fleet.days,
        interval_s=fleet.interval_s,
        installation_ids=[home.installation_id for home in fleet.homes],
        faults=fleet.faults,
        posted=posted,
        seconds=round(seconds, 3),
        records_per_s=round(posted.records / seconds, 1),
    )


def _print(summary: Summary) -> None:
    table = Table(title=f"{summary.homes} homes, {summary.days:g} days, {summary.model}")
    table.add_column("what")
    table.add_column("how much", justify="right")
    for name, value in msgspec.structs.asdict(summary.posted).items():
        table.add_row(name.replace("_", " "), f"{value:,}")
    table.add_row("seconds, simulation included", f"{summary.seconds:,.1f}")
    table.add_row("records per second", f"{summary.records_per_s:,.0f}")
    Console().print(table)


if __name__ == "__main__":
    main()
