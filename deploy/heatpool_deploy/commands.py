"""The commands of `heatpoolctl` that look after what is stored."""

from __future__ import annotations

import asyncio
import secrets
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click
from rich.console import Console
from rich.table import Table

from heatpool_chassis import buckets, own_data
from heatpool_contract import erasures, subjects
from heatpool_contract.telemetry import RETENTION_DAYS
from heatpool_deploy import backup as backups
from heatpool_deploy import deadletters
from heatpool_deploy.connection import (
    on_bus,
    or_exit,
    passphrase,
    print_json,
    pseudonym_of,
    store,
)
from heatpool_deploy.deadletters import PREVIEW_BYTES, DeadLetter

if TYPE_CHECKING:
    from nats.aio.client import Client

_MODEL = click.option("--model", help="Only of this heat-pump model (slug).")
_SEQ = click.argument("seq", type=int, nargs=-1)
_KEYS = click.option(
    "--keys",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the pool's keys; they are encrypted with HEATPOOL_CTL_BACKUP_PASSPHRASE.",
)
_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document, for programs.")
_YES = click.option("--yes", is_flag=True, help="Do not ask.")
_ALL = click.option("--all", "everything", is_flag=True, help="Every one that is listed.")


@click.group()
def dlq() -> None:
    """Dead letters: messages that could not be processed."""


@dlq.command("list")
@_MODEL
@_JSON
def list_(model: str | None, *, as_json: bool) -> None:
    """Show all dead letters with their reason."""
    letters = on_bus(lambda client: _letters(client, model, (), everything=True))
    if as_json:
        print_json(letters)
        return
    table = Table("seq", "buried", "model", "reason", "origin", "bytes")
    for one in letters:
        table.add_row(
            str(one.seq), one.at, one.model, one.reason, str(one.origin_seq), str(one.bytes)
        )
    Console().print(table)


@dlq.command()
@click.argument("seq", type=int)
@click.option("--raw", is_flag=True, help="All bytes, to a file or a pipe.")
def show(seq: int, *, raw: bool) -> None:
    """Print the payload of one dead letter."""
    data = on_bus(lambda client: deadletters.payload(client, seq))
    if raw:
        sys.stdout.buffer.write(data)
        return
    click.echo(repr(data[:PREVIEW_BYTES]))
    if len(data) > PREVIEW_BYTES:
        click.echo(f"... {len(data)} bytes, all of them with --raw")


@dlq.command()
@_SEQ
@_MODEL
@_ALL
def replay(seq: tuple[int, ...], model: str | None, *, everything: bool) -> None:
    """Give dead letters to the writer again: after its repair."""

    async def work(client: Client) -> int:
        letters = await _letters(client, model, seq, everything=everything)
        return await deadletters.replay(client, letters)

    click.echo(f"replayed {on_bus(work)}")


@dlq.command()
@_SEQ
@_MODEL
@_ALL
def drop(seq: tuple[int, ...], model: str | None, *, everything: bool) -> None:
    """Delete dead letters for good."""

    async def work(client: Client) -> int:
        letters = await _letters(client, model, seq, everything=everything)
        return await deadletters.drop(client, letters)

    click.echo(f"dropped {on_bus(work)}")


@click.command()
@click.argument("installation")
@_YES
def erase(installation: str, *, yes: bool) -> None:
    """Erase an installation (its id or its pseudonym); prints the receipt to follow it with.

    The homes's data are gone from the store within minutes; the second deletion, after which
    nothing can come back, is 73 hours later.
    """
    home = pseudonym_of(installation)
    if not yes:
        click.confirm(f"Erase everything of {home}?", abort=True)
    receipt = secrets.token_hex(16)

    async def work(client: Client) -> None:
        bucket = await client.jetstream().key_value(subjects.KV_ERASURES)
        request = erasures.Erasure(installation=home, requested_ms=round(time.time() * 1000))
        await bucket.create(receipt, erasures.encode(request))

    on_bus(work)
    click.echo(receipt)


@click.command("erasures")
@click.argument("receipt", required=False)
@_JSON
def erasures_(receipt: str | None, *, as_json: bool) -> None:
    """Show how far erasures are: all of them, or the one of a receipt."""

    async def work(client: Client) -> list[tuple[str, erasures.Erasure]]:
        bucket = await client.jetstream().key_value(subjects.KV_ERASURES)
        known = [receipt] if receipt else await buckets.keys(client, subjects.KV_ERASURES)
        return [
            (key, erasures.decode((await bucket.get(key)).value or b"")) for key in sorted(known)
        ]

    found = on_bus(work)
    if as_json:
        print_json(dict(found))
        return
    table = Table("receipt", "step", "not before", "samples", "messages", "proofs failed", "done")
    for key, one in found:
        step = "done" if one.step is erasures.Step.DONE else f"{one.step} {one.step.name.lower()}"
        table.add_row(
            key,
            step,
            _when(one.not_before_ms),
            str(one.samples),
            str(one.messages),
            str(one.repeats),
            _when(one.finished_ms),
        )
    Console().print(table)


@click.command()
@click.argument("installation")
@click.option("--format", "form", type=click.Choice(["csv", "jsonl"]), default="csv")
@click.option("--days", type=click.IntRange(1, 400), default=RETENTION_DAYS, show_default=True)
def export(installation: str, form: str, days: int) -> None:
    """Write everything stored of an installation (its id or its pseudonym) to standard output."""
    home = pseudonym_of(installation)
    now_s = int(time.time())
    lines = own_data.csv_lines if form == "csv" else own_data.json_lines

    async def work() -> None:
        async with store() as victoria:
            span = (now_s - days * 86_400, now_s + 86_400)
            async for piece in lines(victoria, home, *span):
                sys.stdout.buffer.write(piece)

    or_exit(lambda: asyncio.run(work()))


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@_KEYS
def backup(folder: Path, keys: Path | None) -> None:
    """Save streams, buckets, objects, series and keys into a new folder, while the pool runs."""
    seal = backups.sealer(passphrase(), secrets.token_bytes) if keys else _no_keys

    async def work(client: Client) -> backups.Manifest:
        async with store() as victoria:
            now_ms = round(time.time() * 1000)
            return await backups.backup(client, victoria, keys, seal, folder, now_ms)

    _show(on_bus(work))


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True))
@_KEYS
def restore(folder: Path, keys: Path | None) -> None:
    """Bring a backup back onto empty servers, before any service runs."""
    unseal = backups.unsealer(passphrase()) if keys else _no_keys

    async def work(client: Client) -> backups.Manifest:
        async with store() as victoria:
            return await backups.restore(client, victoria, keys, unseal, folder)

    _show(on_bus(work))


def _show(manifest: backups.Manifest) -> None:
    for name, file in manifest.files.items():
        click.echo(f"{file.bytes:>12}  {name}")


def _no_keys(plain: bytes) -> bytes:
    return plain


def _when(moment_ms: int) -> str:
    if not moment_ms:
        return ""
    return datetime.fromtimestamp(moment_ms / 1000, UTC).isoformat(timespec="seconds")


async def _letters(
    client: Client, model: str | None, seq: tuple[int, ...], *, everything: bool
) -> list[DeadLetter]:
    found = [one async for one in deadletters.listed(client, model)]
    if missing := set(seq) - {one.seq for one in found}:
        raise deadletters.DeadLetterError(f"there is no dead letter {sorted(missing)}")
    return [one for one in found if everything or one.seq in seq]
