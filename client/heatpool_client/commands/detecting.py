"""`update` and `score`: the model from the pool, and what it says about readings."""

from __future__ import annotations

import csv
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal

import msgspec
import rich_click as click

from heatpool_client import updating
from heatpool_client.commands.shell import leave, lines_of, moment, shared_options
from heatpool_client.commands.table_options import TableOptions, table_options
from heatpool_client.faults import ClientError, Exit, Fault
from heatpool_client.scores import Scored, Summary, score
from heatpool_client.tables import STDIN, Ledger, Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from heatpool_client.commands.shell import Shell
    from heatpool_client.faults import Language
    from heatpool_client.updates import Update


class ScoreOptions(msgspec.Struct, frozen=True, kw_only=True):
    """As click hands them over."""

    stdin: bool
    history: Path | None
    output: Path | None
    output_format: Literal["csv", "jsonl"] | None


class ScoreReport(msgspec.Struct, kw_only=True):
    """Outcome of `score`."""

    file: str
    model: str
    model_version: str
    model_hash: str
    state: str
    expired: bool
    over_share: float
    """Share of scored rows over the threshold."""
    summary: Summary
    ledger: Ledger


@click.command("update")
@click.option("--again", is_flag=True, help="Download and verify also what is active already.")
@shared_options
def update(shell: Shell, again: bool) -> None:  # noqa: FBT001 - click passes by name
    """Check for a model, download it, verify it, make it the active one."""
    with shell.pool() as pool:
        done = pool.update(again=again)
        if updating.note(pool, done).became_eligible:
            shell.say(
                "This home has become eligible: the pool gives it detectors from now on.",
                "Dieses Haus ist jetzt berechtigt: Es erhält ab sofort Modelle des Datenpools.",
            )
    answer = done.answer
    german = shell.language == "de"
    shell.report(
        done,
        [
            ("outcome", done.outcome),
            ("pool", answer.reason_de if german else answer.reason_text),
            ("model", done.version or "-"),
            ("hash", done.model_hash or "-"),
            ("bytes", done.bytes_loaded or "-"),
            ("days", f"{answer.contribution.days} of {answer.contribution.days_required}"),
            ("samples", answer.contribution.samples),
            ("homes in pool", answer.data_pool.total_installations),
        ],
    )
    leave(_status(done))


@click.command("score")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--stdin", is_flag=True, help="Read standard input; say its --format.")
@click.option(
    "--history",
    type=click.Path(path_type=Path),
    help="Earlier readings of this home: what is normal here is learnt from them, uncounted.",
)
@click.option(
    "--output", type=click.Path(path_type=Path), help="Write a line per scored row; - for stdout."
)
@click.option(
    "--output-format", type=click.Choice(["csv", "jsonl"]), help="[default: by the name, else csv]"
)
@table_options
@shared_options
def score_command(shell: Shell, file: Path | None, table: TableOptions, **given: object) -> None:
    """Score readings of FILE with the opened model. Sends nothing."""
    options = msgspec.convert(given, ScoreOptions)
    if (file is None) != options.stdin:
        raise click.UsageError("give FILE or --stdin")
    readings = Table(STDIN if file is None else file, table.plan(shell.config()))
    summary = Summary()
    with shell.pool() as pool:
        active = pool.active()
        if active is None:
            raise ClientError(Fault.NO_MODEL)
        scorer = pool.scorer()
        if options.history is not None:
            earlier = Table(options.history, table.plan(pool.config)).rows()
            for _ in score(earlier, scorer, Summary(), shell.language):
                pass
        scored = score(readings.rows(), scorer, summary, shell.language)
        if options.output is None:
            for _ in scored:
                pass
        else:
            with _writer(options.output, options.output_format) as write:
                for one in scored:
                    write(one)
    report = ScoreReport(
        file=readings.name,
        model=active.detector.model,
        model_version=active.entry.version,
        model_hash=active.entry.model_hash,
        state=active.detector.state,
        expired=shell.clock.now_s() >= active.entry.expires_s,
        over_share=summary.over_share,
        summary=summary,
        ledger=readings.ledger,
    )
    shell.report(report, _lines(report, shell.language), stderr=options.output == STDIN)


def _status(done: Update) -> Exit:
    return Exit.OK if done.outcome in ("activated", "current") else Exit.NOTHING


@contextmanager
def _writer(path: Path, kind: Literal["csv", "jsonl"] | None) -> Iterator[Callable[[Scored], None]]:
    kind = kind or ("jsonl" if path.suffix.lower() in (".jsonl", ".ndjson") else "csv")
    try:
        if path == STDIN:
            yield _rows_to(sys.stdout, kind)
            sys.stdout.flush()
            return
        with path.open("w", encoding="utf-8", newline="") as file:
            yield _rows_to(file, kind)
    except OSError as error:
        raise ClientError(Fault.FILE_UNREADABLE, path, error.strerror) from error


def _rows_to(file: IO[str], kind: Literal["csv", "jsonl"]) -> Callable[[Scored], None]:
    if kind == "jsonl":
        return lambda one: print(msgspec.json.encode(one).decode(), file=file)
    table = csv.writer(file, lineterminator="\n")
    table.writerow(Scored.__struct_fields__)

    def write(one: Scored) -> None:
        table.writerow(msgspec.structs.astuple(one))

    return write


def _lines(report: ScoreReport, language: Language) -> list[tuple[str, object]]:
    summary = report.summary
    lines = [
        ("model", f"{report.model} {report.model_version} ({report.state})"),
        ("expired", "yes: run heatpool update" if report.expired else "no"),
        ("over threshold", f"{summary.over} of {summary.scored} scored ({report.over_share:.2%})"),
        ("episodes", f"{summary.episodes_over} over, {summary.episodes_alarm} with alarm"),
    ]
    lines += [
        (f"  {moment(one.start_s)}", f"to {moment(one.end_s)}, peak {one.peak:.3f}: {one.reason}")
        for one in summary.episodes
    ]
    lines += [
        (f"  {one.kind} {moment(one.start_s)}", f"to {moment(one.end_s)}: {one.text}")
        for one in summary.notes
    ]
    return lines + [
        line
        for part in (summary, report.ledger)
        for line in lines_of(part, language)
        if line[1] not in (0, "-", {}, []) and line[0] not in ("episodes", "notes")
    ]
