"""Streams, consumers and buckets of the pool, as configuration values.

In: the sizes that an operator chooses. Out: what must exist in JetStream. Guarantee: one place
says it; `heatpoolctl provision` makes it so, services only verify it. `io.nats.monitor.*` metadata
give `nats server check` its thresholds without flags (docs/decisions/0702).
"""

from __future__ import annotations

from typing import Final

import msgspec
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DeliverPolicy,
    DiscardPolicy,
    RetentionPolicy,
    StorageType,
    StoreCompression,
    StreamConfig,
)

from heatpool_contract import subjects

TELEMETRY_AGE_S_MAX: Final = 72 * 3600.0  # the privacy notice's promise; also the replay horizon
DUPLICATE_WINDOW_S: Final = 3600.0  # how long a client may retry; ids are held in RAM
DEADLETTER_AGE_S_MAX: Final = 30 * 86400.0
WRITER_ACK_WAIT_S: Final = 60.0
WRITER_ACK_PENDING_MAX: Final = 20_000
"""Messages written but not yet known to be durable, and those in hand. With 15 s between the two
this bounds the rate at 1,300 messages a second. The writer keeps no payload of a written message,
half a kilobyte each at most."""
TRAINER_ACK_PENDING_MAX: Final = 2000
_BUCKET_DUPLICATE_WINDOW_S: Final = 120.0  # the server's default
ADVISORY_SUBJECTS: Final = (
    "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.TELEMETRY.>",
    "$JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED.TELEMETRY.>",
)


