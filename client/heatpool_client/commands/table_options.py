"""Options that describe somebody's table, as one `Plan`."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Literal

import msgspec
import rich_click as click

from heatpool_client.columns import Wish
from heatpool_client.tables import Kind, Plan
from heatpool_client.times import TimeFormat, Unit

if TYPE_CHECKING:
    from collections.abc import Callable

    from heatpool_client.config import Config


class TableOptions(msgspec.Struct, frozen=True, kw_only=True):
    """As click hands them over."""

    format: Kind
    time_column: str | None
    time_format: str | None
    time_unit: Unit
    timezone: str
    delimiter: str | None
    encoding: str
    decimal: Literal[".", ","]
    map: tuple[str, ...]
    drop: tuple[str, ...]
    where: tuple[str, ...]
    skip: int
    limit: int | None
    strict: bool

    def plan(self, config: Config | None) -> Plan:
        """The plan; mappings of the configuration apply where their columns are there."""
        return Plan(
            kind=self.format,
            delimiter=self.delimiter,
            encoding=self.encoding,
            decimal=self.decimal,
            wish=Wish(
                time_column=self.time_column,
                fields=dict(_pair("--map", text) for text in self.map),
                drop=frozenset(self.drop),
                usual_fields=config.columns if config else {},
                usual_drop=frozenset(config.drop if config else ()),
            ),
            time=TimeFormat(unit=self.time_unit, pattern=self.time_format, timezone=self.timezone),
            where=tuple(_pair("--where", text) for text in self.where),
            skip=self.skip,
            limit=self.limit,
            strict=self.strict,
        )


_OPTIONS = (
    click.option("--format", type=click.Choice(["auto", "csv", "jsonl", "json"]), default="auto",
                 show_default=True, help="Of the file; auto goes by its name."),
    click.option("--time-column", metavar="NAME", help="Column with the time. [default: guessed]"),
    click.option("--time-format", metavar="PATTERN", help="strptime pattern, %m/%d/%Y %H:%M."),
    click.option("--time-unit", type=click.Choice(["auto", "s", "ms", "us", "ns", "iso"]),
                 default="auto", show_default=True, help="Of the time; auto: numbers by size."),
    click.option("--timezone", metavar="ZONE", default="UTC", show_default=True,
                 help="Of times that name none, Europe/Berlin."),
    click.option("--delimiter", metavar="CHAR", callback=lambda _c, _p, value: _character(value),
                 help="Of CSV cells. [default: guessed]"),
    click.option("--encoding", default="utf-8-sig", show_default=True, help="Of CSV."),
    click.option("--decimal", type=click.Choice([".", ","]), default=".", show_default=True,
                 help="Decimal mark."),
    click.option("--map", multiple=True, metavar="COLUMN=FIELD",
                 help="Field for a column; repeatable. [default: the column's name, tidied]"),
    click.option("--drop", multiple=True, metavar="COLUMN", help="Do not use; repeatable."),
    click.option("--where", multiple=True, metavar="COLUMN=VALUE",
                 help="Only rows in which it is equal; repeatable."),
    click.option("--skip", type=click.IntRange(min=0), default=0, metavar="N",
                 help="Rows of the file to pass over."),
    click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Rows to use at most."),
    click.option("--strict", is_flag=True, help="Stop at the first cell that is not readable."),
)  # fmt: skip  # one option, one entry


def table_options(function: Callable[..., None]) -> Callable[..., None]:
    """The options; the command gets them as `table: TableOptions`."""

    @wraps(function)
    def command(*args: object, **options: object) -> None:
        names = TableOptions.__struct_fields__
        table = msgspec.convert({name: options.pop(name) for name in names}, TableOptions)
        function(*args, table=table, **options)

    decorated: Callable[..., None] = command
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated


def _pair(option: str, text: str) -> tuple[str, str]:
    """`name=value`; a column may have `=` in its name, a field and a plain value have none."""
    name, equals, value = text.rpartition("=")
    if not equals or not name:
        raise click.BadParameter(f"{text!r} is not NAME=VALUE", param_hint=option)
    return name.strip(), value.strip()


def _character(text: str | None) -> str | None:
    if text is None:
        return None
    text = {"tab": "\t", "\\t": "\t"}.get(text, text)
    if len(text) != 1:
        raise click.BadParameter("one character, or tab", param_hint="--delimiter")
    return text
