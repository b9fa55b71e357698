"""`init`, `consent`, `register`, `trust`, `status`: what an owner does once, or looks up."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import rich_click as click

from heatpool_client import consent, consent_record, deciding, erasure, setup
from heatpool_client.commands.shell import lines_of, shared_options
from heatpool_client.faults import ClientError, Exit, Fault
from heatpool_client.version import CLIENT_VERSION

if TYPE_CHECKING:
    from heatpool_client.commands.shell import Shell
    from heatpool_client.pool import Pool


class InitOptions(msgspec.Struct, frozen=True, kw_only=True):
    """As click hands them over."""

    server: str
    model: str
    hub: str | None
    logger_version: str
    installation_id: str | None
    token_file: Path | None
    trust: Path | None
    ca_file: str | None
    allow_http: bool
    accept_consent: str | None


class InitReport(msgspec.Struct, frozen=True, kw_only=True):
    """Outcome of `init`."""

    home: str
    installation_id: str
    model: str
    server: str
    consent: consent.Standing
    trusted: bool
    registered: bool


class ConsentReport(msgspec.Struct, frozen=True, kw_only=True):
    """Outcome of `consent`."""

    standing: consent.Standing
    version: str
    """Of the present text."""
    do_not_track: bool
    last: consent.Consent | None = None
    text: str | None = None
    dropped: int | None = None
    """Readings that waited and were dropped by the withdrawal."""
    record: consent_record.Seen | None = None
    """What the pool has recorded of it."""
    erasure: erasure.Erasure | None = None


class RegisterReport(msgspec.Struct, frozen=True):
    """Outcome of `register`."""

    status: str
    installation_id: str


class TrustReport(msgspec.Struct, frozen=True):
    """Outcome of `trust`."""

    version: int
    epoch: int
    expires_s: int


@click.command("init")
@click.option("--server", required=True, metavar="URL", help="Address of the pool.")
@click.option("--model", required=True, metavar="NAME", help="Heat-pump model, 'AERO SLM 6-17'.")
@click.option("--hub", metavar="URL", help="Address of the modelhub, if it is another one.")
@click.option("--logger-version", default=CLIENT_VERSION, show_default=True, help="As sent.")
@click.option("--installation-id", metavar="UUID", help="One you have. [default: from new keys]")
@click.option("--token-file", type=click.Path(path_type=Path), help="Access token; - for stdin.")
@click.option("--trust", type=click.Path(path_type=Path), help="First trust file of the pool.")
@click.option("--ca-file", metavar="FILE", help="Certificates of a pool of your own.")
@click.option("--allow-http", is_flag=True, help="Send unencrypted to another machine.")
@click.option("--accept-consent", metavar="VERSION", help="Agree to this version, unasked.")
@shared_options
def init(shell: Shell, **given: object) -> None:
    """Set this installation up: consent, keys, configuration. Works offline."""
    options = msgspec.convert(given, InitOptions)
    if shell.home.config.exists():
        raise ClientError(Fault.ALREADY_INITIALISED, shell.home.root)
    version, means = _decide(shell, options.accept_consent)
    settings = {
        "server": options.server,
        "model": options.model,
        "version": options.logger_version,
        "hub": options.hub,
        "installation_id": options.installation_id,
        "ca_file": options.ca_file,
        "allow_http": options.allow_http or None,
        "language": shell.language,
    }
    choices = setup.Choices(
        settings={name: value for name, value in settings.items() if value is not None},
        token=_token(shell, options.token_file),
        trust=setup.read_trust(options.trust) if options.trust else None,
    )
    config = setup.initialise(shell.home, choices, shell.clock.now_s(), os.urandom)
    if version is not None:
        _grant(shell, version, means)
    registered = _register_if_possible(shell) if version is not None else False
    report = InitReport(
        home=str(shell.home.root),
        installation_id=config.installation_id,
        model=config.model,
        server=config.server,
        consent=consent.standing(shell.home),
        trusted=shell.home.trust_first.exists(),
        registered=registered,
    )
    shell.report(report, lines_of(report, shell.language))


@click.command("consent")
@click.option("--accept", metavar="VERSION", help="Agree to this version of the text.")
@click.option("--withdraw", is_flag=True, help="From now on nothing is sent; drop what waits.")
@click.option("--erase", is_flag=True, help="With --withdraw: have the pool forget this home.")
@shared_options
def consent_command(
    shell: Shell,
    accept: str | None,
    withdraw: bool,  # noqa: FBT001 - click passes by name
    erase: bool,  # noqa: FBT001 - click passes by name
) -> None:
    """Show the consent text and what was agreed to; agree; withdraw."""
    if accept is not None and withdraw:
        raise click.UsageError("--accept and --withdraw exclude each other")
    if erase and not withdraw:
        raise click.UsageError("--erase goes with --withdraw")
    shown = dropped = None
    if accept is not None:
        _grant(shell, accept, "option")
        if shell.home.config.exists():
            with shell.pool() as pool:
                _record(shell, pool)
    elif withdraw:
        dropped = _forget(shell, erase=erase)
    else:
        shown = consent.text(shell.language)
    standing = consent.standing(shell.home)
    report = ConsentReport(
        standing=standing,
        version=consent.CONSENT_VERSION,
        do_not_track=consent.is_do_not_track(shell.environ),
        last=None if standing == "damaged" else consent.current(shell.home),
        text=shown,
        dropped=dropped,
        record=consent_record.seen(shell.home, shell.environ),
        erasure=erasure.last(shell.home),
    )
    if shown is not None and not shell.as_json:
        _show(shell, shown)
    shell.report(
        report,
        [
            line
            for line in lines_of(report, shell.language)
            if line[0] not in ("text", "last") and line[1] != "-"
        ],
    )


@click.command("register")
@shared_options
def register(shell: Shell) -> None:
    """Make the public keys of this installation known to the pool."""
    with shell.pool() as pool:
        report = RegisterReport(pool.register(), pool.config.installation_id)
    shell.report(report, lines_of(report, shell.language))


@click.command("trust")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@shared_options
def trust(shell: Shell, files: tuple[Path, ...]) -> None:
    """Believe the pool's first trust file, or the successors of the one believed, in order."""
    shell.config()
    believed = setup.believe(shell.home, [setup.read_trust(path) for path in files])
    report = TrustReport(believed.version, believed.epoch, believed.expires_s)
    shell.report(report, lines_of(report, shell.language))


