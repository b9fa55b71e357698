"""The commands of `heatpoolctl` that hold keys: `keys ...` and `models ...`."""

from __future__ import annotations

import secrets
import time
from base64 import b64decode
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click
from nats.js.errors import KeyWrongLastSequenceError
from rich.console import Console
from rich.table import Table

from heatpool_contract.dsse import key_id
from heatpool_contract.subjects import KV_TRUST
from heatpool_deploy import ceremony, model_admin
from heatpool_deploy import keys as secret_files
from heatpool_deploy.connection import on_bus, or_exit

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nats.aio.client import Client

    from heatpool_contract.release import ReleasePointer
    from heatpool_deploy.ceremony import RoleName, Standing

_FOLDER = click.option(
    "--keys",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".state/keys"),
    show_default=True,
    help="Folder of the pool's keys and trust files.",
)
_OFFLINE = click.option(
    "--offline",
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    multiple=True,
    help="Folder with root keys (root_*), on a stick, say; repeatable. [default: KEYS/offline]",
)
_ROLE = click.argument("role", type=click.Choice(["root", "release", "timestamp"]))
_MODEL = click.argument("model")


@click.group()
def keys() -> None:
    """Keys and trust files: who may sign what. Root keys are needed on no server."""


@keys.command()
@_FOLDER
def init(folder: Path) -> None:
    """Make all keys and trust.1.json; an existing pool is left as it is."""
    written = secret_files.make_keys(folder, secrets.token_bytes, int(time.time()))
    click.echo(f"{len(written)} files written; take {folder / secret_files.OFFLINE} offline")


@keys.command()
@_FOLDER
@_ROLE
@_OFFLINE
def rotate(folder: Path, role: RoleName, offline: tuple[Path, ...]) -> None:
    """Give a role new keys, in the yearly ceremony: releases and floors stay valid."""
    _rotate(folder, role, offline, new_epoch=False)


@keys.command()
@_FOLDER
@_ROLE
@_OFFLINE
def revoke(folder: Path, role: RoleName, offline: tuple[Path, ...]) -> None:
    """Give a role whose key was stolen new keys; a release key's theft begins a new epoch."""
    _rotate(folder, role, offline, new_epoch=role == "release")


@keys.command()
@_FOLDER
@_OFFLINE
def sign(folder: Path, offline: tuple[Path, ...]) -> None:
    """Add the signatures of root keys that lie elsewhere to the newest trust file."""
    stores = offline or (folder / secret_files.OFFLINE,)
    _tell(or_exit(lambda: ceremony.co_sign(folder, stores)))


@keys.command()
@_FOLDER
def show(folder: Path) -> None:
    """Print the newest trust file: roles, key ids, epoch, expiry, missing signatures."""
    standing = or_exit(lambda: ceremony.latest(folder))
    table = Table("role", "threshold", "key ids")
    for name in ("root", "release", "timestamp"):
        role = getattr(standing.trust, name)
        table.add_row(name, f"{role.threshold} of {len(role.keys)}", _ids(role.keys))
    Console().print(table)
    _tell(standing)


@keys.command()
@_FOLDER
def publish(folder: Path) -> None:
    """Hand all trust files to the hub, after checking the chain as a client does."""
    files = or_exit(lambda: ceremony.chain(folder))

    async def work(client: Client) -> None:
        bucket = await client.jetstream().key_value(KV_TRUST)
        for version, raw in files:
            try:
                await bucket.create(str(version), raw)
                click.echo(f"published trust.{version}.json")
            except KeyWrongLastSequenceError as error:
                there = (await bucket.get(str(version))).value
                if there != raw:
                    raise ceremony.CeremonyError(
                        f"another trust.{version}.json is published already"
                    ) from error

    on_bus(work)


@click.group()
def models() -> None:
    """Releases: what is served, to whom, and how one is taken out of service."""


@models.command()
@_MODEL
@click.option("--share", type=click.FloatRange(0, 1), default=1.0, show_default=True)
def promote(model: str, share: float) -> None:
    """Offer the current release to more homes: to a share of them, or to all."""
    _tell_pointer(on_bus(lambda client: model_admin.share(client, model, share)))


@models.command()
@_MODEL
@_FOLDER
def withdraw(model: str, folder: Path) -> None:
    """Replace a bad release by its predecessor's payload, signed anew under a higher number.

    Needs the release key and the hub's private key in KEYS: run it where root keys are used.
    """
    desk = model_admin.Desk(
        or_exit(lambda: ceremony.latest(folder)).trust,
        _secret(folder, secret_files.RELEASE_SEED),
        _secret(folder, secret_files.HUB_PRIVATE),
        secrets.token_bytes,
    )
    now_s = int(time.time())
    _tell_pointer(on_bus(lambda client: model_admin.withdraw(client, model, desk, now_s)))


def _rotate(folder: Path, role: RoleName, offline: tuple[Path, ...], *, new_epoch: bool) -> None:
    _tell(
        or_exit(
            lambda: ceremony.rotate(
                folder,
                role,
                secrets.token_bytes,
                int(time.time()),
                new_epoch=new_epoch,
                offline=offline,
            )
        )
    )


def _tell(standing: Standing) -> None:
    trust = standing.trust
    until = datetime.fromtimestamp(trust.expires_s, UTC)
    click.echo(f"{standing.path}: version {trust.version}, epoch {trust.epoch}, until {until:%F}")
    if standing.missing:
        click.echo(f"lacks {standing.missing} signatures: `keys sign --offline ...`")
    elif trust.version > 1:
        click.echo("complete: `keys publish`, then restart trainer and hub with the new keys")


def _tell_pointer(pointer: ReleasePointer) -> None:
    current = pointer.current
    click.echo(
        f"{pointer.model}: {current.epoch}.{current.seq} {current.model_hash[:12]} "
        f"for {pointer.canary_share:.0%} of homes"
    )


def _ids(public_keys: Iterable[bytes]) -> str:
    return " ".join(map(key_id, public_keys))


def _secret(folder: Path, name: str) -> bytes:
    path = folder / name
    if not path.exists():
        raise click.ClickException(f"{path} is missing")
    return b64decode(path.read_text(encoding="utf-8"))
