"""Who may be trained on: by the pool's clock, not by what a home says of its age."""

from __future__ import annotations

from heatpool_contract.registry import Contribution, Installation, fold
from heatpool_trainer.admission import DAY_MS, admit

NOW_MS = 1_000 * DAY_MS


def test_a_young_home_waits_however_old_its_records_are() -> None:
    """35 days of history delivered today make no home of 35 days."""
    backfill = Contribution(
        1, "a", "1", NOW_MS - 35 * DAY_MS, NOW_MS, frozenset({999}), 9, NOW_MS - 5_000
    )
    young = fold(None, backfill)
    old = Installation(contributed_ms=NOW_MS - 14 * DAY_MS)

    found = admit(["old", "young"], {"old": old, "young": young}, NOW_MS, 14)

    assert young.first_ms == NOW_MS - 35 * DAY_MS
    assert (found.homes, found.quarantined) == (("old",), ("young",))


def test_the_first_contribution_stays_the_first() -> None:
    """Later messages, and older records in them, do not move it."""
    entry = None
    for seq, received_ms in ((1, 500), (2, 900), (3, 700)):
        some = Contribution(seq, "a", "1", 0, 0, frozenset({0}), 1, received_ms)
        entry = fold(entry, some)

    assert entry is not None
    assert entry.contributed_ms == 500


def test_unknown_homes_are_young_and_erased_ones_are_out_in_any_case() -> None:
    """Also without a quarantine."""
    entries = {"gone": Installation(erased=True), "no_date": Installation(samples=5)}
    homes = ["gone", "no_date", "unknown"]

    strict, open_ = (admit(homes, entries, NOW_MS, days) for days in (14, 0))

    assert (strict.homes, strict.quarantined) == ((), ("no_date", "unknown"))
    assert (open_.homes, open_.quarantined) == (("no_date", "unknown"), ())
    assert strict.erased == open_.erased == ("gone",)