def _forget(shell: Shell, *, erase: bool) -> int | None:
    """Stop, and say so if the pool could not be asked yet."""
    consent.withdraw(shell.home, shell.clock.now_s())  # first: also with a configuration that fails
    if not shell.home.config.exists():
        return None
    with shell.pool() as pool:
        left = deciding.withdraw(pool, erase=erase)
    if left.recorded is not None:
        _say_if_waiting(shell, left.recorded)
    if left.erasure is not None and left.erasure.confirmed_s is None:
        problem = left.erasure.problem
        shell.say(
            f"The pool could not be asked yet ({problem}); `heatpool send` tries again.",
            f"Noch nicht angefragt ({problem}); `heatpool send` versucht es erneut.",
        )
    return left.dropped


def _record(shell: Shell, pool: Pool) -> None:
    """Have the pool record what was decided; what does not go now waits."""
    _say_if_waiting(shell, consent_record.send(pool, at_once=True))


def _say_if_waiting(shell: Shell, recorded: consent_record.Seen) -> None:
    if recorded.standing == "waiting":
        shell.say(
            f"Not recorded at the pool yet ({recorded.problem}); `heatpool send` tries again.",
            f"Noch nicht beim Datenpool vermerkt ({recorded.problem}); `heatpool send` versucht es "
            "erneut.",
        )


def _decide(shell: Shell, accepted: str | None) -> tuple[str | None, consent.Means]:
    """The version that the owner agrees to, or None; asked only at a terminal."""
    if accepted is not None:
        if accepted != consent.CONSENT_VERSION:  # before anything is written
            raise ClientError(Fault.CONSENT_OTHER_VERSION, accepted, consent.CONSENT_VERSION)
        return accepted, "option"
    if shell.as_json or not sys.stdin.isatty():
        return None, "option"
    _show(shell, consent.text(shell.language))
    question = {"en": "Do you agree?", "de": "Stimmen Sie zu?"}[shell.language]
    agreed = click.confirm(question, default=False)
    return (consent.CONSENT_VERSION if agreed else None), "asked"


def _grant(shell: Shell, version: str, means: consent.Means) -> None:
    now_s = shell.clock.now_s()
    deciding.agree(shell.home, version, now_s, language=shell.language, means=means)


def _register_if_possible(shell: Shell) -> bool:
    """Offline is fine, `register` and `update` make up for it; a refusal is not."""
    try:
        with shell.pool() as pool:
            pool.register()
            _record(shell, pool)
    except ClientError as error:
        if error.exit not in (Exit.UNREACHABLE, Exit.NO_CONSENT, Exit.SETUP):
            raise
        shell.say(
            f"Not registered yet: {error.text('en')}", f"Noch nicht registriert: {error.text('de')}"
        )
        return False
    return True


def _token(shell: Shell, path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        text = sys.stdin.readline() if path == Path("-") else path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise ClientError(Fault.FILE_UNREADABLE, path, error) from error
    if not text.strip():
        raise ClientError(Fault.TOKEN_MISSING, shell.home.token)
    return text.strip()


def _show(shell: Shell, text: str) -> None:
    from rich.markdown import Markdown  # noqa: PLC0415 - slow, and only for this

    shell.console(stderr=True).print(Markdown(text))
