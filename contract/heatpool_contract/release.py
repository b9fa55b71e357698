"""What stands in KV `RELEASES` and `TRAINING`: which release is current, how the training went.

In: the trainer's publication. Out: values that the hub and operators read. Guarantee: a pointer is
written after its file is complete in the Object Store, so whoever reads it finds the file.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Annotated, Final, Literal

import msgspec

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


def encode(value: ReleasePointer | TrainingReport | News) -> bytes:
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
