"""`preview`, `submit`, `replay`: a table to the pool, or to the screen."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
import rich_click as click

from heatpool_client.commands.shell import leave, lines_of, replaced, shared_options
from heatpool_client.commands.table_options import TableOptions, table_options
from heatpool_client.commands.waiting import preview_waiting
from heatpool_client.config import Config
from heatpool_client.faults import ClientError, ErrorSeen, Exit, Fault
from heatpool_client.replay import Pace, Totals, replay, shift_to_s, shifted
from heatpool_client.submission import Row, Sender, body, submissions
from heatpool_client.tables import Ledger, Table
from heatpool_client.upload import Stored
from heatpool_contract.refusals import TEXTS, Refusal
from heatpool_contract.telemetry import Submission

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from heatpool_client.commands.shell import Shell

SHOWN_RECORDS: Final = 3
_TOLD_APART: Final = ("rejections", "values_dropped", "rows_done", "receipts")
NOBODY: Final = Config(
    server="https://localhost",
    installation_id="00000000-0000-4000-8000-000000000000",
    model="not initialised",
)
"""Whose a dry run is before `init`; it is never sent."""


class Sending(msgspec.Struct, frozen=True, kw_only=True):
    """As click hands them over."""

    installation_id: str | None
    model: str | None
    batch: int | None
    dry_run: bool = False
    speed: float | None = None
    shift: float | str = 0.0
    """Seconds, or `now`."""


class SendReport(msgspec.Struct, kw_only=True):
    """Outcome of `submit` and `replay`."""

    file: str
    dry_run: bool
    installation_id: str
    model: str
    shift_s: float
    ledger: Ledger
    totals: Totals
    took_s: float = 0.0
    first_payload: Submission | None = None
    """Of a dry run, with its first records."""
    first_payload_bytes: int | None = None
    first_payload_records: int | None = None
    error: ErrorSeen | None = None
    interrupted: bool = False


def sender_options(function: Callable[..., None]) -> Callable[..., None]:
    """Whose readings these are, and how many go into a request."""
    for option in (
        click.option("--batch", type=click.IntRange(1, 20_000), help="Records of one request."),
        click.option("--model", metavar="NAME", help="Heat-pump model instead of the own one."),
        click.option("--installation-id", metavar="UUID", help="Sender instead of the own one."),
    ):
        function = option(function)
    return function


@click.command("preview")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@sender_options
@table_options
@shared_options
def preview(shell: Shell, file: Path | None, table: TableOptions, **given: object) -> None:
    """Print the next request: of what waits, or the first one of `submit FILE`. Sends nothing."""
    if file is None:
        preview_waiting(shell)
        return
    sending = msgspec.convert(given, Sending)
    config = _config(shell, sending, needed=False)
    rows = Table(file, table.plan(config)).rows()
    first = next(submissions(rows, _sender(config), config.batch_records_max))
    shell.write(body(first, shell.clock.now_s()))


@click.command("submit")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Read, count and show; send nothing.")
@sender_options
@table_options
@shared_options
def submit(shell: Shell, file: Path, table: TableOptions, **given: object) -> None:
    """Send readings of FILE (JSON, JSON lines, CSV; - for standard input) as they are."""
    _send(shell, file, table, msgspec.convert(given, Sending))


@click.command("replay")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Read, count and show; send nothing.")
@click.option(
    "--speed",
    metavar="FACTOR|max",
    default="max",
    show_default=True,
    callback=lambda _context, _option, text: _speed(text),
    help="60x: a recorded minute takes a second.",
)
@click.option(
    "--shift",
    metavar="now|SECONDS",
    default="0",
    show_default=True,
    callback=lambda _context, _option, text: _shift(text),
    help="Add to all times; now: the last row ends now.",
)
@sender_options
@table_options
@shared_options
def replay_command(shell: Shell, file: Path, table: TableOptions, **given: object) -> None:
    """Send an old recording, brought to today and at any speed."""
    _send(shell, file, table, msgspec.convert(given, Sending))


def _send(shell: Shell, file: Path, options: TableOptions, sending: Sending) -> None:
    config = _config(shell, sending, needed=not sending.dry_run)
    table = Table(file, options.plan(config))
    with shell.pool(config) as pool:
        if not sending.dry_run:
            pool.permit()  # before the file is read
        start_s = shell.clock.monotonic_s()
        report = SendReport(
            file=str(file),
            dry_run=sending.dry_run,
            installation_id=config.installation_id,
            model=config.model,
            shift_s=_shift_s(table, sending, shell.clock.now_s()),
            ledger=table.ledger,
            totals=Totals(),
        )
        rows = shifted(table.rows(), report.shift_s)
        try:
            if sending.dry_run:
                _rehearse(report, rows, config, shell)
            else:
                for totals in _watched(shell, table, pool.send(rows, speed=sending.speed)):
                    report.totals = totals
        except ClientError as error:
            report.error = shell.seen(error)
            if not shell.as_json:
                shell.fail(error)
        except KeyboardInterrupt:  # the usual end of a replay at speed
            report.interrupted = True
    report.ledger = table.ledger
    report.took_s = round(shell.clock.monotonic_s() - start_s, 3)
    shell.report(report, _lines(report, shell))
    leave(_status(report))


def _rehearse(report: SendReport, rows: Iterable[Row], config: Config, shell: Shell) -> None:
    """Everything but sending: the same grouping, the same counts of what would be posted."""

    def pretend(submission: Submission) -> Stored:
        if report.first_payload is None:
            shown = msgspec.structs.replace(submission, data=submission.data[:SHOWN_RECORDS])
            report.first_payload = shown
            report.first_payload_records = len(submission.data)
            report.first_payload_bytes = len(body(submission, shell.clock.now_s()))
        return Stored(processed=0)

    sender, records_max = _sender(config), config.batch_records_max
    for totals in replay(rows, sender, pretend, records_max, Pace(None, shell.clock)):
        report.totals = totals


def _watched(shell: Shell, table: Table, progress: Iterator[Totals]) -> Iterator[Totals]:
    """The same, with a bar by bytes of the file where somebody is looking."""
    size_bytes = table.size_bytes
    console = None if shell.as_json else shell.console(stderr=True)
    if console is None or not console.is_terminal or size_bytes is None:
        yield from progress
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415 - terminals only

    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:.0f} %  {task.fields[samples]:,} samples"),
        TimeRemainingColumn(),
        console=console,
    ) as bar:
        task = bar.add_task(table.name, total=size_bytes, samples=0)
        for totals in progress:
            bar.update(task, completed=table.position_bytes, samples=totals.samples_accepted)
            yield totals
        bar.update(task, completed=size_bytes)


def _config(shell: Shell, sending: Sending, *, needed: bool) -> Config:
    try:
        config = shell.config()
    except ClientError as error:
        if needed or error.code is not Fault.NOT_INITIALISED:
            raise
        config = NOBODY
    if sending.batch is not None:
        config = msgspec.structs.replace(config, batch_records_max=sending.batch)
    return replaced(config, installation_id=sending.installation_id, model=sending.model)


def _sender(config: Config) -> Sender:
    return Sender(config.installation, config.model, config.version)


def _shift_s(table: Table, sending: Sending, now_s: float) -> float:
    if isinstance(sending.shift, float):
        return sending.shift
    return shift_to_s(table.last_s(), now_s)


def _status(report: SendReport) -> Exit:
    if report.error is not None:
        return Exit(report.error.exit)
    if report.interrupted:
        return Exit.INTERRUPTED
    totals = report.totals
    nothing_taken = totals.records_posted > 0 and totals.records_accepted == 0
    return Exit.REFUSED if nothing_taken and not report.dry_run else Exit.OK


def _lines(report: SendReport, shell: Shell) -> list[tuple[str, object]]:
    """For people: no empty counters, reasons in words."""
    lines: list[tuple[str, object]] = [
        ("file", report.file),
        ("installation", report.installation_id),
    ]
    lines += [
        (label, text)
        for part in (report.ledger, report.totals)
        for label, text in lines_of(part, shell.language)
        if text not in (0, "-", {}, []) and label not in _TOLD_APART
    ]
    totals = report.totals
    for counts in (totals.rejections, totals.values_dropped):
        lines += [(f"  {count} x {code}", _words(code, shell)) for code, count in counts.items()]
    if report.first_payload is not None:
        lines.append(("first request", f"{report.first_payload_records} records"))
        lines.append(("", f"{report.first_payload_bytes} bytes before gzip, beginning with"))
        lines.append(("", msgspec.json.encode(report.first_payload).decode()))
    if (report.error is not None or report.interrupted) and totals.rows_done:
        lines.append(("go on with", f"--skip {totals.rows_done}"))
    lines.append(("took", f"{report.took_s:.1f} s"))
    return lines


def _words(code: str, shell: Shell) -> str:
    try:
        text = TEXTS[Refusal(code)]
    except ValueError:  # of a newer pool
        return ""
    return text.de if shell.language == "de" else text.en


def _speed(text: str) -> float | None:
    if text == "max":
        return None
    try:
        speed = float(text.removesuffix("x"))
    except ValueError:
        speed = 0.0
    if not 0 < speed < float("inf"):
        raise click.BadParameter("a factor like 60x, or max", param_hint="--speed")
    return speed


def _shift(text: str) -> float | str:
    if text == "now":
        return text
    try:
        seconds = float(text)
    except ValueError:
        seconds = float("nan")
    if not abs(seconds) < 1e11:  # noqa: PLR2004 - 3,000 years; also NaN
        raise click.BadParameter("now, or a number of seconds", param_hint="--shift")
    return seconds
