"""Who may say and hear what on the bus: one table for the server's configuration and the probe.

In: a role. Out: subjects it may publish and subscribe to. Guarantee: whatever is not listed is
refused by the server; a service creates no stream and no consumer, acknowledges for no other, and
answers only who asked. Each service has an account of its own, into which exactly these subjects
are imported: what the server answers to a service can therefore arrive nowhere else
(docs/decisions/0701).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

from heatpool_contract import subjects

_API: Final = "$JS.API"
ACCOUNT: Final = "HEATPOOL"
"""Has the streams; operators and viewers are its users."""
_IMPORTED_API: Final = f"{ACCOUNT}.API"
_MANY_ANSWERS: Final = (f"{_API}.DIRECT.GET.", f"{_API}.CONSUMER.MSG.NEXT.")


class Role(StrEnum):
    """Users of the bus. A service's role is its name."""

    INGEST = "ingest"
    WRITER = "writer"
    TRAINER = "trainer"
    MODELHUB = "modelhub"
    OPERATOR = "operator"
    """Everything in the pool's account: `heatpoolctl`, `nats --context heatpool-admin`."""
    VIEWER = "viewer"
    """Looks at states, at no content: dashboards, `nats server check`, whoever is on call."""


SERVICES: Final = (Role.INGEST, Role.WRITER, Role.TRAINER, Role.MODELHUB)


class Permissions(msgspec.Struct, frozen=True):
    """Subjects, with the bus's wildcards."""

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]


def inbox(role: str) -> str:
    """Prefix of the inboxes of a role: nobody else can listen to answers meant for it."""
    return f"_INBOX_{role}"


def account(role: Role) -> str:
    """The account that a role's user belongs to."""
    return role.upper() if role in SERVICES else ACCOUNT


def imported(subject: str) -> str:
    """What a subject of JetStream is called in a service's account.

    There `$JS.API` would be that account's own JetStream, which it has not. The server maps what is
    published before it looks at permissions, so clients say `$JS.API` and violations name this.
    """
    if subject.startswith(f"{_API}."):
        return _IMPORTED_API + subject.removeprefix(_API)
    return subject


def has_many_answers(subject: str) -> bool:
    """Whether one request gets several messages back."""
    return subject.startswith(_MANY_ANSWERS)


def offered(role: Role) -> tuple[str, ...]:
    """Subjects on which a service answers operators."""
    verbs = [f"$SRV.{verb}" for verb in ("PING", "INFO", "STATS")]
    return (
        f"{subjects.PREFIX_OPERATORS}.{role}.>",
        *verbs,
        *(f"{verb}.heatpool-{role}" for verb in verbs),
        *(f"{verb}.heatpool-{role}.*" for verb in verbs),
    )


def permissions_of(role: Role) -> Permissions:
    """All that `role` may."""
    if role is Role.OPERATOR:
        return Permissions((">",), (">",))
    if role is Role.VIEWER:
        return _viewer()
    return Permissions(_PUBLISH[role], (f"{inbox(role)}.>", *offered(role)))


def _info(*streams: str) -> tuple[str, ...]:
    return tuple(f"{_API}.STREAM.INFO.{stream}" for stream in streams)


def _read(*streams: str) -> tuple[str, ...]:
    """Messages, many at once and the leader's. No consumers: they deliver to any subject."""
    return (*_get(*streams), *(f"{_API}.DIRECT.GET.{stream}" for stream in streams))


def _get(*streams: str) -> tuple[str, ...]:
    return tuple(f"{_API}.STREAM.MSG.GET.{stream}" for stream in streams)


def _kv(*buckets: str) -> tuple[str, ...]:
    return tuple(f"KV_{bucket}" for bucket in buckets)


def _put(*buckets: str) -> tuple[str, ...]:
    return tuple(f"$KV.{bucket}.>" for bucket in buckets)


def _durable(name: str) -> tuple[str, ...]:
    """Pull and acknowledge. The longer form is what servers announce for later versions."""
    stream = subjects.STREAM_TELEMETRY
    return (
        f"{_API}.CONSUMER.INFO.{stream}.{name}",
        f"{_API}.CONSUMER.MSG.NEXT.{stream}.{name}",
        f"$JS.ACK.{stream}.{name}.>",
        f"$JS.ACK.*.*.{stream}.{name}.>",
    )


