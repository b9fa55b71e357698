"""The options that all commands share: who is simulated, when, with which faults.

In: click's options. Out: one `Fleet`. Guarantee: faults name homes that exist, each home once.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import msgspec
import rich_click as click

from heatpool_fleet.chance import DAY_S
from heatpool_fleet.faults import Fault, FaultSpellingError, parse_fault
from heatpool_fleet.homes import (
    HOMES_MAX,
    MODEL_DEFAULT,
    RATED_WATTS,
    HomeSpec,
    Naming,
    make_homes,
)
from heatpool_fleet.simulation import DAYS_MAX, INTERVAL_S_MIN

SEED_MAX: Final = 2**63 - 1

Command = Callable[..., None]  # click passes options by name


class Fleet(msgspec.Struct, frozen=True, eq=False):
    """Everything `simulate` needs."""

    homes: list[HomeSpec]
    seed: int
    start_s: float
    days: float
    interval_s: float
    faults: dict[int, Fault]


_OPTIONS: Final = (
    click.option("--homes", default=12, type=click.IntRange(1, HOMES_MAX), show_default=True),
    click.option("--seed", default=1, type=click.IntRange(0, SEED_MAX), show_default=True),
    click.option(
        "--model",
        default=MODEL_DEFAULT,
        show_default=True,
        help="Name of the heat pump; known sizes: " + ", ".join(RATED_WATTS),
    ),
    click.option(
        "--naming",
        default=Naming.PLAIN.value,
        show_default=True,
        type=click.Choice([naming.value for naming in Naming]),
        help="Names of the sensors.",
    ),
    click.option(
        "--start",
        type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]),
        help="Begin, UTC. Default: so that the period ends now.",
    ),
    click.option("--days", default=35.0, type=click.FloatRange(0.01, DAYS_MAX), show_default=True),
    click.option(
        "--interval",
        default=60.0,
        type=click.FloatRange(INTERVAL_S_MIN, DAY_S),
        show_default=True,
        help="Seconds between records.",
    ),
    click.option(
        "--fault",
        "spellings",
        multiple=True,
        help="KIND[.SENSOR]:GRADE@DAYSd, as undercharge:0.3@28d; repeatable.",
    ),
    click.option(
        "--home",
        "faulty",
        multiple=True,
        type=click.IntRange(0),
        help="The home each --fault hits, in the same order.",
    ),
)


def fleet_options(command: Command) -> Command:
    """Give `command` the shared options, as one first argument of type `Fleet`."""

    @functools.wraps(command)
    def wrapped(  # noqa: PLR0913 -- click hands over one argument per option
        *,
        homes: int,
        seed: int,
        model: str,
        naming: str,
        start: datetime | None,
        days: float,
        interval: float,
        spellings: tuple[str, ...],
        faulty: tuple[int, ...],
        **rest: object,
    ) -> None:
        if start is None:
            now_s = time.time()
            start_s = now_s - now_s % interval - days * DAY_S
        else:
            start_s = start.replace(tzinfo=UTC).timestamp()
        faults = _faults(spellings, faulty, homes, start_s)
        specs = make_homes(homes, seed, model, Naming(naming))
        command(Fleet(specs, seed, start_s, days, interval, faults), **rest)

    decorated: Command = wrapped
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated


def _faults(
    spellings: tuple[str, ...], faulty: tuple[int, ...], homes: int, start_s: float
) -> dict[int, Fault]:
    if len(spellings) != len(faulty) or len(set(faulty)) != len(faulty):
        raise click.UsageError("give one --home for each --fault, and each home once")
    if any(home >= homes for home in faulty):
        raise click.UsageError(f"--home counts from 0 to {homes - 1}")
    try:
        parsed = [parse_fault(text, start_s) for text in spellings]
    except FaultSpellingError as error:
        raise click.UsageError(str(error)) from error
    return dict(zip(faulty, parsed, strict=True))
