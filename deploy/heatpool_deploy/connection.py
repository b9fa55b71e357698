"""How `heatpoolctl` reaches the pool, and how a command fails.

In: `HEATPOOL_CTL_<FIELD>`. Out: connections for the time of one command. Guarantee: what an
operator can mend ends as one line, not as a traceback.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec
import rich_click as click
from nats.js.errors import APIError

from heatpool_chassis import bus
from heatpool_chassis.lifecycle import Lifecycle
from heatpool_chassis.micro import EndpointError
from heatpool_chassis.permissions import Role
from heatpool_chassis.settings import Secret, SettingsError, load
from heatpool_chassis.victoria import StoreError, Victoria, VictoriaUrls
from heatpool_contract import identity
from heatpool_deploy.backup import BackupError
from heatpool_deploy.ceremony import CeremonyError
from heatpool_deploy.deadletters import DeadLetterError
from heatpool_deploy.model_admin import ModelAdminError
from heatpool_deploy.regions import RegionError
from heatpool_deploy.stack import StackError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from nats.aio.client import Client

R = TypeVar("R")
_OPERATORS: Final = (
    APIError,
    StackError,
    SettingsError,
    bus.BusError,
    EndpointError,
    StoreError,
    DeadLetterError,
    BackupError,
    CeremonyError,
    ModelAdminError,
    RegionError,
)
PREFIX: Final = "HEATPOOL_CTL_"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How to reach the pool: `HEATPOOL_CTL_<FIELD>`."""

    nats_url: str = ""
    """Not for canary, export and keys: what runs all day needs no operator's seed."""
    nats_seed: Secret | None = None
    nats_ca: Path | None = None
    victoria_url: str = ""
    """For export, backup, restore, canary and doctor."""
    victoria_write_url: str = ""
    """For restore, where that is another URL: vminsert of a cluster."""
    victoria_storage_urls: tuple[str, ...] = ()
    """For doctor: roots of the processes that hold samples, as the writer has them."""
    edge_url: str = ""
    """The public front, as loggers see it; for canary and doctor."""
    edge_ca: Path | None = None
    """For its certificate, unless it is a public one."""
    token: Secret | None = None
    """One of the loggers' tokens; for canary."""
    pseudonym_key: Secret | None = None
    """To name an installation by its id instead of its pseudonym."""
    backup_passphrase: Secret | None = None


def settings() -> Settings:
    """From the environment."""
    return load(Settings, PREFIX, os.environ)


def on_bus(work: Callable[[Client], Awaitable[R]]) -> R:
    """Run `work` with a connection to NATS."""

    async def connected() -> R:
        known = settings()
        if not known.nats_url:
            raise SettingsError(f"{PREFIX}NATS_URL: is missing")
        shown = bus.Identity(known.nats_seed or "", known.nats_ca)
        life = Lifecycle(Role.OPERATOR)
        client = await bus.connect(life, known.nats_url, shown, buffered=True)
        try:
            return await work(client)
        finally:
            await client.close()

    return or_exit(lambda: asyncio.run(connected()))


def store() -> Victoria:
    """A client of the store, to be used as async context manager."""
    if not settings().victoria_url:
        raise SettingsError(f"{PREFIX}VICTORIA_URL: is missing")
    return Victoria(store_urls(settings()))


def store_urls(known: Settings) -> VictoriaUrls:
    """Where the store is; nothing is ever deleted from here."""
    url = known.victoria_url
    return VictoriaUrls(known.victoria_write_url or url, url, url, known.victoria_storage_urls)


def pseudonym_of(installation: str) -> str:
    """The pseudonym of an id; a pseudonym stays what it is."""
    if identity.is_pseudonym(installation):
        return installation
    name = identity.installation_id(installation)
    key = or_exit(settings).pseudonym_key
    if name is None:
        raise click.ClickException("neither an installation id nor a pseudonym")
    if key is None:
        raise click.ClickException(f"{PREFIX}PSEUDONYM_KEY: is missing; give the pseudonym")
    return identity.pseudonym(name, key.encode())


def passphrase() -> str:
    """What the keys of a backup are encrypted with."""
    given = or_exit(settings).backup_passphrase
    if given is None:
        raise click.ClickException(f"{PREFIX}BACKUP_PASSPHRASE: is missing")
    return given


def or_exit(work: Callable[[], R]) -> R:
    """Run `work`; an error that is the operator's ends the command with its text."""
    try:
        return work()
    except _OPERATORS as error:
        raise click.ClickException(str(error)) from error


def print_json(value: object) -> None:
    """What `--json` prints."""
    click.echo(msgspec.json.format(msgspec.json.encode(value)).decode())
