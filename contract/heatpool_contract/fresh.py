"""Freshness: the hub's word, good for two days, which release is current.

In: facts and the timestamp key (hub); a statement, the trust file and now (client). Out: a signed
statement; which release the hub vouches for, and when. Guarantee: who can only withhold answers
cannot pass an old release off as the newest for longer than the statement lives; and the online key
that signs it can make no model (TUF's timestamp role).
"""

from __future__ import annotations

from typing import Final

import msgspec

from heatpool_contract.dsse import (
    TYPE_MODEL_FRESH,
    Count,
    Seconds,
    Sha256Hex,
    Slug,
    signers,
    unwrap,
    wrap,
)
from heatpool_contract.rejects import Reject, SealRefused
from heatpool_contract.sealed import CLOCK_SKEW_S_MAX, Floor
from heatpool_contract.trust import Trust, check_current

FRESH_BYTES_MAX: Final = 4096  # about 500 bytes with one signature
FRESH_LIFETIME_S_MAX: Final = 48 * 3600
STALE_S: Final = 7 * 86_400
"""Without a valid statement for so long the client says `stale`; its model goes on working."""


class Fresh(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Release `model_hash` is the current one of `model`."""

    model: Slug
    epoch: Count
    seq: Count
    model_hash: Sha256Hex
    issued_s: Seconds = msgspec.field(name="issued")
    expires_s: Seconds = msgspec.field(name="expires")


_statements = msgspec.json.Decoder(Fresh)


def sign_fresh(fresh: Fresh, timestamp_seed: bytes) -> bytes:
    """The signed statement, as it stands (base64) in the check answer."""
    return wrap(TYPE_MODEL_FRESH, msgspec.json.encode(fresh), (timestamp_seed,))


def verify_fresh(raw: bytes, model: str, floor: Floor | None, trust: Trust, now_s: int) -> Fresh:
    """The statement, if it is one to rely on.

    Args:
        raw: the envelope.
        model: slug of the own heat pump.
        floor: newest release that was active.
        trust: the newest trust file.
        now_s: time at which the cycle began.

    Raises:
        SealRefused: `fresh_*`, `trust_expired`.
    """
    try:
        envelope = unwrap(raw, TYPE_MODEL_FRESH, FRESH_BYTES_MAX)
    except ValueError as error:
        raise SealRefused(Reject.FRESH_MALFORMED, str(error)) from error
    check_current(trust, now_s)
    role = trust.timestamp
    good = signers(TYPE_MODEL_FRESH, envelope.payload, envelope.signatures, role.keys)
    if good < role.threshold:
        raise SealRefused(Reject.FRESH_THRESHOLD, f"{good} of {role.threshold} keys signed")
    try:
        fresh = _statements.decode(envelope.payload)
    except ValueError as error:
        raise SealRefused(Reject.FRESH_MALFORMED, str(error)) from error
    if fresh.model != model:
        raise SealRefused(Reject.FRESH_WRONG_MODEL, fresh.model)
    _check_times(fresh, now_s)
    if fresh.epoch != trust.epoch or (floor is not None and Floor(fresh.epoch, fresh.seq) < floor):
        raise SealRefused(Reject.FRESH_ROLLBACK, f"{fresh.epoch}.{fresh.seq} below {floor}")
    return fresh


def is_stale(issued_s: int | None, now_s: int) -> bool:
    """Whether the last statement (None: there never was one) is older than a week."""
    return issued_s is None or now_s - issued_s > STALE_S


def bounded_now(system_s: int, built_s: int, issued_s: int | None) -> int:
    """A time that a logger without a clock chip may go by: never before what it knows has passed.

    Args:
        system_s: the system's clock, perhaps 1970.
        built_s: when the program was built.
        issued_s: the newest accepted statement's time, under the present trust file.
    """
    return max(system_s, built_s, issued_s or 0)


def _check_times(fresh: Fresh, now_s: int) -> None:
    if not 0 < fresh.expires_s - fresh.issued_s <= FRESH_LIFETIME_S_MAX:
        raise SealRefused(Reject.FRESH_LIFETIME)
    if now_s >= fresh.expires_s:
        raise SealRefused(Reject.FRESH_EXPIRED, f"at {fresh.expires_s}, now {now_s}")
    if fresh.issued_s > now_s + CLOCK_SKEW_S_MAX:
        raise SealRefused(Reject.FRESH_IN_FUTURE, f"issued {fresh.issued_s}, now {now_s}")
