"""Who may have a model: a pure function of the registry's entry, the policy and now.

In: an entry (or none), the model asked for. Out: eligible, or not with the reason; the progress
either way. Guarantee: unknown, erased and inactive installations, and those that contribute for
another model, have one and the same standing, so that nobody can find out who takes part.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from heatpool_contract.refusals import Refusal
from heatpool_contract.registry import contributed_days

if TYPE_CHECKING:
    from heatpool_contract.identity import ModelSlug
    from heatpool_contract.registry import Installation


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator asks for."""

    days_min: int
    """Distinct days with data among the last 30."""
    installations_min: int
    """A pool suffices from so many contributing installations ..."""
    data_points_min: int
    """... and so many values."""


class Progress(msgspec.Struct, frozen=True):
    """What an installation has given."""

    days: int
    days_required: int
    last_ms: int | None
    """Newest record."""
    samples: int


class Eligible(msgspec.Struct, frozen=True):
    """May have the model `model` (slug of what it contributes)."""

    model: str
    progress: Progress


class NotEligible(msgspec.Struct, frozen=True):
    """May not, and why. `model` is None for whom we do not know."""

    model: str | None
    refusal: Refusal
    progress: Progress


Standing = Eligible | NotEligible


class Pool(msgspec.Struct, frozen=True):
    """How much there is, of one model or of all."""

    installations: int
    """With at least one value."""
    samples: int


EMPTY_POOL: Final = Pool(0, 0)


def assess(
    entry: Installation | None, model: ModelSlug | None, policy: Policy, now_ms: int
) -> Standing:
    """Standing of an installation that asks for `model` (None: for whatever it contributes to)."""
    if entry is None or entry.erased or (model is not None and model != entry.model):
        return _stranger(policy)
    days = contributed_days(entry, now_ms)
    if days == 0:
        return _stranger(policy)
    progress = Progress(days, policy.days_min, entry.last_ms, entry.samples)
    if days < policy.days_min:
        return NotEligible(entry.model, Refusal.NO_RECENT_CONTRIBUTION, progress)
    return Eligible(entry.model, progress)


def suffices(pool: Pool, policy: Policy) -> bool:
    """Whether a detector can be trained from so much."""
    return pool.installations >= policy.installations_min and pool.samples >= policy.data_points_min


def without_release(pool: Pool, policy: Policy) -> Refusal:
    """Why there is no release of a model with this pool."""
    return Refusal.NO_MODEL_FOR_TYPE if suffices(pool, policy) else Refusal.POOL_TOO_SMALL


def _stranger(policy: Policy) -> NotEligible:
    progress = Progress(0, policy.days_min, None, 0)
    return NotEligible(None, Refusal.NO_RECENT_CONTRIBUTION, progress)
