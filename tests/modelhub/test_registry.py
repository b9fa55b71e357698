"""The registry in memory: look-ups and sums that stay true."""

from __future__ import annotations

from collections import Counter

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from simulators.running_hub import contributor

from heatpool_chassis.metrics import ModelhubMetrics
from heatpool_contract import registry as contract
from heatpool_contract.identity import Pseudonym
from heatpool_contract.registry import Installation
from heatpool_modelhub.eligibility import EMPTY_POOL, Pool
from heatpool_modelhub.registry import Registry

NAMES = [f"{number:032x}" for number in range(5)]
entries = st.builds(
    Installation,
    model=st.sampled_from(["aero_slm", "wpf_05"]),
    samples=st.integers(0, 100),
    erased=st.booleans(),
)
changes = st.lists(st.tuples(st.sampled_from(NAMES), st.none() | entries), max_size=30)


def registry(entries_max: int = 100) -> tuple[Registry, CollectorRegistry]:
    """An empty registry and its metrics."""
    collected = CollectorRegistry()
    return Registry(entries_max, ModelhubMetrics(collected)), collected


@given(changes, changes)
def test_sums_equal_a_count_over_all_entries(
    first: list[tuple[str, Installation | None]], second: list[tuple[str, Installation | None]]
) -> None:
    """Whatever was put, changed and deleted, and across a resynchronisation."""
    kept, _ = registry()
    truth: dict[str, Installation] = {}
    for key, entry in first:
        kept.apply(key, None if entry is None else contract.encode(entry))
    kept.begin()
    for key, entry in second:  # the bucket as it is now: what does not come is gone
        kept.apply(key, None if entry is None else contract.encode(entry))
        truth.pop(key, None)
        if entry is not None:
            truth[key] = entry
    kept.complete()

    homes: Counter[str] = Counter()
    samples: Counter[str] = Counter()
    for entry in truth.values():
        if entry.samples and not entry.erased:
            homes[entry.model] += 1
            samples[entry.model] += entry.samples
    assert kept.pools() == {model: Pool(homes[model], samples[model]) for model in homes}
    assert kept.pool(None) == Pool(homes.total(), samples.total())
    assert len(kept) == len(truth)
    assert {key: kept.find(Pseudonym(key)) for key in truth} == truth


def test_entry_is_kept_without_what_only_the_writer_needs() -> None:
    """A hub holds many entries: the sequences that were folded are not kept."""
    kept, _ = registry()
    kept.apply(NAMES[0], contract.encode(contributor()))

    assert kept.find(Pseudonym(NAMES[0])) == contributor(applied=())
    assert kept.find(Pseudonym(NAMES[1])) is None
    assert kept.pool("nothing") == EMPTY_POOL


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"null",
        b"{",
        b'{"model":5}',
        b'{"model":"Aero SLM"}',
        b'{"model":"a\\n"}',
        b'{"samples":5}',
        b'{"model":"a","samples":-5}',
        b'{"model":"a","days_mask":-1}',
        b'{"ed25519":"AAAA"}',
        b'{"x25519":""}',
        b"[" * 100_000,
    ],
    ids=lambda value: repr(value)[:40],
)
def test_malformed_entry_is_counted_and_changes_nothing(value: bytes) -> None:
    """The last readable state stands, also across a resynchronisation."""
    kept, collected = registry()
    kept.apply(NAMES[0], contract.encode(contributor()))
    kept.begin()
    kept.apply(NAMES[0], value)
    kept.complete()

    assert kept.find(Pseudonym(NAMES[0])) == contributor(applied=())
    counted = collected.get_sample_value(
        "heatpool_modelhub_malformed_entries_total", {"bucket": "INSTALLATIONS"}
    )
    assert counted == 1


@pytest.mark.parametrize("key", ["", "A" * 32, "0" * 31, "a.b", "0" * 32 + "\n"])
def test_key_that_is_no_pseudonym_is_counted(key: str) -> None:
    """Nobody can ask for it anyway."""
    kept, collected = registry()
    kept.apply(key, contract.encode(contributor()))

    assert len(kept) == 0
    assert collected.get_sample_value(
        "heatpool_modelhub_malformed_entries_total", {"bucket": "INSTALLATIONS"}
    )


def test_memory_is_bounded_and_what_is_left_out_is_counted() -> None:
    """Known entries still change; new ones beyond the bound are counted."""
    kept, collected = registry(entries_max=2)
    for key in NAMES[:3]:
        kept.apply(key, contract.encode(contributor()))
    changed = msgspec.structs.replace(contributor(), samples=1)
    kept.apply(NAMES[0], contract.encode(changed))

    assert len(kept) == 2
    assert kept.pool(None) == Pool(2, contributor().samples + 1)
    counted = collected.get_sample_value(
        "heatpool_modelhub_overflow_entries_total", {"bucket": "INSTALLATIONS"}
    )
    assert counted == 1
    kept.apply(NAMES[0], None)
    kept.apply(NAMES[2], contract.encode(contributor()))
    assert len(kept) == 2