def _viewer() -> Permissions:
    return Permissions(
        (
            "$SRV.PING.>", "$SRV.INFO.>", "$SRV.STATS.>", "$SRV.PING", "$SRV.INFO", "$SRV.STATS",
            f"{subjects.PREFIX_OPERATORS}.*.status",
            f"{subjects.PREFIX_OPERATORS}.{Role.MODELHUB}.models",
            f"{_API}.INFO", f"{_API}.STREAM.NAMES", f"{_API}.STREAM.LIST",
            f"{_API}.STREAM.INFO.*", f"{_API}.CONSUMER.NAMES.*", f"{_API}.CONSUMER.LIST.*",
            f"{_API}.CONSUMER.INFO.*.*",
        ),
        (f"{inbox(Role.VIEWER)}.>", "$JS.EVENT.ADVISORY.>"),
    )  # fmt: skip


_TELEMETRY: Final = subjects.STREAM_TELEMETRY
_DEAD: Final = subjects.STREAM_DEADLETTER
_MODELS: Final = f"OBJ_{subjects.OBJECTS_MODELS}"
_WRITER_STATE: Final = f"{_API}.CONSUMER.INFO.{_TELEMETRY}.{subjects.DURABLE_WRITER}"

_PUBLISH: Final[dict[Role, tuple[str, ...]]] = {
    Role.INGEST: (
        subjects.SUBJECTS_TELEMETRY,
        *_info(_TELEMETRY, _DEAD, *_kv(subjects.KV_INSTALLATIONS)),
        *_read(_DEAD, *_kv(subjects.KV_INSTALLATIONS)),
        _WRITER_STATE,
    ),
    Role.WRITER: (
        subjects.SUBJECTS_DEADLETTER,
        *_info(_TELEMETRY, _DEAD, *_kv(subjects.KV_INSTALLATIONS, subjects.KV_ERASURES)),
        *_read(_TELEMETRY, _DEAD, *_kv(subjects.KV_INSTALLATIONS, subjects.KV_ERASURES)),
        *_put(subjects.KV_INSTALLATIONS, subjects.KV_ERASURES),
        *_durable(subjects.DURABLE_WRITER),
        f"{_API}.STREAM.PURGE.{_TELEMETRY}",  # the janitor
        f"{_API}.STREAM.MSG.DELETE.{_TELEMETRY}",  # erasure
        f"{_API}.STREAM.MSG.DELETE.{_DEAD}",
    ),
    Role.TRAINER: (
        f"$O.{subjects.OBJECTS_MODELS}.>",
        *_info(_TELEMETRY, _MODELS, *_kv(subjects.KV_RELEASES, subjects.KV_PROGRESS)),
        *_read(_MODELS, *_kv(subjects.KV_RELEASES, subjects.KV_PROGRESS)),
        *_put(subjects.KV_RELEASES, subjects.KV_PROGRESS),
        *_durable(subjects.DURABLE_TRAINER),
        _WRITER_STATE,
        # Who asked for erasure is left out.
        *_info(*_kv(subjects.KV_INSTALLATIONS, subjects.KV_ERASURES)),
        *_get(*_kv(subjects.KV_INSTALLATIONS)),
        *_read(*_kv(subjects.KV_ERASURES)),
        f"{_API}.STREAM.PURGE.{_MODELS}",  # how nats-py deletes an object
    ),
    Role.MODELHUB: (
        subjects.SUBJECT_CONSENT,
        *_info(subjects.STREAM_CONSENT, _MODELS),
        *_info(*_kv(
            subjects.KV_INSTALLATIONS, subjects.KV_RELEASES, subjects.KV_TRUST,
            subjects.KV_COMMUNITY, subjects.KV_ERASURES,
        )),
        *_read(_MODELS, *_kv(
            subjects.KV_INSTALLATIONS, subjects.KV_RELEASES, subjects.KV_TRUST,
            subjects.KV_COMMUNITY,
        )),
        *_get(subjects.STREAM_CONSENT, *_kv(subjects.KV_ERASURES)),
        *_put(subjects.KV_INSTALLATIONS, subjects.KV_COMMUNITY, subjects.KV_ERASURES),
    ),
}  # fmt: skip
