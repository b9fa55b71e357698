"""Table: what a taken-over service would try, and nats-server must refuse. One row an attempt."""

from __future__ import annotations

from typing import NamedTuple

from heatpool_chassis.permissions import SERVICES, Role
from heatpool_chassis.topology import Sizes, topology

STREAMS = [stream.name or "" for stream in topology(Sizes()).streams]


class Attempt(NamedTuple):
    """Who tries what."""

    role: Role
    action: str
    verb: str
    subject: str


def _publishing(role: Role, *rows: tuple[str, str]) -> list[Attempt]:
    return [Attempt(role, action, "publish", subject) for action, subject in rows]


def _any_service(role: Role) -> list[Attempt]:
    other = Role.WRITER if role is Role.INGEST else Role.INGEST
    return [
        *_publishing(
            role,
            ("creates a stream", "$JS.API.STREAM.CREATE.MINE"),
            ("deletes the telemetry", "$JS.API.STREAM.DELETE.TELEMETRY"),
            ("changes the telemetry's limits", "$JS.API.STREAM.UPDATE.TELEMETRY"),
            ("copies the registry", "$JS.API.STREAM.SNAPSHOT.KV_INSTALLATIONS"),
            ("deletes the writer's durable", "$JS.API.CONSUMER.DELETE.TELEMETRY.writer"),
            ("changes the writer's durable", "$JS.API.CONSUMER.CREATE.TELEMETRY.writer"),
            *(
                (f"has {stream} delivered anywhere", f"$JS.API.CONSUMER.CREATE.{stream}")
                for stream in STREAMS
            ),
            ("delivers under a name", "$JS.API.CONSUMER.CREATE.KV_INSTALLATIONS.mine.$KV.>"),
            ("changes it the old way", "$JS.API.CONSUMER.DURABLE.CREATE.TELEMETRY.writer"),
            ("narrows the trainer's durable", "$JS.API.CONSUMER.CREATE.TELEMETRY.trainer.a.b"),
            ("pauses the writer", "$JS.API.CONSUMER.PAUSE.TELEMETRY.writer"),
            ("ends another service", f"heatpool.{other}.drain.some"),
            ("forges an answer to another", f"_INBOX_{other}.some"),
            ("forges an advisory", "$JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED.TELEMETRY.x"),
            ("publishes a trust file", "$KV.TRUST.2"),
            ("empties the proof of consent", "$JS.API.STREAM.PURGE.CONSENT"),
            ("asks the servers' account", "$SYS.REQ.SERVER.PING"),
        ),
        Attempt(role, "reads the telemetry as it comes", "subscribe", "telemetry.>"),
        Attempt(role, "reads everything", "subscribe", ">"),
        Attempt(role, "reads the registry's changes", "subscribe", "$KV.INSTALLATIONS.>"),
        Attempt(role, "reads answers to the operator", "subscribe", "_INBOX_operator.>"),
        Attempt(role, "reads answers to another", "subscribe", f"_INBOX_{other}.>"),
        Attempt(role, "answers for another", "subscribe", f"heatpool.{other}.status"),
        Attempt(role, "passes for another", "subscribe", f"$SRV.PING.heatpool-{other}"),
    ]


