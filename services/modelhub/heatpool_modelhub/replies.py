"""Facts -> answers of check and pool status, with their texts in two languages.

In: standing, pool, release. Out: the Structs that are sent. Guarantee: pure; the same facts give
the same bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import msgspec

from heatpool_contract import answers
from heatpool_contract.answers import CheckAnswer, PoolStatus
from heatpool_contract.refusals import TEXTS
from heatpool_contract.release import ServedRelease
from heatpool_modelhub.eligibility import (
    EMPTY_POOL,
    Eligible,
    Pool,
    suffices,
    without_release,
)

if TYPE_CHECKING:
    from heatpool_contract.answers import EligibilityEvent
    from heatpool_modelhub.eligibility import Policy, Standing
    from heatpool_modelhub.parameters import Parameters

DIGITS_SHOWN: Final = 2
HOMES_STEP: Final = 5
OK: Final = "ok"
OK_EN: Final = "This installation contributes and may have the model."
OK_DE: Final = "Diese Installation trägt bei und darf das Modell beziehen."


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """The current release for one installation; `grant` only if it may have it."""

    release: ServedRelease
    fresh: str
    grant: str | None = None
    grant_kind: Literal["installation", "fleet"] | None = None


def check_answer(
    standing: Standing, policy: Policy, pool: Pool, offer: Offer | None, asked: Parameters
) -> CheckAnswer:
    """The answer to a check. `pool` is that of the model in question, or all if there is none."""
    eligible = isinstance(standing, Eligible)
    refusal = None
    if not isinstance(standing, Eligible):
        refusal = standing.refusal
    elif offer is None:
        refusal = without_release(pool, policy)
    text = TEXTS[refusal] if refusal else None
    progress = standing.progress
    current = offer.release if offer else None
    return CheckAnswer(
        eligible=eligible,
        event=_event(was=asked.was_eligible, now=eligible),
        reason=refusal or OK,
        reason_text=text.en if text else OK_EN,
        reason_de=text.de if text else OK_DE,
        model_available=current is not None,
        model_hash=current.model_hash if current else None,
        update_available=eligible
        and current is not None
        and asked.current_hash != current.model_hash,
        model_version=current.version if current else None,
        epoch=current.epoch if current else None,
        seq=current.seq if current else None,
        size=current.size if current else None,
        key_grant=offer.grant if offer else None,
        grant_kind=offer.grant_kind if offer else None,
        fresh=offer.fresh if offer else None,
        contribution=answers.Contribution(
            days=progress.days,
            days_required=progress.days_required,
            last=None if progress.last_ms is None else progress.last_ms / 1000,
            samples=progress.samples,
        ),
        data_pool=answers.DataPool(
            total_installations=pool.installations,
            total_data_points=coarse(pool.samples),
            installations_required=policy.installations_min,
            data_points_required=policy.data_points_min,
            data_sufficient=suffices(pool, policy),
        ),
    )


def _event(*, was: bool | None, now: bool) -> EligibilityEvent | None:
    """What has changed since the logger was told last, if it says what that was."""
    if was is None or was is now:
        return None
    return "became_eligible" if now else "no_longer_eligible"


def pool_status(pool: Pool, models: list[str], policy: Policy, now_s: float) -> PoolStatus:
    """How far the whole pool is. `models` are the names of those with a release."""
    message, message_de = _pool_message(pool, models, policy)
    return PoolStatus(
        total_installations=pool.installations,
        total_data_points=coarse(pool.samples),
        models_available=models,
        data_sufficient=suffices(pool, policy),
        message=message,
        message_de=message_de,
        timestamp=now_s,
    )


def for_strangers(pool: Pool) -> Pool:
    """What who does not contribute to a model sees of it: its homes in steps of five.

    The exact number would tell of a rare model's only home that it came, or was erased.
    """
    homes = pool.installations // HOMES_STEP * HOMES_STEP
    return Pool(homes, pool.samples) if homes else EMPTY_POOL


def coarse(samples: int) -> int:
    """What strangers see of a sum, rounded down to two digits.

    The exact one would tell of a rare model's only home, minute by minute, whether it sends.
    """
    step = int("1".ljust(len(str(samples)) - DIGITS_SHOWN + 1, "0"))
    return samples // step * step


def _pool_message(pool: Pool, models: list[str], policy: Policy) -> tuple[str, str]:
    homes, points = pool.installations, coarse(pool.samples)
    if models:
        english = f"Detectors for {len(models)} heat-pump model(s), from {homes} installation(s)."
        german = f"Modelle für {len(models)} Wärmepumpentyp(en), aus {homes} Installation(en)."
    elif suffices(pool, policy):
        english = "There are enough data to begin; the first detectors are being prepared."
        german = "Für den Anfang sind genug Daten da; die ersten Modelle werden vorbereitet."
    else:
        english = (
            f"The pool is starting: {homes} of {policy.installations_min} installations, "
            f"{points} of {policy.data_points_min} data points. Every contribution counts."
        )
        german = (
            f"Der Datenpool ist im Aufbau: {homes} von {policy.installations_min} Installationen, "
            f"{points} von {policy.data_points_min} Datenpunkten. Jeder Beitrag zählt."
        )
    return english, german
