"""What stands in KV `RELEASES` and `TRAINING`: which release is current, how the training went.

In: the trainer's publication. Out: values that the hub and operators read. Guarantee: a pointer is
written after its file is complete in the Object Store, so whoever reads it finds the file.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Annotated, Final, Literal

import msgspec

from heatpool_contract.manifest import GateFigure

SERVED_S_MIN: Final = 7 * 86_400
"""A release stays servable this long after its successor: a check and a download may lie apart."""


WITHDRAWN_MAX: Final = 16  # older ones were servable for a week at most
_DRAW_BYTES: Final = 6  # exact in a double


class ServedRelease(msgspec.Struct, frozen=True, kw_only=True):
    """One HPM1 file in the Object Store, `<slug>/<model_hash>`."""

    model_hash: str
    """Lower-case hex SHA-256 of the file."""
    size: int
    """Bytes of the file."""
    version: str
    """`v2026.11`, for people; `epoch` and `seq` are what is compared."""
    epoch: int
    seq: int
    created_ms: int
    expires_ms: int
    cek_sealed: bytes
    """The content key, sealed to the hub's X25519 key: NATS never sees it."""
    state: Literal["learning", "released"]
    """`learning`: the threshold was not calibrated on enough unseen homes; no push messages."""
    installations: int
    samples: int
    payload_sha256: str = ""
    """Of the payload in clear: an unchanged detector is not released again."""
    cek_kept: bytes = b""
    """The content key, encrypted by the trainer for itself: it compares the next candidate."""


class ReleasePointer(msgspec.Struct, frozen=True, kw_only=True):
    """Current release of one heat-pump model and its predecessor."""

    model: str
    name: str
    """As the loggers spell it, for people."""
    current: ServedRelease
    previous: ServedRelease | None = None
    """Servable until `SERVED_S_MIN` after `current.created_ms`, and as long as `current` is on
    trial."""
    canary_share: Annotated[float, msgspec.Meta(ge=0, le=1)] = 1.0
    """Share of homes that are offered `current`; the others are offered `previous`."""
    withdrawn: tuple[str, ...] = ()
    """Hashes of releases that are not served any more, also not by name; the last few."""


class TrainingReport(msgspec.Struct, frozen=True, kw_only=True):
    """The last attempt to train one model, successful or not."""

    model: str
    at_ms: int
    outcome: Literal["training", "released", "refused", "too_small", "unchanged", "failed"]
    reasons: tuple[str, ...] = ()
    version: str | None = None
    model_hash: str | None = None
    installations: int = 0
    samples: int = 0
    took_s: float = 0.0
    figures: dict[str, float] = {}
    """Gate figures by name, units in the name."""
    stage: str = ""
    """Of a training that runs: what it is doing, ..."""
    share: float = 0.0
    """... and how much of that is done."""
    homes_quarantined: int = 0
    """Too young to be trained on."""
    homes_rejected: tuple[str, ...] = ()
    """Pseudonyms of homes that the others' model rejects: left out."""


class RefusedCandidate(msgspec.Struct, frozen=True, kw_only=True):
    """A candidate that the gate did not let pass."""

    at_ms: int
    reasons: tuple[str, ...]
    figures: tuple[GateFigure, ...]
    """All that was looked at, with its limits."""
    installations: int
    samples: int
    homes_rejected: tuple[str, ...] = ()
    window_start_s: int = 0
    window_end_s: int = 0
    payload_sha256: str
    object_name: str = ""
    """Where the payload is kept, encrypted by the trainer for itself; the last few are."""


REFUSED_KEPT: Final = 5  # of each model: enough to see whether it goes on


class RefusedCandidates(msgspec.Struct, frozen=True, kw_only=True):
    """In `TRAINING` under `refused_key(model)`."""

    model: str
    candidates: tuple[RefusedCandidate, ...]
    """Newest first, `REFUSED_KEPT` at most."""


