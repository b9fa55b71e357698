"""The commands of `heatpoolctl` that look after what is stored."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import rich_click as click
from rich.console import Console
from rich.table import Table

from heatpool_deploy import deadletters
from heatpool_deploy.connection import on_bus
from heatpool_deploy.deadletters import PREVIEW_BYTES, DeadLetter

if TYPE_CHECKING:
    from nats.aio.client import Client

_MODEL = click.option("--model", help="Only of this heat-pump model (slug).")
_SEQ = click.argument("seq", type=int, nargs=-1)
_ALL = click.option("--all", "everything", is_flag=True, help="Every one that is listed.")


@click.group()
def dlq() -> None:
    """Dead letters: messages that could not be processed."""


@dlq.command("list")
@_MODEL
def list_(model: str | None) -> None:
    """Show all dead letters with their reason."""
    table = Table("seq", "buried", "model", "reason", "origin", "bytes")
    for one in on_bus(lambda client: _letters(client, model, (), everything=True)):
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


async def _letters(
    client: Client, model: str | None, seq: tuple[int, ...], *, everything: bool
) -> list[DeadLetter]:
    found = [one async for one in deadletters.listed(client, model)]
    if missing := set(seq) - {one.seq for one in found}:
        raise deadletters.DeadLetterError(f"there is no dead letter {sorted(missing)}")
    return [one for one in found if everything or one.seq in seq]
