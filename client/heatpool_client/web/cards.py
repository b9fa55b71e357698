"""What the page says about sharing, detector and pool. Reads; changes nothing.

In: the state folder, the pool's answers. Out: one Struct a card, as `/api/...` gives it away.
Guarantee: no token, no key, no grant is in any of them; all they say comes from the client library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import msgspec

from heatpool_client import community, consent, courier, erasure, pausing, updating
from heatpool_client.submission import frozen_body
from heatpool_client.updating import Watched
from heatpool_client.version import CLIENT_VERSION
from heatpool_contract.answers import Contribution, DataPool, PoolStatus
from heatpool_contract.fresh import is_stale
from heatpool_contract.refusals import TEXTS, Refusal
from heatpool_contract.rejects import SealRefused

if TYPE_CHECKING:
    from heatpool_client.faults import Language
    from heatpool_client.models import Active
    from heatpool_client.pool import Pool
    from heatpool_contract.detector import Detector

ELIGIBILITY_WINDOW_DAYS: Final = 30  # of the registry's mask (contract.registry)
Sharing = Literal["on", "paused", "trouble", "off"]
_LEFT_OUT: Final = ("rejected.", "value_dropped.", "refused.")


class ConsentCard(msgspec.Struct, frozen=True, kw_only=True):
    """`GET /api/consent`."""

    standing: consent.Standing
    version: str
    """Of the present text."""
    since_s: int | None
    """Of the last event."""
    do_not_track: bool
    text: str
    """Markdown, in the language that was asked for."""


class LeftOut(msgspec.Struct, frozen=True, kw_only=True):
    """Something that the pool did not take, or that did not get so far."""

    kind: Literal["record", "value", "batch", "here"]
    """`batch`: set aside as a whole; `here`: left out by this program."""
    code: str
    count: int
    text: str
    text_de: str


class DetectorSeen(msgspec.Struct, frozen=True, kw_only=True):
    """The opened detector, where it comes from, and what its verification said."""

    version: str
    state: Literal["learning", "released"]
    created_s: int
    activated_s: int
    expires_s: int
    is_expired: bool
    is_stale: bool
    """The hub has not vouched for it for a week."""
    is_previous: bool
    """The newest one was damaged on disk; this is its predecessor."""
    homes: int
    samples: int
    model_hash: str
    epoch: int
    seq: int
    engine: str
    trust_version: int | None
    """Of the trust file whose keys signed it."""
    is_verified: bool
    """Signature, hash and self-test held when it was opened, hash and self-test also now."""


class RefusedDetector(msgspec.Struct, frozen=True, kw_only=True):
    """The last detector that did not verify."""

    code: str
    detail: str
    at_s: int
    counts: dict[str, int]


class StatusCard(msgspec.Struct, frozen=True, kw_only=True):
    """`GET /api/status`."""

    now_s: float
    client_version: str
    model: str
    server: str
    consent: consent.Standing
    sharing: Sharing
    last_upload_s: float | None
    problem: str | None
    """Code."""
    problem_text: str
    problem_text_de: str
    not_before_s: float
    paused_until_s: float | None
    records_waiting: int
    bytes_waiting: int
    oldest_s: float | None
    records_sent: int
    samples_sent: int
    clock_skew_s: float | None
    left_out: list[LeftOut]
    erasure: erasure.Erasure | None
    update: Watched
    detector: DetectorSeen | None
    refused_detector: RefusedDetector | None


class CheckSeen(msgspec.Struct, frozen=True, kw_only=True):
    """`answers.CheckAnswer` without what only the logger may know."""

    eligible: bool
    reason: str
    reason_text: str
    reason_de: str
    model_available: bool
    model_version: str | None
    contribution: Contribution
    data_pool: DataPool
    window_days: int = ELIGIBILITY_WINDOW_DAYS


class PoolSeen(msgspec.Struct, frozen=True, kw_only=True):
    """`answer` of `GET /api/pool`."""

    check: CheckSeen
    status: PoolStatus


class PreviewCard(msgspec.Struct, frozen=True, kw_only=True):
    """`GET /api/preview`."""

    records: int
    body_bytes: int
    body: msgspec.Raw | None
    """The next request, byte for byte; null: nothing waits."""


def consent_card(pool: Pool, language: Language) -> ConsentCard:
    """What is agreed to, and the text of it."""
    standing = consent.standing(pool.home)
    last = None if standing == "damaged" else consent.current(pool.home)
    return ConsentCard(
        standing=standing,
        version=consent.CONSENT_VERSION,
        since_s=None if last is None else last.time_s,
        do_not_track=consent.is_do_not_track(pool.environ),
        text=consent.text(language),
    )


def status_card(pool: Pool, active: Active[Detector] | None) -> StatusCard:
    """How sharing goes."""
    now_s, notes = pool.clock.now_s(), courier.read_notes(pool.home)
    standing = consent.standing(pool.home)
    paused_s = pausing.paused_until(pool.home, now_s)
    waiting = pool.spool.waiting() if pool.home.spool.exists() else None
    counts = waiting.counts if waiting else {}
    granted = standing == "granted" and not consent.is_do_not_track(pool.environ)
    sharing: Sharing = "off" if not granted else "on" if notes.problem is None else "trouble"
    return StatusCard(
        now_s=now_s,
        client_version=CLIENT_VERSION,
        model=pool.config.model,
        server=pool.config.server,
        consent=standing,
        sharing="paused" if granted and paused_s is not None else sharing,
        last_upload_s=notes.last_stored_s,
        problem=notes.problem,
        problem_text=notes.problem_text,
        problem_text_de=notes.problem_text_de,
        not_before_s=notes.not_before_s,
        paused_until_s=paused_s,
        records_waiting=waiting.records if waiting else 0,
        bytes_waiting=waiting.bytes if waiting else 0,
        oldest_s=waiting.oldest_s if waiting else None,
        records_sent=counts.get("sent_records", 0),
        samples_sent=counts.get("sent_samples", 0),
        clock_skew_s=notes.clock_skew_s,
        left_out=_left_out(counts),
        erasure=erasure.last(pool.home),
        update=updating.read_watched(pool.home),
        detector=None if active is None else _detector(pool, active, now_s),
        refused_detector=_refused(pool),
    )


def pool_seen(pool: Pool) -> PoolSeen:
    """What the pool has of this model, and of this home.

    Raises:
        ClientError: no consent; the network; the pool.
    """
    check = pool.check()
    return PoolSeen(
        check=CheckSeen(
            eligible=check.eligible,
            reason=check.reason,
            reason_text=check.reason_text,
            reason_de=check.reason_de,
            model_available=check.model_available,
            model_version=check.model_version,
            contribution=check.contribution,
            data_pool=check.data_pool,
        ),
        status=community.status(pool),
    )


def preview_card(pool: Pool) -> PreviewCard:
    """Exactly what would be sent next."""
    config = pool.config
    batch = None
    if pool.home.spool.exists():
        batch = pool.spool.preview(pool.sender, config.batch_records_max, config.order)
    if batch is None:
        return PreviewCard(records=0, body_bytes=0, body=None)
    content = frozen_body(batch.sender, batch.records, pool.clock.now_s())
    return PreviewCard(
        records=len(batch.records), body_bytes=len(content), body=msgspec.Raw(content)
    )


def _left_out(counts: dict[str, int]) -> list[LeftOut]:
    found = []
    kinds: tuple[Literal["record", "value", "batch"], ...] = ("record", "value", "batch")
    for name, count in sorted(counts.items(), key=lambda one: -one[1]):
        for prefix, kind in zip(_LEFT_OUT, kinds, strict=True):
            if name.startswith(prefix) and count:
                code = name.removeprefix(prefix)
                found.append(_told(kind, code, count))
                break
        else:
            if count and not name.startswith(("sent_", "duplicates", "spool_")):
                found.append(_told("here", name, count))
    return found


def _told(kind: Literal["record", "value", "batch", "here"], code: str, count: int) -> LeftOut:
    try:
        words = TEXTS[Refusal(code)]
    except ValueError:  # this program's own reason, or a newer pool's
        return LeftOut(kind=kind, code=code, count=count, text=code, text_de=code)
    return LeftOut(kind=kind, code=code, count=count, text=words.en, text_de=words.de)


def _detector(pool: Pool, active: Active[Detector], now_s: float) -> DetectorSeen:
    entry, detector = active.entry, active.detector
    return DetectorSeen(
        version=entry.version,
        state=detector.state,
        created_s=entry.created_s,
        activated_s=entry.activated_s,
        expires_s=entry.expires_s,
        is_expired=now_s >= entry.expires_s,
        is_stale=is_stale(pool.store.state().fresh_issued_s, int(now_s)),
        is_previous=active.is_previous,
        homes=entry.installations,
        samples=entry.samples,
        model_hash=entry.model_hash,
        epoch=entry.epoch,
        seq=entry.seq,
        engine=entry.engine,
        trust_version=pool.trust().version if pool.home.trust_first.exists() else None,
        is_verified=True,  # `active` reads and checks it again, and gives nothing else away
    )


def _refused(pool: Pool) -> RefusedDetector | None:
    try:
        found = pool.store.refusals()
    except SealRefused as error:
        return RefusedDetector(code=error.code, detail=error.detail, at_s=0, counts={})
    if found.code is None:
        return None
    counts = {str(code): count for code, count in found.counts.items()}
    return RefusedDetector(code=found.code, detail=found.detail, at_s=found.at_s, counts=counts)
