"""PURE: what is said of a pool, and what of it an operator has to mend.

In: what was read. Out: a `Report`. Guarantee: `problems` is empty exactly when an operator has
nothing to do; every limit stands here with its reason.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from heatpool_chassis.permissions import SERVICES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from heatpool_chassis.micro import Status
    from heatpool_contract.operators import ShownReleases

UNACKNOWLEDGED_S_MAX: Final = 120.0
"""A written message waits 15 s to be known as durable, a batch a second; two minutes are a fault
that lasts."""
FILL_MAX: Final = 0.8  # here the janitor begins, and a longer pause of the writer loses data
RELEASE_DAYS_MAX: Final = 45  # half of the validity: two more trainings may fail before it ends
_MUST_BE_NOUGHT: Final = {
    "heatpool_writer_store_alarm": "samples may be missing in the store: `writer verify`",
    "heatpool_writer_poison_breaker": "too many dead letters, the writer has stopped",
    "heatpool_writer_ledger_difference": "the writer's books do not balance",
    "heatpool_bus_denied_total": "requests refused for lack of permission: `init`, reload NATS",
}


class Alive(msgspec.Struct, frozen=True):
    """One process that answers."""

    service: str
    instance: str
    version: str
    ready: bool
    stopping: bool
    up_s: float
    failing: tuple[str, ...]


class Homes(msgspec.Struct, frozen=True):
    """What the registry says."""

    active: int
    """With records in the last 30 days."""
    known: int
    erased: int
    samples: int
    by_model: dict[str, int]
    """Active ones."""


class Flow(msgspec.Struct, frozen=True):
    """Between the edge and the store."""

    stream_messages: int
    stream_bytes: int
    stream_fill: float
    writer_pending: int
    """Never delivered to a writer."""
    writer_unacknowledged: int
    oldest_unacknowledged_s: float
    oldest_unwritten_s: float | None
    """As the writers say; None if none answers."""
    trainer_pending: int
    dead_letters: dict[str, int]
    """By model."""


class Release(msgspec.Struct, frozen=True):
    """A heat-pump model: what is served, and how the last training went."""

    model: str
    model_hash: str
    version: str
    state: str
    age_days: float | None
    expires_days: float | None
    canary_share: float
    outcome: str
    reasons: tuple[str, ...]
    trained_days: float | None
    figures: dict[str, float]


class Report(msgspec.Struct, frozen=True):
    """All of it."""

    at_ms: int
    alive: list[Alive]
    homes: Homes
    flow: Flow
    releases: list[Release]
    problems: list[str]


def problems_of(
    alive: list[Alive],
    statuses: Iterable[Status],
    flow: Flow,
    releases: list[Release],
    hubs: Iterable[ShownReleases],
) -> list[str]:
    """In words, each with the command that helps where there is one."""
    return [
        *_absent(alive),
        *_odd(statuses),
        *_late(flow),
        *_aged(releases),
        *_unlike(releases, hubs),
    ]


def _absent(alive: list[Alive]) -> list[str]:
    there = {one.service for one in alive}
    silent = [f"{service}: no process answers" for service in SERVICES if service not in there]
    waiting = [
        f"{one.service} {one.instance}: not ready ({', '.join(one.failing)})"
        for one in alive
        if not one.ready and not one.stopping
    ]
    return silent + waiting


def _odd(statuses: Iterable[Status]) -> list[str]:
    """Gauges and counters that must be nought."""
    found = []
    for one in statuses:
        for key, value in one.figures.items():
            text = _MUST_BE_NOUGHT.get(key.partition("{")[0])
            if text is not None and value:
                found.append(f"{one.service} {one.instance}: {text} ({key} = {value:g})")
    return found


def _late(flow: Flow) -> list[str]:
    found = []
    if flow.oldest_unacknowledged_s > UNACKNOWLEDGED_S_MAX:
        found.append(f"a message waits {flow.oldest_unacknowledged_s:.0f} s to be stored")
    if flow.stream_fill > FILL_MAX:
        found.append(f"TELEMETRY is {flow.stream_fill:.0%} full")
    if flow.dead_letters:
        found.append(f"{sum(flow.dead_letters.values())} dead letters: `dlq list`")
    return found


def _aged(releases: list[Release]) -> list[str]:
    found = []
    for one in releases:
        if one.age_days is not None and one.age_days > RELEASE_DAYS_MAX:
            found.append(f"{one.model}: the release is {one.age_days:.0f} days old")
        if one.outcome in {"refused", "failed"}:
            found.append(f"{one.model}: last training {one.outcome}: {'; '.join(one.reasons)}")
    return found


def _unlike(releases: list[Release], hubs: Iterable[ShownReleases]) -> list[str]:
    """Hubs that hand out something else than the bucket points to."""
    found = []
    for hub in hubs:
        shown = {one.model: one.model_hash for one in hub.releases}
        found += [
            f"hub {hub.instance} does not hand out the current release of {one.model}"
            for one in releases
            if one.model_hash and shown.get(one.model) != one.model_hash
        ]
    return found
