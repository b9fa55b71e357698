"""Who may have a model: all rules as values."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from heatpool_contract.identity import ModelSlug
from heatpool_contract.refusals import Refusal
from heatpool_contract.registry import DAY_MS, Installation, contributed_days
from heatpool_modelhub.eligibility import (
    Eligible,
    NotEligible,
    Policy,
    Pool,
    assess,
    suffices,
    without_release,
)

POLICY = Policy(days_min=3, installations_min=5, data_points_min=10_000)
MODEL = ModelSlug("aero_slm")
TODAY = 20_000
NOW_MS = TODAY * DAY_MS + 1

entries = st.builds(
    Installation,
    model=st.sampled_from(["aero_slm", "wpf_05", ""]),
    day_last=st.integers(TODAY - 80, TODAY + 1),
    last_ms=st.integers(0, NOW_MS),
    days_mask=st.integers(0, 2**64 - 1),
    samples=st.integers(0, 10**9),
    erased=st.booleans(),
)
models = st.sampled_from([None, MODEL, ModelSlug("wpf_05")])
STRANGER = assess(None, MODEL, POLICY, NOW_MS)


@given(entries, models)
def test_standing_follows_from_days_model_and_erasure(
    entry: Installation, model: ModelSlug | None
) -> None:
    """Eligible exactly if not erased, of the model asked for, with enough distinct days."""
    standing = assess(entry, model, POLICY, NOW_MS)

    days = contributed_days(entry, NOW_MS)
    counts = not entry.erased and (model is None or model == entry.model)
    assert isinstance(standing, Eligible) is (counts and days >= POLICY.days_min)
    if not counts or days == 0:
        assert standing == STRANGER
    else:
        assert (standing.model, standing.progress.days) == (entry.model, days)


@given(entries, models, st.integers(0, 200))
def test_waiting_never_makes_eligible(
    entry: Installation, model: ModelSlug | None, days: int
) -> None:
    """Without new contributions, who is not eligible does not become so."""
    entry = msgspec.structs.replace(entry, day_last=min(entry.day_last, TODAY))
    later = assess(entry, model, POLICY, NOW_MS + days * DAY_MS)

    if isinstance(later, Eligible):
        assert isinstance(assess(entry, model, POLICY, NOW_MS), Eligible)


def test_contributor_on_the_way_is_told_how_far() -> None:
    """Two of three days: not yet, with the progress."""
    entry = Installation(model="aero_slm", day_last=TODAY, days_mask=0b101, samples=7, last_ms=9)

    standing = assess(entry, None, POLICY, NOW_MS)

    assert isinstance(standing, NotEligible)
    assert standing.refusal is Refusal.NO_RECENT_CONTRIBUTION
    assert msgspec.structs.astuple(standing.progress) == (2, 3, 9, 7)


def test_the_thirty_days_include_today() -> None:
    """A day counts up to 29 days later, to the millisecond."""
    one_day = msgspec.structs.replace(POLICY, days_min=1)
    entry = Installation(model="aero_slm", day_last=TODAY, days_mask=1, samples=1)
    end_ms = (TODAY + 30) * DAY_MS

    assert isinstance(assess(entry, MODEL, one_day, end_ms - 1), Eligible)
    assert assess(entry, MODEL, one_day, end_ms) == assess(None, MODEL, one_day, end_ms)


def test_pool_suffices_from_both_limits_on() -> None:
    """Enough homes and enough values; one of them is not enough."""
    assert suffices(Pool(5, 10_000), POLICY)
    assert without_release(Pool(5, 10_000), POLICY) is Refusal.NO_MODEL_FOR_TYPE
    for pool in (Pool(4, 10**9), Pool(10**6, 9_999)):
        assert not suffices(pool, POLICY)
        assert without_release(pool, POLICY) is Refusal.POOL_TOO_SMALL
