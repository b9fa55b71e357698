"""`sources`, `run`, `completion`: the client as a logger of its own."""

from __future__ import annotations

import logging
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec
import rich_click as click

from heatpool_client import notifying
from heatpool_client.commands.shell import leave, lines_of, shared_options
from heatpool_client.faults import ClientError, Exit
from heatpool_client.running import Cycles, Logger
from heatpool_client.sources import mapping, opening
from heatpool_client.sources.mapping import Seen
from heatpool_client.sources.opening import SourceSettings
from heatpool_client.telemetry import Telemetry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from heatpool_client.commands.shell import Shell


class SourcesReport(msgspec.Struct, frozen=True):
    """Outcome of `sources list`."""

    maps: list[str]


class CheckReport(msgspec.Struct, frozen=True, kw_only=True):
    """Outcome of `sources check`."""

    map: str
    values: list[Seen]
    ok: int
    absent: int
    implausible: int
    unread: int


@click.group("sources")
def sources() -> None:
    """Read a heat pump, a gateway or a database by a map."""


@sources.command("list")
@shared_options
def list_command(shell: Shell) -> None:
    """Maps that come with the client."""
    report = SourcesReport(mapping.shipped())
    shell.report(report, [(name, "") for name in report.maps])


@sources.command("check")
@click.option("--kind", type=click.Choice(["modbus", "mqtt", "victoria", "influx", "influx2"]))
@click.option("--map", "map_name", metavar="NAME|FILE", help="Shipped map, or a YAML file.")
@click.option("--host", help="Of the heat pump or the broker.")
@click.option("--port", type=click.IntRange(1, 65_535))
@click.option("--url", help="Of the database.")
@click.option("--database", help="Of InfluxDB 1.")
@click.option("--org", help="Of InfluxDB 2; secrets stand in source.toml.")
@click.option("--wait", type=click.FloatRange(0, 3600), default=30.0, show_default=True,
              help="Seconds to wait for MQTT messages.")  # fmt: skip  # one option
@shared_options
def check_command(shell: Shell, wait: float, **given: object) -> None:
    """Read once and show each value with its unit and range: is the map right? Sends nothing."""
    settings = _settings(shell, given)
    with opening.opened(settings, shell.clock.now_s, retained=True) as source:
        if settings.kind == "mqtt":
            shell.clock.sleep(wait)
        values = source.read()
    verdicts = [one.verdict for one in values]
    report = CheckReport(
        map=settings.map,
        values=values,
        ok=verdicts.count("ok"),
        absent=verdicts.count("absent"),
        implausible=verdicts.count("implausible"),
        unread=verdicts.count("unread"),
    )
    shell.report(report, _lines(report))
    leave(Exit.INPUT if report.implausible or not report.ok else Exit.OK)


@click.command("run")
@click.option("--cycles", type=click.IntRange(min=1), help="Stop after so many readings.")
@shared_options
def run_command(shell: Shell, cycles: int | None) -> None:
    """Read the source of source.toml, share, score and alert, until SIGTERM or Ctrl-C."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    settings = opening.read_settings(shell.home)
    stop = threading.Event()
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda _number, _frame: stop.set())
    with (
        shell.pool() as pool,
        Telemetry(pool.config, home=shell.home.root, environ=shell.environ) as telemetry,
        opening.opened(settings) as source,
    ):
        logger = Logger(pool, telemetry, notifying.read_settings(shell.home))
        try:
            for _ in _ticks(stop, settings.every_s, cycles):
                logger.cycle(source)
        finally:
            logger.close()
    done: Cycles = logger.cycles
    shell.report(done, lines_of(done, shell.language))


@click.command("completion")
@click.argument("shell_name", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell_name: Literal["bash", "zsh", "fish"]) -> None:
    """Print the completion script: eval "$(heatpool completion bash)"."""
    from click.shell_completion import get_completion_class  # noqa: PLC0415 - seldom needed

    kind = get_completion_class(shell_name)
    if kind is None:
        raise click.UsageError(shell_name)
    click.echo(kind(context.find_root().command, {}, "heatpool", "_HEATPOOL_COMPLETE").source())


def _ticks(stop: threading.Event, every_s: float, cycles: int | None) -> Iterator[int]:
    done = 0
    while not stop.is_set() and (cycles is None or done < cycles):
        yield done
        done += 1
        if cycles is None or done < cycles:
            stop.wait(every_s)


def _settings(shell: Shell, given: dict[str, object]) -> SourceSettings:
    """What the options say, else `source.toml`."""
    chosen = {name: value for name, value in given.items() if value is not None}
    if not chosen:
        return opening.read_settings(shell.home)
    if "map_name" not in chosen:
        raise click.UsageError("say --map")
    name = str(chosen.pop("map_name"))
    kind = chosen.pop("kind", None) or _kind(name)
    return msgspec.convert({"kind": kind, "map": name, **chosen}, SourceSettings)


def _kind(name: str) -> str:
    """What a map is of; told by which kind it is valid as."""
    path = Path(name) if name.endswith((".yaml", ".yml")) else None
    for word, kind in (("modbus", mapping.RegisterMap), ("mqtt", mapping.TopicMap)):
        try:
            mapping.load(name, path, kind)
        except ClientError:
            continue
        return word
    raise click.UsageError("say --kind")


def _lines(report: CheckReport) -> list[tuple[str, object]]:
    lines: list[tuple[str, object]] = []
    for one in report.values:
        value = "-" if one.value is None else f"{one.value:g} {one.unit}".rstrip()
        note = f"   not within {one.low:g} to {one.high:g}" if one.verdict == "implausible" else ""
        lines.append((f"  {one.field}", f"{one.verdict:12} {value}{note}"))
    counts = ("ok", "absent", "implausible", "unread")
    return [*lines, *((name, getattr(report, name)) for name in counts)]
