"""`web`: the owner's page on the home network."""

from __future__ import annotations

import socket
import sys
from typing import TYPE_CHECKING, Final

import rich_click as click

from heatpool_client.commands.shell import shared_options
from heatpool_client.config import is_loopback
from heatpool_client.faults import ClientError, Fault
from heatpool_client.web import guard

if TYPE_CHECKING:
    from heatpool_client.commands.shell import Shell

PORT: Final = 8737


@click.command("web")
@click.option("--listen", default="127.0.0.1", show_default=True, metavar="ADDRESS",
              help="0.0.0.0 for the home network; needs a password.")  # fmt: skip  # one option
@click.option("--port", default=PORT, show_default=True, type=click.IntRange(1, 65_535))
@click.option("--name", "names", multiple=True, metavar="HOST",
              help="Another name of this machine in browsers.")  # fmt: skip  # one option
@click.option("--set-password", is_flag=True, help="Ask for a password, store its hash, end.")
@click.option("--without-password", is_flag=True,
              help="Anybody on the home network may erase.")  # fmt: skip  # one option
@shared_options
def web_command(
    shell: Shell,
    listen: str,
    port: int,
    names: tuple[str, ...],
    set_password: bool,  # noqa: FBT001 - click passes by name
    without_password: bool,  # noqa: FBT001 - click passes by name
) -> None:
    """Serve the owner's page until SIGTERM or Ctrl-C: status, scores, comparison, decisions."""
    config = shell.config()
    if set_password:
        _set_password(shell)
        return
    try:
        secret = guard.read_secret(shell.home)
    except ValueError as error:
        raise ClientError(Fault.CONFIG_INVALID, f"{shell.home.web.name}: {error}") from error
    if secret is None and not without_password and not is_loopback(f"http://{_url(listen)}"):
        raise click.UsageError(
            "other machines could reach this page: run `heatpool web --set-password` first, "
            "or say --without-password"
        )
    from heatpool_client.web.routes import Site  # noqa: PLC0415 - 50 ms, and only for this
    from heatpool_client.web.serving import run  # noqa: PLC0415 - an extra

    own = socket.gethostname().lower()
    with shell.pool(config) as pool:
        site = Site(pool, secret, (own, f"{own}.local", *names))
        shell.say(f"http://{_url(listen)}:{port}/", f"http://{_url(listen)}:{port}/")
        run(site, listen, port)


def _set_password(shell: Shell) -> None:
    if sys.stdin.isatty():
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    else:
        password = sys.stdin.readline().strip()
    if len(password) < guard.PASSWORD_CHARS_MIN:
        raise click.UsageError(f"at least {guard.PASSWORD_CHARS_MIN} characters")
    guard.write_password(shell.home, password)
    shell.say("The password is set.", "Das Passwort ist gesetzt.")


def _url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
