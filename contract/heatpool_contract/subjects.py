"""Names on the bus. They are contract: a deployment may move a server, never rename a subject."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from heatpool_contract.identity import ModelSlug, Pseudonym

STREAM_TELEMETRY: Final = "TELEMETRY"
STREAM_DEADLETTER: Final = "DEADLETTER"
SUBJECTS_TELEMETRY: Final = "telemetry.*.*"
SUBJECTS_DEADLETTER: Final = "deadletter.>"
DURABLE_WRITER: Final = "writer"
DURABLE_TRAINER: Final = "trainer"

KV_INSTALLATIONS: Final = "INSTALLATIONS"  # key: pseudonym, value: registry.Installation
KV_RELEASES: Final = "RELEASES"  # key: slug, value: release.ReleasePointer
KV_TRUST: Final = "TRUST"  # key: version, value: the signed trust file
KV_COMMUNITY: Final = "COMMUNITY"  # key: <slug>.<window>, value: community.Snapshot
KV_PROGRESS: Final = "TRAINING"  # key: slug, value: release.TrainingReport
KV_ERASURES: Final = "ERASURES"  # key: receipt, value: erasures.Erasure
STREAM_CONSENT: Final = "CONSENT"
SUBJECT_CONSENT: Final = "consent"  # one subject: the records are one chain
OBJECTS_MODELS: Final = "MODELS"  # name: <slug>/<model_hash>, never overwritten
PREFIX_OPERATORS: Final = "heatpool"  # heatpool.<service>.<endpoint>, see micro.py

HEADER_MSG_ID: Final = "Nats-Msg-Id"
HEADER_BATCH_ID: Final = "Nats-Batch-Id"
HEADER_BATCH_SEQUENCE: Final = "Nats-Batch-Sequence"
HEADER_BATCH_COMMIT: Final = "Nats-Batch-Commit"
HEADER_EXPECTED_STREAM: Final = "Nats-Expected-Stream"
HEADER_REASON: Final = "Heatpool-Reason"
HEADER_ORIGIN_SEQUENCE: Final = "Heatpool-Origin-Sequence"
HEADER_ORIGIN_SUBJECT: Final = "Heatpool-Origin-Subject"
HEADER_TRACEPARENT: Final = "traceparent"
HEADER_CLOCK_SKEW: Final = "Heatpool-Clock-Skew-Ms"  # the logger's clock ahead of the edge's

BATCH_MESSAGES_MAX: Final = 1000  # ADR-50
_MESSAGE_ID_BYTES: Final = 16


def telemetry_subject(model: ModelSlug, installation: Pseudonym) -> str:
    """`telemetry.<model>.<installation>`: `nats stream view` and `purge` work for one home."""
    return f"telemetry.{model}.{installation}"


def deadletter_subject(model: str) -> str:
    """Dead letters by model: one bad firmware fills its own lane."""
    return f"deadletter.{model}"


def message_id(installation: Pseudonym, model: str, version: str, frames: Iterable[bytes]) -> str:
    """The same accepted content of the same home has the same id, whoever sends it how often.

    Computed by the server: with one shared token, an id chosen by a client could be used to
    make the stream swallow another home's message.
    """
    digest = blake2b(digest_size=_MESSAGE_ID_BYTES)
    for part in (installation.encode(), model.encode(), version.encode(), *frames):
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest()
