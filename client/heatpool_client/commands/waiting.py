"""`spool`, `send`, `receipt`: what waits, sending it now, and what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import rich_click as click

from heatpool_client import consent, consent_record, courier, erasure, receipts
from heatpool_client.commands.shell import leave, lines_of, moment, shared_options
from heatpool_client.courier import Notes, Round
from heatpool_client.faults import ClientError, Exit, Fault
from heatpool_client.pausing import PAUSED
from heatpool_client.receipts import Receipt
from heatpool_client.submission import frozen_body
from heatpool_client.waiting import Waiting

if TYPE_CHECKING:
    from heatpool_client.commands.shell import Shell


class SpoolReport(msgspec.Struct, frozen=True, kw_only=True):
    """Outcome of `spool`."""

    waiting: Waiting
    notes: Notes
    erasure: erasure.Erasure | None
    retried: int | None = None
    """Batches that will be sent again after all."""
    emptied: int | None = None
    """Records dropped."""


class Followed(msgspec.Struct, frozen=True):
    """One receipt and what became of it."""

    receipt: str
    found: Receipt


class ReceiptReport(msgspec.Struct, frozen=True):
    """Outcome of `receipt`."""

    receipts: list[Followed]


@click.command("spool")
@click.option("--retry", is_flag=True, help="Send again what the pool refused.")
@click.option("--empty", is_flag=True, help="Drop all readings that wait.")
@shared_options
def spool_command(shell: Shell, retry: bool, empty: bool) -> None:  # noqa: FBT001 - click passes by name
    """What waits to be sent, what was set aside and why. Sends nothing."""
    if retry and empty:
        raise click.UsageError("--retry and --empty exclude each other")
    with shell.pool() as pool:
        retried = pool.spool.retry() if retry else None
        emptied = pool.spool.empty("emptied") if empty else None
        report = SpoolReport(
            waiting=pool.spool.waiting(),
            notes=courier.read_notes(shell.home),
            erasure=erasure.last(shell.home),
            retried=retried,
            emptied=emptied,
        )
    shell.report(report, _lines(report, shell))


@click.command("send")
@shared_options
def send_command(shell: Shell) -> None:
    """Send now what waits; after a withdrawal its record and the erasure, if they wait."""
    with shell.pool() as pool:
        waited = consent_record.seen(shell.home, shell.environ).standing == "waiting"
        recorded = consent_record.send(pool, at_once=True)
        wish = erasure.send(pool, at_once=True)
        if wish is not None:
            shell.report(wish, lines_of(wish, shell.language))
            leave(Exit.OK if wish.confirmed_s is not None else Exit.UNREACHABLE)
            return
        if waited and consent.standing(shell.home) == "withdrawn":  # there was nothing else to do
            shell.report(recorded, lines_of(recorded, shell.language))
            leave(Exit.UNREACHABLE if recorded.standing == "waiting" else Exit.OK)
            return
        done = courier.send_waiting(pool, at_once=True)
    shell.report(done, lines_of(done, shell.language))
    leave(_status(done))


@click.command("receipt")
@click.argument("receipt", required=False)
@shared_options
def receipt_command(shell: Shell, receipt: str | None) -> None:
    """What became of the request with RECEIPT; by default of the last ones."""
    wanted = [receipt] if receipt is not None else courier.read_notes(shell.home).receipts
    with shell.pool() as pool:
        found = [Followed(one, receipts.follow(pool, one)) for one in wanted]
    report = ReceiptReport(found)
    shell.report(report, [(one.receipt, _words(one.found)) for one in found])


def preview_waiting(shell: Shell) -> None:
    """Print the bytes of the next request that would be made of what waits.

    Raises:
        ClientError: `nothing_waits`.
    """
    with shell.pool() as pool:
        config = pool.config
        batch = pool.spool.preview(pool.sender, config.batch_records_max, config.order)
    if batch is None:
        raise ClientError(Fault.NOTHING_WAITS)
    shell.write(frozen_body(batch.sender, batch.records, shell.clock.now_s()))


def _words(found: Receipt) -> str:
    return ", ".join((found.state, f"{found.records} records", *found.reasons))


def _status(done: Round) -> Exit:
    if done.problem in (None, PAUSED):
        return Exit.OK
    try:
        return ClientError(Fault(done.problem)).exit
    except ValueError:
        return Exit.UNREACHABLE


def _lines(report: SpoolReport, shell: Shell) -> list[tuple[str, object]]:
    waiting, notes = report.waiting, report.notes
    german = shell.language == "de"
    lines: list[tuple[str, object]] = [
        ("records", waiting.records),
        ("bytes", waiting.bytes),
        ("oldest", moment(waiting.oldest_s)),
        ("newest", moment(waiting.newest_s)),
        ("last stored", moment(notes.last_stored_s)),
    ]
    if notes.problem is not None:
        lines.append(("problem", notes.problem_text_de if german else notes.problem_text))
        lines.append(("not before", moment(notes.not_before_s)))
    if report.erasure is not None:
        confirmed = report.erasure.confirmed_s
        lines.append(("erasure", "waits" if confirmed is None else moment(confirmed)))
    for one in waiting.set_aside:
        text = one.reason.detail_de if german else one.reason.detail
        lines.append((f"  set aside {one.number}", f"{one.records} x {one.reason.code}: {text}"))
    lines += [(f"  {name}", count) for name, count in sorted(waiting.counts.items())]
    lines += [
        (label, value)
        for label, value in (("retried", report.retried), ("emptied", report.emptied))
        if value is not None
    ]
    return lines
