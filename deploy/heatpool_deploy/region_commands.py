"""`heatpoolctl region`: edges in another place, behind a nats-server of their own."""

from __future__ import annotations

import secrets
from pathlib import Path

import msgspec
import rich_click as click

from heatpool_deploy import regions
from heatpool_deploy import stack as stacks
from heatpool_deploy.connection import or_exit

_STATE = click.option(
    "--state",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    required=True,
    help="The folder that `init` wrote.",
)
_FILE = click.Path(path_type=Path, dir_okay=False, exists=True)


@click.group()
def region() -> None:
    """Add or forget a place with edges of its own."""


@region.command()
@click.argument("name")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@_STATE
@click.option("--hub", required=True, help="Where the region finds us: tls://pool.example:7422")
@click.option("--listen", default="0.0.0.0:7422", show_default=True, help="Where we listen.")
@click.option("--certificate", default="", help="Folder with cert.pem and key.pem, on the server.")
@click.option("--ca", type=_FILE, help="What the region checks our certificate against.")
def add(  # noqa: PLR0913 - a command's options
    *,
    name: str,
    folder: Path,
    state: Path,
    hub: str,
    listen: str,
    certificate: str,
    ca: Path | None,
) -> None:
    """Write FOLDER for the region NAME; then reload nats-server here, and take FOLDER there."""
    stack = stacks.prepare(state)
    known = regions.read(stack.keys)
    if name in known.links:
        raise click.ClickException(f"{name} is known; `heatpoolctl region forget` first")
    trusted = ca.read_bytes() if ca else b""
    link = or_exit(lambda: regions.make(folder, name, hub, trusted, secrets.token_bytes))
    links = {**known.links, name: link}
    regions.remember(
        stack.keys, regions.Regions(listen, hub.partition("://")[2], certificate, links)
    )
    stacks.write_users(stack)
    click.echo(f"{folder}: copy it to {name}, start nats-server -c {regions.LEAF_FILE} in it")
    if not certificate:
        click.echo("The link is not encrypted: only inside a VPN, or give --certificate and --ca.")


@region.command()
@click.argument("name")
@_STATE
def forget(*, name: str, state: Path) -> None:
    """Take a region's rights away; reload nats-server afterwards."""
    stack = stacks.prepare(state)
    known = regions.read(stack.keys)
    if name not in known.links:
        raise click.ClickException(f"{name} is not known")
    links = {key: value for key, value in known.links.items() if key != name}
    regions.remember(stack.keys, msgspec.structs.replace(known, links=links))
    stacks.write_users(stack)
