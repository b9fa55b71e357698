"""The commands of `heatpoolctl` for a running pool: status, canary, tail, doctor, drain."""

from __future__ import annotations

import asyncio
import secrets
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
import rich_click as click
from prometheus_client import CollectorRegistry, start_http_server, write_to_textfile
from rich.console import Console
from rich.table import Table

from heatpool_chassis import micro
from heatpool_chassis.metrics import CanaryMetrics
from heatpool_chassis.permissions import SERVICES
from heatpool_chassis.settings import SettingsError
from heatpool_contract.identity import is_slug
from heatpool_deploy import canary as canaries
from heatpool_deploy import doctor as doctors
from heatpool_deploy import status as statuses
from heatpool_deploy import tail as tails
from heatpool_deploy.connection import (
    PREFIX,
    on_bus,
    or_exit,
    print_json,
    pseudonym_of,
    settings,
    store,
)

if TYPE_CHECKING:
    from nats.aio.client import Client

    from heatpool_deploy.canary import Flight
    from heatpool_deploy.report import Report

VALUE_BITS: Final = 48  # exact in a double
_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document, for programs.")


@click.command()
@_JSON
def status(*, as_json: bool) -> None:
    """Show how the pool is; exit status 1 if an operator has something to do."""
    report = on_bus(lambda client: statuses.look(client, statuses.now_ms()))
    if as_json:
        print_json(report)
    else:
        _show(report)
    sys.exit(1 if report.problems else 0)


@click.command()
@_JSON
@click.option("--every", "every_s", type=click.FloatRange(min=1), help="Repeat, seconds apart.")
@click.option("--port", type=click.IntRange(1, 65535), help="With --every: serve /metrics here.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Where --port listens.")
@click.option(
    "--metrics-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write metrics here after each flight, for node_exporter's textfile collector.",
)
def canary(
    *, as_json: bool, every_s: float | None, port: int | None, host: str, metrics_file: Path | None
) -> None:
    """Send a marked record through the public edge and time it until the store shows it.

    Exit status 1 if it did not become visible. Needs HEATPOOL_CTL_EDGE_URL and _TOKEN.
    """
    registry = CollectorRegistry()
    metrics = CanaryMetrics(registry)
    if port is not None:
        start_http_server(port, host, registry)

    async def flights() -> Flight:
        known = settings()
        if not known.edge_url or known.token is None:
            raise SettingsError(f"{PREFIX}EDGE_URL and {PREFIX}TOKEN: are missing")
        way = canaries.Way(known.edge_url, known.token, known.edge_ca)
        async with store() as victoria:
            while True:
                flight = await canaries.fly(way, victoria, secrets.randbits(VALUE_BITS))
                canaries.record(metrics, flight, time.time())
                if metrics_file is not None:
                    write_to_textfile(str(metrics_file), registry)
                _show_flight(flight, as_json=as_json)
                if every_s is None:
                    return flight
                await asyncio.sleep(every_s)

    flight = or_exit(lambda: asyncio.run(flights()))
    sys.exit(0 if flight.outcome == "visible" else 1)


@click.command()
@click.option("--model", help="Only of this heat-pump model (slug).")
@click.option("--installation", help="Only of this home (its id or its pseudonym).")
@click.option("--count", type=click.IntRange(min=1), help="End after so many messages.")
@_JSON
def tail(model: str | None, installation: str | None, count: int | None, *, as_json: bool) -> None:
    """Show telemetry as it is accepted, a message a line, until Ctrl-C."""
    if model is not None and not is_slug(model):
        raise click.BadParameter("not a model's slug, as `aero_slm`")
    home = pseudonym_of(installation) if installation else "*"
    subject = f"telemetry.{model or '*'}.{home}"

    def shown(line: tails.Line) -> None:
        click.echo(msgspec.json.encode(line).decode() if as_json else str(line))

    async def work(client: Client) -> None:
        await tails.follow(client, subject, shown, count)

    on_bus(work)


@click.command()
@_JSON
def doctor(*, as_json: bool) -> None:
    """Check settings, servers, rights, topology and clocks; exit status 1 if something is wrong."""
    findings = or_exit(lambda: asyncio.run(doctors.examine(settings(), time.time)))
    if as_json:
        print_json(findings)
    else:
        table = Table("", "check", "found", "what to do")
        for one in findings:
            table.add_row("ok" if one.ok else "FAULT", one.check, one.found, one.advice)
        Console().print(table)
    sys.exit(0 if all(one.ok for one in findings) else 1)


@click.command()
@click.argument("service", type=click.Choice([str(role) for role in SERVICES]))
@click.argument("instance")
def drain(service: str, instance: str) -> None:
    """End one process (see `status` for its id); it finishes what it holds."""
    to = micro.subject(service, "drain", instance)
    answer = on_bus(lambda client: micro.ask(client, to, micro.Nothing(), micro.Draining))
    click.echo(f"{service} {answer.instance} is ending")


def _show_flight(flight: Flight, *, as_json: bool) -> None:
    if as_json:
        click.echo(msgspec.json.encode(flight).decode())
    elif flight.accepted_s is not None and flight.visible_s is not None:
        click.echo(f"accepted after {flight.accepted_s:.3f} s, visible {flight.visible_s:.3f} s")
    else:
        click.echo(f"{flight.outcome}: {flight.detail}")


def _show(report: Report) -> None:
    console = Console()
    flow, homes = report.flow, report.homes
    figures = Table(show_header=False, title="pool", title_justify="left")
    unwritten = "?" if flow.oldest_unwritten_s is None else f"{flow.oldest_unwritten_s:.1f} s"
    for name, text in (
        ("active homes, 30 days", f"{homes.active} of {homes.known} known"),
        ("data points", f"{homes.samples:,}"),
        ("stream", f"{flow.stream_messages:,} messages, {flow.stream_fill:.1%} full"),
        (
            "writer's lag",
            f"{flow.writer_pending:,} waiting, {flow.writer_unacknowledged:,} at hand",
        ),
        ("oldest unwritten", unwritten),
        ("oldest not yet durable", f"{flow.oldest_unacknowledged_s:.1f} s"),
        ("waiting for the trainer", f"{flow.trainer_pending:,} messages"),
        ("dead letters", str(sum(flow.dead_letters.values()))),
    ):
        figures.add_row(name, text)
    console.print(figures)
    services = Table("service", "instance", "version", "state", "up", title_justify="left")
    for one in report.alive:
        state = "ready" if one.ready else "stopping" if one.stopping else ", ".join(one.failing)
        services.add_row(one.service, one.instance, one.version, state, f"{one.up_s:.0f} s")
    console.print(services)
    releases = Table("model", "release", "state", "age", "homes", "last training", "gate")
    for item in report.releases:
        releases.add_row(
            item.model,
            item.version,
            item.state,
            "" if item.age_days is None else f"{item.age_days:.1f} d",
            str(homes.by_model.get(item.model, 0)),
            item.outcome,
            "; ".join(item.reasons) or ", ".join(f"{k} {v:g}" for k, v in item.figures.items()),
        )
    console.print(releases)
    for problem in report.problems:
        console.print(f"[bold red]problem[/]: {problem}", highlight=False, soft_wrap=True)
