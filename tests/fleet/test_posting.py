"""Posting to a real server: all records, in order, within limits, with retries counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from simulators.tiny_pool import TOKEN, TinyPool

from heatpool_contract.telemetry import RECORDS_PER_REQUEST_MAX, decode
from heatpool_fleet.homes import make_homes
from heatpool_fleet.posting import Counts, PostingError, Target, bodies, post
from heatpool_fleet.simulation import simulate, simulate_each

if TYPE_CHECKING:
    from collections.abc import Iterator

    from heatpool_fleet.recording import Recording

JANUARY_S = 1_768_003_200.0


@pytest.fixture
def pool() -> Iterator[TinyPool]:
    """A pool that takes everything."""
    server = TinyPool()
    yield server
    server.close()


@pytest.fixture(scope="module")
def recordings() -> list[Recording]:
    """Three homes, a quarter of a day."""
    return simulate(make_homes(3, 1), JANUARY_S, 0.25, 60.0, 1)


def quiet(_: Counts) -> None:
    """No progress bar."""


async def test_every_record_arrives_once_and_in_order(
    pool: TinyPool, recordings: list[Recording]
) -> None:
    """What the pool took is what the homes recorded, home by home; counts agree on both sides."""
    seen: list[Counts] = []
    counts = await post(recordings, Target(pool.url, TOKEN, 100, 3), seen.append)

    assert pool.paths == {"/api/v1/submit"}
    assert counts.requests == len(pool.taken) == len(seen) == 12
    assert counts.records == counts.processed == 3 * 360
    assert counts.samples == sum(recording.samples for recording in recordings)
    assert (counts.rejected, counts.duplicates, counts.retries) == (0, 0, 0)
    for recording in recordings:
        own = [s for s in pool.taken if s.installation_id == recording.home.installation_id]
        assert [record for s in own for record in s.data] == list(recording.records())
        assert {s.heatpump_model for s in own} == {recording.home.model}
        assert {s.version for s in own} == {recording.home.version}


@pytest.mark.parametrize("status", [429, 503])
async def test_busy_pool_is_asked_again(recordings: list[Recording], status: int) -> None:
    """Refusals with Retry-After are repeated until taken, and counted as retries."""
    pool = TinyPool([status, status, 200, status])
    counts = await post(recordings[:1], Target(pool.url, TOKEN, 200, 1), quiet)
    pool.close()

    assert counts.retries == 3
    assert counts.processed == 360
    assert [len(s.data) for s in pool.taken] == [200, 160]


async def test_wrong_token_ends_the_run(pool: TinyPool, recordings: list[Recording]) -> None:
    """403 is not repeated; the error names status and code, never the token."""
    with pytest.raises(PostingError, match=r"403.*token_wrong") as caught:
        await post(recordings, Target(pool.url, "not-the-token", 100, 2), quiet)

    assert "not-the-token" not in str(caught.value)
    assert pool.taken == []


async def test_homes_are_simulated_while_others_are_posted(pool: TinyPool) -> None:
    """A generator of recordings is consumed as posting proceeds, from one thread at a time."""
    homes = make_homes(5, 2)
    source = simulate_each(homes, JANUARY_S, 0.05, 60.0, 2)
    counts = await post(source, Target(pool.url, TOKEN, 50, 4), quiet)

    assert counts.processed == 5 * 72
    assert {s.installation_id for s in pool.taken} == {home.installation_id for home in homes}


def test_bodies_are_submissions(recordings: list[Recording]) -> None:
    """Each body decodes by the contract; sizes add up."""
    parts = list(bodies(recordings[0], 77))

    assert [size for size, _ in parts] == [77, 77, 77, 77, 52]
    assert sum(len(decode(body).data) for _, body in parts) == 360


@pytest.mark.parametrize("batch", [0, RECORDS_PER_REQUEST_MAX + 1])
def test_batches_beyond_the_contract_are_refused(recordings: list[Recording], batch: int) -> None:
    """A batch holds 1 to 20,000 records."""
    with pytest.raises(ValueError, match="a batch holds"):
        list(bodies(recordings[0], batch))


async def test_concurrency_is_limited(recordings: list[Recording]) -> None:
    """Neither none nor a flood."""
    with pytest.raises(ValueError, match="concurrency"):
        await post(recordings, Target("http://127.0.0.1:9", TOKEN, 100, 1_000), quiet)


def test_counts_add_up() -> None:
    """Counts add member by member."""
    assert Counts(1, 2, 3, 4) + Counts(10, 20, retries=5) == Counts(11, 22, 3, 4, retries=5)
