"""`heatpoolctl`: the operator's command line."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import rich_click as click
from rich.console import Console
from rich.table import Table

from heatpool_chassis import provisioning
from heatpool_chassis.topology import Sizes, topology
from heatpool_deploy import stack as stacks
from heatpool_deploy import supervisor
from heatpool_deploy.commands import backup, dlq, erase, erasures_, export, restore
from heatpool_deploy.connection import on_bus, or_exit, print_json
from heatpool_deploy.key_commands import keys, models
from heatpool_deploy.model_commands import list_, show, train
from heatpool_deploy.operate_commands import canary, doctor, drain, status, tail
from heatpool_deploy.region_commands import region

_STATE = click.option(
    "--state",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".state"),
    show_default=True,
    help="Folder of everything the stack keeps.",
)


@click.group()
def main() -> None:
    """Set up, run and look after a heatpool."""


@main.command()
@_STATE
def init(state: Path) -> None:
    """Make keys, ports and configuration under the state folder; what exists is kept."""
    prepared = or_exit(lambda: stacks.prepare(state))
    Console().print(
        f"keys in {prepared.keys}; take {prepared.keys / 'offline'} off this machine",
        highlight=False,
    )


@main.command()
@_STATE
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="Setting of a service, HEATPOOL_TRAINER_QUIET_S=5; repeatable; kept for the next start.",
)
def up(state: Path, settings: tuple[str, ...]) -> None:
    """Run all servers and services in the foreground until Ctrl-C."""
    overrides = dict(pair.partition("=")[::2] for pair in settings) if settings else None
    prepared = or_exit(lambda: stacks.prepare(state, overrides))
    Console().print(
        f"edge {prepared.ingest_url}, hub {prepared.modelhub_url}, "
        f"VictoriaMetrics {prepared.victoria_url}, NATS {prepared.nats_url}; "
        f"token for loggers in {prepared.keys / 'token'}",
        highlight=False,
        soft_wrap=True,
    )
    sys.exit(or_exit(lambda: supervisor.up(prepared)))


@main.command()
@_STATE
def down(state: Path) -> None:
    """Stop what `up` started."""
    stopped = or_exit(lambda: supervisor.down(state))
    Console().print("stopped" if stopped else "was not running")


@main.command()
@_STATE
@click.option("--yes", is_flag=True, help="Do not ask.")
def clean(state: Path, *, yes: bool) -> None:
    """Delete the state folder with all data and keys."""
    if supervisor.running(state) is not None:
        raise click.ClickException("is running; `heatpoolctl down` first")
    if state.exists() and (yes or click.confirm(f"Delete {state.resolve()}?")):
        if not (state / stacks.PORTS_FILE).exists():
            raise click.ClickException(f"{state} is not a heatpool state folder")
        shutil.rmtree(state)


@main.command()
@click.option("--replicas", type=click.IntRange(1, 5), default=1, show_default=True)
@click.option("--telemetry-gib", type=click.FloatRange(min=0.1), default=8, show_default=True)
@click.option("--check", is_flag=True, help="Change nothing; exit status 1 if something would be.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document, for programs.")
def provision(*, replicas: int, telemetry_gib: float, check: bool, as_json: bool) -> None:
    """Create or update streams, consumers and buckets; shows what differs."""
    sizes = Sizes(replicas=replicas, telemetry_bytes_max=int(telemetry_gib * 1024**3))
    work = provisioning.changes if check else provisioning.apply
    found = on_bus(lambda client: work(client, topology(sizes)))
    if as_json:
        print_json(found)
    elif not found:
        click.echo("nothing to do")
    else:
        table = Table("", "setting", "before", "after")
        for change in found:
            table.add_row(change.what, "" if change.settings else "missing")
            for one in change.settings:
                table.add_row("", one.name, one.before, one.after)
        Console().print(table)
    sys.exit(1 if check and found else 0)


for command in (list_, show, train):
    models.add_command(command)
for command in (
    *(keys, models, dlq, erase, erasures_, export, backup, restore),
    *(status, canary, tail, doctor, drain, region),
):
    main.add_command(command)


if __name__ == "__main__":
    main()