class RebuildRequest(msgspec.Struct, frozen=True):
    """To `heatpool.trainer.rebuild`: train a model, whatever is new of it."""

    model: str
    accept: tuple[str, ...] = ()
    """Reasons of the gate that somebody has looked at and accepts for this training."""


class RebuildRequested(msgspec.Struct, frozen=True):
    """Its answer: the training will be made."""

    model: str
    requested_ms: int


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """Who trains a model at present; in `TRAINING` under `lease_key(model)`."""

    model: str
    holder: str
    until_ms: int
    """By the holder's clock; 0: nobody does."""


class News(msgspec.Struct, frozen=True, kw_only=True):
    """What came for one model since its last training; in `TRAINING` under `news_key(model)`."""

    model: str
    messages: int
    seq_last: int
    """Stream sequence of the newest message."""
    seen_ms: int
    """When the newest message was seen."""
    trained_ms: int = 0
    """When the last training of the model began, successful or not."""
    failures: int = 0
    """Trainings in a row that broke off; each doubles the pause before the next."""
    requested_ms: int = 0
    """When an operator asked for a training; done if a later one began."""
    accepted: tuple[str, ...] = ()
    """Reasons of the gate that the operator has looked at and accepts, for that training."""


def encode(
    value: ReleasePointer | TrainingReport | News | RefusedCandidates | Lease,
) -> bytes:
    """To the value in the bucket."""
    return msgspec.json.encode(value)


class MalformedPointerError(Exception):
    """A value in RELEASES or TRAINING that is none."""


def decode_pointer(value: bytes) -> ReleasePointer:
    """The value in `RELEASES` to a pointer.

    Raises:
        MalformedPointerError: it is none.
    """
    try:
        return msgspec.json.decode(value, type=ReleasePointer)
    except msgspec.DecodeError as error:
        raise MalformedPointerError(str(error)) from error


def decode_report(value: bytes) -> TrainingReport:
    """The value in `TRAINING` to a report.

    Raises:
        MalformedPointerError: it is none.
    """
    try:
        return msgspec.json.decode(value, type=TrainingReport)
    except msgspec.DecodeError as error:
        raise MalformedPointerError(str(error)) from error


def decode_news(value: bytes) -> News:
    """The value under `news_key` to news.

    Raises:
        MalformedPointerError: it is none.
    """
    try:
        return msgspec.json.decode(value, type=News)
    except msgspec.DecodeError as error:
        raise MalformedPointerError(str(error)) from error


def decode_refused(value: bytes) -> RefusedCandidates:
    """The value under `refused_key` to refused candidates.

    Raises:
        MalformedPointerError: it is none.
    """
    try:
        return msgspec.json.decode(value, type=RefusedCandidates)
    except msgspec.DecodeError as error:
        raise MalformedPointerError(str(error)) from error


def decode_lease(value: bytes) -> Lease:
    """The value under `lease_key` to a lease.

    Raises:
        MalformedPointerError: it is none.
    """
    try:
        return msgspec.json.decode(value, type=Lease)
    except msgspec.DecodeError as error:
        raise MalformedPointerError(str(error)) from error


def refused_key(model: str) -> str:
    """Key of a model's refused candidates in `TRAINING`."""
    return f"refused.{model}"


def lease_key(model: str) -> str:
    """Key of a model's lease in `TRAINING`."""
    return f"lease.{model}"


def news_key(model: str) -> str:
    """Key of a model's news in `TRAINING`."""
    return f"news.{model}"


def is_canary(installation: str, model_hash: str, share: float) -> bool:
    """Whether a home (pseudonym) tries a release among the first `share` of homes.

    By a hash of both: another release is tried by other homes, and raising the share takes
    nobody's release away.
    """
    digest = sha256(f"{model_hash} {installation}".encode()).digest()
    return int.from_bytes(digest[:_DRAW_BYTES], "big") < share * 256**_DRAW_BYTES


def object_name(model: str, model_hash: str) -> str:
    """Name of a release in the Object Store; immutable, because a get beside a put hangs."""
    return f"{model}/{model_hash}"
