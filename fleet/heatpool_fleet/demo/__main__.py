"""`heatpool-demo`: see the package."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import msgspec
import rich_click as click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from heatpool_deploy import stack as stacks
from heatpool_fleet.demo import report
from heatpool_fleet.demo.running import DemoError, forget, running
from heatpool_fleet.demo.story import Plan, tell
from heatpool_fleet.demo.timing import Book
from heatpool_fleet.faults import FaultKind


@click.command()
@click.option("--state", type=click.Path(file_okay=False, path_type=Path), default=".state-demo")
@click.option("--homes", type=click.IntRange(2, 60), default=12, show_default=True)
@click.option("--days", type=click.FloatRange(10, 300), default=35, show_default=True)
@click.option(
    "--interval", "interval_s", type=click.FloatRange(10, 900), default=60, show_default=True
)
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--fault", type=click.Choice(list(FaultKind)), default=FaultKind.UNDERCHARGE)
@click.option("--grade", type=float, default=0.3, show_default=True)
@click.option("--keep", is_flag=True, help="Keep the pool running until Ctrl-C.")
def main(state: Path, *, keep: bool, **size: object) -> None:
    """Run the whole pool on this machine with simulated homes, and check what comes out."""
    console = Console(width=None if sys.stdout.isatty() else 110)
    plan = msgspec.convert(size, Plan)
    book = Book()
    started_s = time.monotonic()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    try:
        forget(state)
        with running(state) as stack:
            book.stages.append(("start servers and services", time.monotonic() - started_s))
            with Progress(*columns, console=console) as progress:
                outcome = tell(stack, plan, book, progress)
            report.plot(outcome, state / report.PLOT)
            book.stages.append(("all", time.monotonic() - started_s))
            report.show(console, stack, plan, outcome, book)
            console.print(f"plot: {state / report.PLOT}", highlight=False)
            if keep:
                console.print("running; Ctrl-C ends it")
                _until_interrupted()
    except (DemoError, stacks.StackError) as error:
        raise click.ClickException(str(error)) from error
    sys.exit(0 if book.held else 1)


def _until_interrupted() -> None:
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        return


if __name__ == "__main__":
    main()
