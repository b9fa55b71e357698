"""The registry: coalesced, by compare-and-set, once for each message; small enough for 100,000."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from heatpool_chassis.metrics import WriterMetrics
from heatpool_contract import registry, subjects
from heatpool_contract.registry import DAY_MS, WINDOW_DAYS, Contribution, Installation, fold
from heatpool_writer.contributions import Contributions
from heatpool_writer.ledger import Held

if TYPE_CHECKING:
    from nats.aio.client import Client

    from heatpool_chassis.lifecycle import Lifecycle

TODAY = 20_800


@st.composite
def contribution(draw: st.DrawFn, seq: int | None = None) -> Contribution:
    """Of some days within a year."""
    days = draw(st.frozensets(st.integers(TODAY - 330, TODAY), min_size=1, max_size=5))
    return Contribution(
        seq=draw(st.integers(1, 60)) if seq is None else seq,
        model=draw(st.sampled_from(["a", "b"])),
        version="1",
        first_ms=min(days) * DAY_MS,
        last_ms=max(days) * DAY_MS + 5,
        days=days,
        samples=draw(st.integers(1, 1000)),
    )


@given(st.lists(contribution(), max_size=30), st.data())
def test_a_repeat_changes_nothing(added: list[Contribution], data: st.DataObject) -> None:
    """Whatever is delivered again after a crash, in whatever order."""
    by_seq = {one.seq: one for one in added}
    entry: Installation | None = None
    for one in by_seq.values():
        entry = fold(entry, one)
    again = data.draw(st.permutations(list(by_seq.values())))

    repeated = entry
    for one in again:
        repeated = fold(repeated, one)

    assert repeated == entry
    if entry is not None:
        assert entry.samples == sum(one.samples for one in by_seq.values())


@given(st.lists(st.frozensets(st.integers(TODAY - 100, TODAY), min_size=1, max_size=6), max_size=9))
def test_the_days_of_the_window_are_those_of_the_records(batches: list[frozenset[int]]) -> None:
    """In any order of arrival, every distinct day of the last 30 counts once."""
    entry: Installation | None = None
    for seq, days in enumerate(batches):
        stamp = max(days) * DAY_MS
        entry = fold(entry, Contribution(seq, "a", "1", stamp, stamp, days, 1))

    expected = {day for days in batches for day in days if day > TODAY - WINDOW_DAYS}
    if entry is not None:
        newest = max(day for days in batches for day in days)
        behind_the_mask = {day for day in expected if newest - day >= 64}
        found = registry.contributed_days(entry, TODAY * DAY_MS + 7)
        assert found == len(expected - behind_the_mask)


async def test_many_messages_of_a_home_are_one_write(bus: Client, life: Lifecycle) -> None:
    """Coalesced: the entry of 50 messages has one revision."""
    bucket = await bus.jetstream().key_value(subjects.KV_INSTALLATIONS)
    metrics = WriterMetrics(life.registry)
    home = secrets.token_hex(16)

    await Contributions(bucket, metrics).record([_held(home, seq) for seq in range(1, 51)])

    entry = await bucket.get(home)
    assert entry.revision == 1
    assert registry.decode(entry.value or b"").samples == 50
    name = "heatpool_writer_registry_updates_total"
    assert life.registry.get_sample_value(name, {"outcome": "written"}) == 1


async def test_two_writers_and_the_hub_do_not_lose_each_others_changes(
    bus: Client, life: Lifecycle
) -> None:
    """Each works on what it knows; who comes second reads again and folds."""
    bucket = await bus.jetstream().key_value(subjects.KV_INSTALLATIONS)
    metrics = WriterMetrics(life.registry)
    one, two = Contributions(bucket, metrics), Contributions(bucket, metrics)
    home = secrets.token_hex(16)
    await one.record([_held(home, 1)])
    await two.record([_held(home, 2)])
    await one.record([_held(home, 3), _held(home, 2)])
    known = await bucket.get(home)
    with_key = registry.decode(known.value or b"")
    await bucket.update(
        home,
        registry.encode(msgspec.structs.replace(with_key, ed25519=b"k" * 32)),
        last=known.revision,
    )
    await two.record([_held(home, 4)])

    final = registry.decode((await bucket.get(home)).value or b"")
    assert (final.samples, final.ed25519) == (4, b"k" * 32)
    assert final.applied == (1, 2, 3, 4)
    name = "heatpool_writer_registry_updates_total"
    assert life.registry.get_sample_value(name, {"outcome": "conflict"}) == 2


def test_an_entry_has_a_few_hundred_bytes() -> None:
    """Also with both keys and the longest names: it forgets sequences that are settled."""
    entry: Installation | None = Installation(
        ed25519=bytes(32), x25519=bytes(32), registered_ms=1_790_000_000_000
    )
    for seq in range(10**9, 10**9 + 200):
        stamp = TODAY * DAY_MS
        days = frozenset(range(TODAY - 40, TODAY))
        added = Contribution(seq, "m" * 64, "v" * 32, stamp, stamp, days, 10**9)
        entry = fold(entry, added, floor=seq - 3)

    assert entry is not None
    assert entry.applied == (10**9 + 197, 10**9 + 198, 10**9 + 199)
    assert len(registry.encode(entry)) < 500


def test_without_a_floor_it_remembers_a_backfill() -> None:
    """At most what one home can have unacknowledged."""
    entry: Installation | None = None
    for seq in range(200):
        stamp = TODAY * DAY_MS
        entry = fold(entry, Contribution(seq, "m", "1", stamp, stamp, frozenset({TODAY}), 1))

    assert entry is not None
    assert entry.applied == tuple(range(136, 200))


def _held(home: str, seq: int) -> Held:
    stamp = TODAY * DAY_MS
    return Held("", home, Contribution(seq, "a", "1", stamp, stamp, frozenset({TODAY}), 1))