ATTEMPTS = [
    *(attempt for role in SERVICES for attempt in _any_service(role)),
    *_publishing(
        Role.INGEST,
        ("reads a home's telemetry", "$JS.API.STREAM.MSG.GET.TELEMETRY"),
        ("takes the writer's messages", "$JS.API.CONSUMER.MSG.NEXT.TELEMETRY.writer"),
        ("acknowledges for the writer", "$JS.ACK.TELEMETRY.writer.1.1.1.1.0"),
        ("empties the telemetry", "$JS.API.STREAM.PURGE.TELEMETRY"),
        ("deletes a message", "$JS.API.STREAM.MSG.DELETE.TELEMETRY"),
        ("makes a home eligible", "$KV.INSTALLATIONS.home"),
        ("erases a home", "$KV.ERASURES.receipt"),
        ("points to a release", "$KV.RELEASES.aero_slm"),
        ("stores a model", "$O.MODELS.C.some"),
        ("reads a model", "$JS.API.STREAM.MSG.GET.OBJ_MODELS"),
        ("reads many models", "$JS.API.DIRECT.GET.OBJ_MODELS"),
        ("reads much telemetry", "$JS.API.DIRECT.GET.TELEMETRY"),
        ("buries a message", "deadletter.aero_slm"),
        ("writes a consent", "consent"),
    ),
    *_publishing(
        Role.WRITER,
        ("invents telemetry", "telemetry.aero_slm.home"),
        ("acknowledges for the trainer", "$JS.ACK.TELEMETRY.trainer.1.1.1.1.0"),
        ("points to a release", "$KV.RELEASES.aero_slm"),
        ("stores a model", "$O.MODELS.C.some"),
        ("deletes the models", "$JS.API.STREAM.PURGE.OBJ_MODELS"),
        ("changes statistics", "$KV.COMMUNITY.aero_slm.30d"),
        ("writes a consent", "consent"),
        ("empties the registry", "$JS.API.STREAM.PURGE.KV_INSTALLATIONS"),
        ("rewrites a training report", "$KV.TRAINING.aero_slm"),
    ),
    *_publishing(
        Role.TRAINER,
        ("invents telemetry", "telemetry.aero_slm.home"),
        ("reads a home's telemetry", "$JS.API.STREAM.MSG.GET.TELEMETRY"),
        ("takes the writer's messages", "$JS.API.CONSUMER.MSG.NEXT.TELEMETRY.writer"),
        ("acknowledges for the writer", "$JS.ACK.TELEMETRY.writer.1.1.1.1.0"),
        ("empties the telemetry", "$JS.API.STREAM.PURGE.TELEMETRY"),
        ("makes a home eligible", "$KV.INSTALLATIONS.home"),
        ("reads the whole registry", "$JS.API.DIRECT.GET.KV_INSTALLATIONS"),
        ("reads much telemetry", "$JS.API.DIRECT.GET.TELEMETRY"),
        ("erases a home", "$KV.ERASURES.receipt"),
        ("changes statistics", "$KV.COMMUNITY.aero_slm.30d"),
        ("reads the consents", "$JS.API.STREAM.MSG.GET.CONSENT"),
        ("buries a message", "deadletter.aero_slm"),
    ),
    *_publishing(
        Role.MODELHUB,
        ("invents telemetry", "telemetry.aero_slm.home"),
        ("reads a home's telemetry", "$JS.API.STREAM.MSG.GET.TELEMETRY"),
        ("takes the writer's messages", "$JS.API.CONSUMER.MSG.NEXT.TELEMETRY.writer"),
        ("acknowledges for the writer", "$JS.ACK.TELEMETRY.writer.1.1.1.1.0"),
        ("empties the telemetry", "$JS.API.STREAM.PURGE.TELEMETRY"),
        ("points to a release", "$KV.RELEASES.aero_slm"),
        ("stores a model", "$O.MODELS.C.some"),
        ("deletes the models", "$JS.API.STREAM.PURGE.OBJ_MODELS"),
        ("rewrites a training report", "$KV.TRAINING.aero_slm"),
        ("buries a message", "deadletter.aero_slm"),
        ("reads dead letters", "$JS.API.STREAM.MSG.GET.DEADLETTER"),
        ("reads many dead letters", "$JS.API.DIRECT.GET.DEADLETTER"),
        ("reads much telemetry", "$JS.API.DIRECT.GET.TELEMETRY"),
    ),
    *_publishing(
        Role.VIEWER,
        ("reads a message", "$JS.API.STREAM.MSG.GET.TELEMETRY"),
        ("reads the registry", "$JS.API.DIRECT.GET.KV_INSTALLATIONS"),
        ("reads with a consumer", "$JS.API.CONSUMER.CREATE.TELEMETRY"),
        ("ends a service", "heatpool.writer.drain.some"),
        ("rebuilds a model", "heatpool.trainer.rebuild"),
        ("invents telemetry", "telemetry.aero_slm.home"),
        ("writes the registry", "$KV.INSTALLATIONS.home"),
        ("empties the telemetry", "$JS.API.STREAM.PURGE.TELEMETRY"),
    ),
    Attempt(Role.VIEWER, "reads the telemetry as it comes", "subscribe", "telemetry.>"),
    Attempt(Role.VIEWER, "reads answers to the operator", "subscribe", "_INBOX_operator.>"),
]
