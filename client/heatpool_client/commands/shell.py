"""What all commands share: their options, their output, their way to fail.

In: arguments, environment. Out: a report for people or one JSON document, an exit status.
Guarantee: results go to stdout, everything else to stderr; with `--json` stdout holds exactly one
JSON document, also for errors; every expected error ends in its documented exit status.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec
import rich_click as click

from heatpool_client import config as configuration
from heatpool_client.clock import SYSTEM, Clock
from heatpool_client.faults import (
    ClientError,
    ErrorSeen,
    Exit,
    Failed,
    Fault,
    Language,
    Words,
)
from heatpool_client.home import find_home
from heatpool_client.pool import Pool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rich.console import Console

    from heatpool_client.config import Config

Function = TypeVar("Function", bound="Callable[..., None]")
SPAN_S_MAX = 1e8
"""Three years: no wait lasts so long, and no moment that we print is before 1973."""


class Surroundings(msgspec.Struct, frozen=True):
    """What `__main__` gives to all commands."""

    environ: Mapping[str, str]
    clock: Clock = SYSTEM


class Shell:
    """One running command."""

    def __init__(
        self, surroundings: Surroundings, home: Path | None, *, as_json: bool, language: str | None
    ) -> None:
        self.environ = surroundings.environ
        self.clock = surroundings.clock
        self.home = find_home(home, self.environ)
        self.as_json = as_json
        self._chosen = language or self.environ.get("HEATPOOL_LANGUAGE")
        self.language = _language(self._chosen, self.environ)

    def config(self) -> Config:
        """The configuration; from here on in its language, unless another one was asked for."""
        config = configuration.load(self.home, self.environ)
        if self._chosen is None:
            self.language = config.language
        return config

    def pool(self, config: Config | None = None) -> Pool:
        """The door to the pool."""
        return Pool(self.home, config or self.config(), self.environ, self.clock)

    def console(self, *, stderr: bool = False) -> Console:
        """Where people read."""
        from rich.console import Console  # noqa: PLC0415 - only when something is printed

        return Console(stderr=stderr, highlight=False, soft_wrap=True)

    def report(
        self, value: msgspec.Struct, lines: Iterable[tuple[str, object]], *, stderr: bool = False
    ) -> None:
        """Print the outcome: `value` as JSON, or label and text line by line."""
        if self.as_json:
            self.write(msgspec.json.encode(value), stderr=stderr)
            return
        from rich.text import Text  # noqa: PLC0415 - only when something is printed

        pairs = list(lines)
        width = max((len(label) for label, _ in pairs), default=0)
        console = self.console(stderr=stderr)
        for label, text in pairs:
            name = label if label.startswith(" ") else label.replace("_", " ")  # codes stay
            console.print(Text.assemble((name.ljust(width + 2), "bold"), str(text)))

    def write(self, content: bytes, *, stderr: bool = False) -> None:
        """Bytes as they are, on a line of their own."""
        stream = sys.stderr if stderr else sys.stdout
        stream.write(content.decode() + "\n")
        stream.flush()

    def say(self, en: str, de: str) -> None:
        """A remark for people."""
        if not self.as_json:
            self.console(stderr=True).print(de if self.language == "de" else en)

    def seen(self, error: ClientError) -> ErrorSeen:
        """The error for JSON output."""
        return error.seen()

    def fail(self, error: ClientError) -> None:
        """Print the error."""
        if self.as_json:
            self.write(msgspec.json.encode(Failed(error.seen())))
            return
        from rich.text import Text  # noqa: PLC0415 - only when something is printed

        word = "Fehler:" if self.language == "de" else "Error:"
        self.console(stderr=True).print(
            Text(word, style="bold red"), Text(error.text(self.language))
        )


def shared_options(function: Function) -> Callable[..., None]:
    """`--home`, `--json` and `--language`; the command gets a `Shell` and may raise ClientError."""

    @click.option(
        "--home",
        type=click.Path(path_type=Path, file_okay=False),
        help="State folder; also HEATPOOL_HOME. [default: ~/.local/share/heatpool]",
    )
    @click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
    @click.option("--language", type=click.Choice(["en", "de"]), help="Of messages.")
    @click.pass_obj
    @wraps(function)
    def command(
        surroundings: Surroundings,
        /,
        home: Path | None,
        as_json: bool,  # noqa: FBT001 - click passes by name
        language: str | None,
        **options: object,
    ) -> None:
        shell = Shell(surroundings, home, as_json=as_json, language=language)
        try:
            function(shell, **options)
        except ClientError as error:
            shell.fail(error)
            raise SystemExit(error.exit) from error

    return command


def replaced(config: Config, **values: str | None) -> Config:
    """The configuration with what an option says instead.

    Raises:
        ClientError: `config_invalid`.
    """
    given = {name: value for name, value in values.items() if value is not None}
    try:
        return msgspec.structs.replace(config, **given)
    except ValueError as error:
        raise ClientError(Fault.CONFIG_INVALID, error) from error


def leave(status: Exit) -> None:
    """End with a status that is no error of its own."""
    if status is not Exit.OK:
        raise SystemExit(status)


def moment(seconds: float | None) -> str:
    """Local date and time for people; a dash for none."""
    from datetime import UTC, datetime  # noqa: PLC0415 - only when something is printed

    if seconds is None:
        return "-"
    return datetime.fromtimestamp(seconds, UTC).astimezone().isoformat(sep=" ", timespec="seconds")


def lines_of(value: msgspec.Struct, language: Language) -> list[tuple[str, object]]:
    """Label and text of every member, members of members after a dot; moments as dates."""
    lines: list[tuple[str, object]] = []
    for name in value.__struct_fields__:
        member = getattr(value, name)
        if isinstance(member, msgspec.Struct):
            lines += [(f"{name}.{inner}", text) for inner, text in lines_of(member, language)]
        elif isinstance(member, Words):
            lines.append((name, member.de if language == "de" else member.en))
        elif name.endswith("_s") and isinstance(member, int | float):
            is_span = abs(member) < SPAN_S_MAX
            text = f"{round(member, 1):g} s" if is_span else moment(member)
            lines.append((name.removesuffix("_s"), text))
        else:
            lines.append((name, "-" if member is None else member))
    return lines


def _language(chosen: str | None, environ: Mapping[str, str]) -> Language:
    locale = chosen or environ.get("LC_ALL") or environ.get("LC_MESSAGES") or environ.get("LANG")
    return "de" if (locale or "").lower().startswith("de") else "en"