class Sizes(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator sizes."""

    telemetry_bytes_max: int = 8 * 1024**3
    """A day of 10,000 homes at 60 fields a minute is about 6 GiB after s2."""
    deadletter_bytes_max: int = 1024**3
    models_bytes_max: int = 4 * 1024**3
    consent_bytes_max: int = 256 * 1024**2
    """About half a KiB a record: a hundred thousand homes that agree and withdraw twice."""
    replicas: int = 1


class Topology(msgspec.Struct, frozen=True):
    """Everything that must exist. A bucket is a stream too (ADR-8, ADR-20)."""

    streams: list[StreamConfig]
    consumers: list[tuple[str, ConsumerConfig]]
    """(stream, durable consumer)"""


def topology(sizes: Sizes) -> Topology:
    """The pool's JetStream for these sizes."""
    return Topology(
        streams=[
            _telemetry(sizes),
            _deadletter(sizes),
            _consent(sizes),
            *(
                _bucket(name, text, sizes)
                for name, text in (
                    (subjects.KV_INSTALLATIONS, "what the pool knows of each installation"),
                    (subjects.KV_RELEASES, "current release of each heat-pump model"),
                    (subjects.KV_ERASURES, "erasures on their way, and the finished ones' ledger"),
                    (subjects.KV_TRUST, "signed trust files, by version"),
                    (subjects.KV_COMMUNITY, "statistics over homes, as of their last snapshot"),
                    (subjects.KV_PROGRESS, "last training of each heat-pump model"),
                )
            ),
            _models(sizes),
        ],
        consumers=[
            (subjects.STREAM_TELEMETRY, writer_consumer()),
            (subjects.STREAM_TELEMETRY, _trainer()),
        ],
    )


def _monitored(sizes: Sizes, **thresholds: str) -> dict[str, str]:
    """Metadata of a stream; `peer-expect` would be critical on one that is not clustered."""
    if sizes.replicas > 1:
        thresholds |= {
            "peer_expect": str(sizes.replicas),
            "peer_lag_critical": "1000",
            "peer_seen_critical": "10s",
        }
    return _monitor(**thresholds)


def _monitor(**thresholds: str) -> dict[str, str]:
    named = {"enabled": "true", **thresholds}
    return {f"io.nats.monitor.{key.replace('_', '-')}": text for key, text in named.items()}


def _bucket(name: str, description: str, sizes: Sizes) -> StreamConfig:
    return StreamConfig(
        name=f"KV_{name}",
        description=description,
        subjects=[f"$KV.{name}.>"],
        retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE,
        discard=DiscardPolicy.NEW,
        duplicate_window=_BUCKET_DUPLICATE_WINDOW_S,
        max_msgs_per_subject=1,
        allow_rollup_hdrs=True,
        allow_msg_ttl=True,
        deny_delete=True,
        allow_direct=True,  # for reading many at once; whoever needs the last word asks the leader
        num_replicas=sizes.replicas,
        metadata=_monitored(sizes),
    )


def _models(sizes: Sizes) -> StreamConfig:
    name = subjects.OBJECTS_MODELS
    return StreamConfig(
        name=f"OBJ_{name}",
        description="releases, immutable, <slug>/<model_hash>",
        subjects=[f"$O.{name}.C.>", f"$O.{name}.M.>"],
        retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE,
        discard=DiscardPolicy.NEW,
        max_bytes=sizes.models_bytes_max,
        allow_rollup_hdrs=True,
        allow_direct=True,
        num_replicas=sizes.replicas,
        metadata=_monitored(sizes),
    )


def _consent(sizes: Sizes) -> StreamConfig:
    return StreamConfig(
        name=subjects.STREAM_CONSENT,
        description="who agreed to what and when, hash-chained; nothing is ever deleted from it",
        subjects=[subjects.SUBJECT_CONSENT],
        retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE,
        compression=StoreCompression.S2,
        discard=DiscardPolicy.NEW,
        max_bytes=sizes.consent_bytes_max,
        deny_delete=True,
        deny_purge=True,
        num_replicas=sizes.replicas,
        metadata=_monitored(sizes),
    )


def _telemetry(sizes: Sizes) -> StreamConfig:
    return StreamConfig(
        name=subjects.STREAM_TELEMETRY,
        description="accepted telemetry, one chunk of a request a message",
        subjects=[subjects.SUBJECTS_TELEMETRY],
        retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE,
        compression=StoreCompression.S2,
        discard=DiscardPolicy.NEW,
        max_bytes=sizes.telemetry_bytes_max,
        max_age=TELEMETRY_AGE_S_MAX,
        duplicate_window=DUPLICATE_WINDOW_S,
        allow_atomic=True,
        allow_direct=True,
        num_replicas=sizes.replicas,
        metadata=_monitored(sizes),
    )


def _deadletter(sizes: Sizes) -> StreamConfig:
    return StreamConfig(
        name=subjects.STREAM_DEADLETTER,
        description="messages that could not be processed, with their reason; and advisories",
        subjects=[subjects.SUBJECTS_DEADLETTER, *ADVISORY_SUBJECTS],
        retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE,
        compression=StoreCompression.S2,
        discard=DiscardPolicy.OLD,
        max_bytes=sizes.deadletter_bytes_max,
        max_age=DEADLETTER_AGE_S_MAX,
        duplicate_window=DUPLICATE_WINDOW_S,
        allow_direct=True,
        num_replicas=sizes.replicas,
        # A subject a model: one bad firmware warns, several at once mean that it is us. (Their
        # `msgs-warn` is a lower limit: it complains of an empty stream.)
        metadata=_monitored(sizes, subjects_warn="1", subjects_critical="3"),
    )


def writer_consumer() -> ConsumerConfig:
    """The durable that all writers share; each compares it with what the server has."""
    return ConsumerConfig(
        durable_name=subjects.DURABLE_WRITER,
        description="batches telemetry into VictoriaMetrics",
        deliver_policy=DeliverPolicy.ALL,
        ack_policy=AckPolicy.EXPLICIT,
        ack_wait=WRITER_ACK_WAIT_S,
        max_ack_pending=WRITER_ACK_PENDING_MAX,
        max_deliver=-1,  # JetStream would drop silently; poison is moved by the writer itself
        metadata=_monitor(
            unprocessed_critical="20000",
            outstanding_ack_critical=str(WRITER_ACK_PENDING_MAX),
            last_ack_critical="5m",
            redelivery_critical="1000",  # a restart of the store takes back seconds, not hours
        ),
    )


def _trainer() -> ConsumerConfig:
    return ConsumerConfig(
        durable_name=subjects.DURABLE_TRAINER,
        description="learns which models have new data",
        deliver_policy=DeliverPolicy.ALL,
        ack_policy=AckPolicy.EXPLICIT,
        ack_wait=WRITER_ACK_WAIT_S,
        max_ack_pending=TRAINER_ACK_PENDING_MAX,
        max_deliver=-1,
        headers_only=True,  # the subject names model and home; the data come from the store
        metadata=_monitor(
            unprocessed_critical="200000", outstanding_ack_critical=str(TRAINER_ACK_PENDING_MAX)
        ),
    )
