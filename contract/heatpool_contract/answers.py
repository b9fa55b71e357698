"""Every HTTP answer of the pool, as the Struct that is encoded.

The shapes are fixed by the deployed loggers (docs/api); members are only ever added.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from heatpool_contract.refusals import TEXTS, Refusal

PROBLEM_TYPE: Final = "https://heatpool.org/problems/"
MEDIA_PROBLEM: Final = "application/problem+json"


class Tally(msgspec.Struct, frozen=True):
    """How often something was rejected, and where first."""

    reason: Refusal
    count: int
    first_index: int
    """Position in `data` of the first record concerned."""


class SubmitAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """200 to `POST /api/v1/submit`. The deployed logger takes nothing but 200 for success."""

    status: Literal["success"] = "success"
    processed: int
    """Records stored."""
    rejected: int
    """Records not stored."""
    rejections: list[Tally]
    """Rejected records by reason; the counts add up to `rejected`."""
    values_dropped: list[Tally]
    """Single values left out of records that were stored, by reason."""
    samples: int
    """Values stored."""
    duplicate: bool
    """The pool had this request already; nothing was stored twice."""
    receipt: str | None
    """Names the stored data; None if no record was stored."""
    clock_skew_s: float | None = None
    """How far the logger's clock is ahead of ours; None if it sent no `sent_at`."""


class ReceiptAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """200 to `GET /api/v1/receipt/{receipt}`."""

    state: Literal["queued", "stored", "dead_lettered"]
    """`stored`: durable in the store. `dead_lettered`: at least one message could not be stored and
    is kept for the operator. `queued`: safe on disk, on its way."""
    records: int
    """Named by the receipt."""
    messages: int
    """Messages that hold them; the next three add up to it."""
    queued: int
    stored: int
    dead_lettered: int
    reasons: list[str]
    """Why messages ended as dead letters, each reason once."""


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """A refusal as problem document (RFC 9457) with the code and the German text beside."""

    type: str
    title: str
    status: int
    code: Refusal
    detail: str
    detail_de: str
    limit: int | None = None
    """The limit that was passed, in the unit of its text."""
    retry_after_s: int | None = None


def problem(
    refusal: Refusal,
    *,
    detail: str | None = None,
    detail_de: str | None = None,
    limit: int | None = None,
    retry_after_s: int | None = None,
) -> Problem:
    """The document for `refusal`; `detail` and `detail_de` replace its texts if more is known."""
    text = TEXTS[refusal]
    return Problem(
        type=PROBLEM_TYPE + refusal,
        title=refusal.replace("_", " "),
        status=text.status,
        code=refusal,
        detail=detail or text.en,
        detail_de=detail_de or text.de,
        limit=limit,
        retry_after_s=retry_after_s,
    )


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """200 or 503 to `/health` and `/health/ready`."""

    status: Literal["healthy", "unhealthy"]
    service: str
    checks: dict[str, bool] = {}
    """Dependency -> reachable."""


class Contribution(msgspec.Struct, frozen=True):
    """What an installation has given in the last 30 days."""

    days: int
    days_required: int
    last: float | None
    """Newest record, seconds since 1970."""
    samples: int


class DataPool(msgspec.Struct, frozen=True):
    """How far the pool is for one model of heat pump; for all if none is known."""

    total_installations: int
    """In steps of five for who does not contribute to the model that is asked for."""
    total_data_points: int
    installations_required: int
    data_points_required: int
    data_sufficient: bool


EligibilityEvent = Literal["became_eligible", "no_longer_eligible"]


class CheckAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """200 to `GET /api/v1/model/check`, also for who is not eligible."""

    eligible: bool
    event: EligibilityEvent | None = None
    """What has changed, for who asks with `was_eligible`; to tell the owner is the logger's."""
    reason: str
    """`ok` or the refusal's code."""
    reason_text: str
    reason_de: str
    model_available: bool
    model_hash: str | None = None
    update_available: bool = False
    model_version: str | None = None
    epoch: int | None = None
    seq: int | None = None
    size: int | None = None
    """Bytes of the release."""
    key_grant: str | None = None
    """Base64 of the content key, sealed to this installation or to the fleet key."""
    grant_kind: Literal["installation", "fleet"] | None = None
    fresh: str | None = None
    """Base64 of the freshness statement."""
    contribution: Contribution
    data_pool: DataPool


class PoolStatus(msgspec.Struct, frozen=True, kw_only=True):
    """200 to `GET /api/v1/pool/status`."""

    total_installations: int
    total_data_points: int
    models_available: list[str]
    data_sufficient: bool
    message: str
    message_de: str
    timestamp: float


class KeysAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """200 or 201 to `PUT /api/v1/installations/{id}/keys`."""

    status: Literal["bound", "unchanged", "rotated"]


class AverageAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One metric over homes; null: too few homes to show none of them."""

    unit: str
    n: int
    """Homes, rounded down to a multiple of 5."""
    avg: float | None
    min: float | None
    """The 5th percentile: the least value would be one home's."""
    max: float | None
    """The 95th percentile."""
    median: float
    p25: float | None
    p75: float | None


class AveragesAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """200 to `GET /api/v1/community/averages`."""

    model: str
    window: str
    metrics: dict[str, AverageAnswer]
    suppressed: list[str]
    """Asked for, and not shown."""
    timestamp: float
    """End of the newest day in it."""


class RankingAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """200 to `GET /api/v1/community/ranking`."""

    model: str
    window: str
    cop: float
    """The home's own."""
    percentile: int
    """Per cent of homes it is better than, in steps of 5."""
    n: int
    badge: Literal["gold", "silver", "bronze"] | None
    """From 90, 75 and 50 per cent on."""
    text: str
    text_de: str
    timestamp: float


class ErasureAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """202 to `DELETE /api/v1/installations/{id}`, 200 to `GET /api/v1/erasures/{receipt}`."""

    receipt: str
    step: str
    """`tombstone` to `done`, see contract.erasures."""
    requested: float
    not_before: float | None
    """When the step may begin; null: now."""
    finished: float | None


class ConsentAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """201 to `POST /api/v1/consent`."""

    sequence: int
    """Of the record in the chain."""
    hash: str
    """Of the record, which the next one names."""


class ReleaseSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One model's release, for operators."""

    model: str
    name: str
    version: str
    epoch: int
    seq: int
    model_hash: str
    size: int
    """Bytes of the release."""
    state: Literal["learning", "released"]
    created_ms: int
    expires_ms: int
    installations: int
    samples: int
    previous_hash: str | None
    """Of the predecessor, which is servable for a week."""
    canary_share: float = 1.0
    """Share of homes that are offered it; the others are offered the predecessor."""


class ModelsAnswer(msgspec.Struct, frozen=True):
    """200 to `GET /api/v1/models`."""

    models: list[ReleaseSummary]


class ModelPool(msgspec.Struct, frozen=True, kw_only=True):
    """What there is of one heat-pump model, for operators."""

    model: str
    installations: int
    samples: int
    data_sufficient: bool
    version: str | None
    """Of the release; None if there is none."""


class StatusAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """200 to `GET /api/v1/status`."""

    registered: int
    """Entries of the registry, also of homes that never sent."""
    installations: int
    """With at least one value."""
    samples: int
    models: list[ModelPool]
    releases_pending: int
    """Named in the bucket, but the file is not there or not right."""
    cache_bytes: int
    checks: dict[str, bool]
    """Dependency -> usable."""
    timestamp: float
