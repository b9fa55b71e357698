"""Erasure: nothing of a home is left but its tombstone, whenever the process dies on the way."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from writer.running_writer import RunningWriter, acknowledged, entry_of, publish, stored, until

from heatpool_chassis.bus import bury
from heatpool_chassis.lifecycle import Lifecycle
from heatpool_chassis.logs import configure
from heatpool_chassis.metrics import WriterMetrics
from heatpool_chassis.reading import messages
from heatpool_contract import erasures, registry, subjects
from heatpool_contract.erasures import Erasure, Found, Step, Waits
from heatpool_writer.contributions import Contributions
from heatpool_writer.erasure import Eraser

if TYPE_CHECKING:
    from nats.aio.client import Client
    from servers import NatsServer

    from heatpool_chassis.victoria import Victoria

RECEIPT = "receipt-1"
WAITS = Waits(settle_ms=0, visible_ms=0, horizon_ms=0)
NOW_MS = 1_800_000_000_000
STEPS = [step for step in Step if step is not Step.DONE]


class KilledError(Exception):
    """The process dies here."""


class DyingEraser(Eraser):
    """Dies after doing a step, before recording it: everything a step does has to bear a repeat."""

    dies_after: Step | None = None

    async def _do(self, erasure: Erasure) -> Found:
        found = await super()._do(erasure)
        if erasure.step is self.dies_after:
            raise KilledError
        return found


@given(
    st.lists(st.integers(0, 3), max_size=12),
    st.builds(
        Waits,
        settle_ms=st.integers(0, 9),
        visible_ms=st.integers(0, 9),
        horizon_ms=st.integers(0, 99),
    ),
)
def test_the_steps_end_in_a_ledger_entry_without_a_name(rows: list[int], waits: Waits) -> None:
    """However often a proof fails, no step is left out and the waits are kept."""
    erasure = Erasure(installation="home", requested_ms=NOW_MS)
    left = [*rows, 0, 0]
    seen = []
    now_ms = NOW_MS
    while erasure.step is not Step.DONE:
        now_ms = max(now_ms, erasure.not_before_ms)
        seen.append((erasure.step, now_ms))
        proof = erasure.step in (Step.VISIBLE, Step.PROOF)
        found = Found(rows_left=left.pop(0) if proof and left else 0, messages=1)
        erasure = erasures.advance(erasure, found, now_ms, waits)

    assert set(STEPS) == {step for step, _at in seen}
    assert erasure.installation == ""
    assert "home" not in erasures.encode(erasure).decode()
    assert erasure.rows_left == 0
    assert erasure.messages == len(seen)
    repeat = next(at for step, at in seen if step is Step.REPEAT)
    stream = next(at for step, at in seen if step is Step.STREAM)
    assert repeat >= NOW_MS + waits.horizon_ms
    assert stream >= NOW_MS + waits.settle_ms
    assert erasures.decode(erasures.encode(erasure)) == erasure


@pytest.mark.parametrize("step", [None, *STEPS], ids=lambda step: step.name if step else "none")
async def test_nothing_is_left_also_when_killed_after_any_step(
    bus: Client,
    victoria: Victoria,
    victoria_url: str,
    nats_server: NatsServer,
    step: Step | None,
) -> None:
    """Stream, dead letters, series, registry; a neighbour keeps everything."""
    home, other = secrets.token_hex(16), secrets.token_hex(16)
    await _fill(bus, victoria_url, home, other)
    await _request(bus, home)

    dying = await _eraser(bus, victoria, DyingEraser)
    assert isinstance(dying, DyingEraser)
    dying.dies_after = step
    if step is not None:
        with pytest.raises(KilledError):
            await _finish(dying, bus)
    done = await _finish(await _eraser(bus, victoria, Eraser), bus)

    assert (done.installation, done.rows_left, done.samples) == ("", 0, 6)
    assert done.months
    assert await stored(victoria, home) == 0
    assert await stored(victoria, other) == 2
    assert [m async for m in messages(bus, subjects.STREAM_TELEMETRY, f"telemetry.*.{home}")] == []
    assert [m.data async for m in messages(bus, subjects.STREAM_DEADLETTER, "deadletter.>")] == [
        b"other"
    ]
    bucket = await bus.jetstream().key_value(subjects.KV_INSTALLATIONS)
    assert await entry_of(bucket, home) == registry.Installation(erased=True)
    assert (await entry_of(bucket, other)).samples == 2
    assert not _on_disk(nats_server, subjects.STREAM_TELEMETRY, home)
    assert _on_disk(nats_server, subjects.STREAM_TELEMETRY, other)


async def test_an_erasure_waits_for_its_time(bus: Client, victoria: Victoria) -> None:
    """The tombstone at once, the rest when every writer knows and nothing can be replayed."""
    home = secrets.token_hex(16)
    await _request(bus, home)
    waits = Waits(settle_ms=1000, visible_ms=100, horizon_ms=100_000)
    eraser = await _eraser(bus, victoria, Eraser, waits)
    expected = {
        0: Step.STREAM,
        999: Step.STREAM,
        1000: Step.VISIBLE,
        1099: Step.VISIBLE,
        1100: Step.REPEAT,
        99_999: Step.REPEAT,
        100_000: Step.MERGE,
        100_100: Step.DONE,
    }

    found = {after_ms: await _looked(eraser, bus, NOW_MS + after_ms) for after_ms in expected}

    assert found == expected


async def _looked(eraser: Eraser, client: Client, now_ms: int) -> Step:
    await eraser.look(now_ms)
    return (await _state(client)).step


async def test_two_writers_may_work_on_the_same_erasure(bus: Client, victoria: Victoria) -> None:
    """Who records second leaves it to the other."""
    home = secrets.token_hex(16)
    await _request(bus, home)
    one = await _eraser(bus, victoria, Eraser)
    two = await _eraser(bus, victoria, Eraser)
    for _round in range(3):
        await one.look(NOW_MS)
        await two.look(NOW_MS)

    assert (await _state(bus)).step is Step.DONE


async def test_a_home_that_is_unknown_gets_a_tombstone_all_the_same(
    bus: Client, victoria: Victoria
) -> None:
    """Its data may be on their way."""
    home = secrets.token_hex(16)
    await _request(bus, home)
    await _finish(await _eraser(bus, victoria, Eraser), bus)

    bucket = await bus.jetstream().key_value(subjects.KV_INSTALLATIONS)
    assert await entry_of(bucket, home) == registry.Installation(erased=True)


async def test_what_comes_after_the_tombstone_is_not_stored(
    bus: Client, victoria: Victoria, victoria_url: str
) -> None:
    """A writer that knew the home drops its messages as soon as it hears of the erasure."""
    home, other = secrets.token_hex(16), secrets.token_hex(16)
    async with RunningWriter(bus, victoria_url) as writer:
        await publish(bus, home, 1)
        await until(lambda: _floor_is(bus, 1))
        await _request(bus, home)
        eraser = await _eraser(bus, victoria, Eraser, contributions=writer.contributions)
        await _finish(eraser, bus)
        await publish(bus, home, 2)
        await publish(bus, other, 2)
        await until(lambda: _floor_is(bus, 3))

    assert await stored(victoria, home) == 0
    assert await stored(victoria, other) == 2
    assert writer.value("heatpool_writer_samples_total", fate="erased") == 2


async def _fill(client: Client, url: str, home: str, other: str) -> None:
    """Three messages of `home`, one of `other`, in store, stream and dead letters."""
    for number in range(3):
        await publish(client, home, number)
    await publish(client, other, 1)
    async with RunningWriter(client, url):
        await until(lambda: _floor_is(client, 4))
    js = client.jetstream()
    bucket = await js.key_value(subjects.KV_INSTALLATIONS)
    known = await bucket.get(home)
    with_key = msgspec.structs.replace(registry.decode(known.value or b""), ed25519=bytes(32))
    await bucket.update(home, registry.encode(with_key), last=known.revision)
    trainer = await js.pull_subscribe_bind(
        subjects.DURABLE_TRAINER, stream=subjects.STREAM_TELEMETRY
    )
    for message in await trainer.fetch(1, timeout=5):
        await bury(js, message, "chunk_malformed", "aero_slm")
    await js.publish("deadletter.aero_slm", b"other")


async def _request(client: Client, home: str) -> None:
    bucket = await client.jetstream().key_value(subjects.KV_ERASURES)
    await bucket.create(RECEIPT, erasures.encode(Erasure(installation=home, requested_ms=NOW_MS)))


async def _eraser(
    client: Client,
    store: Victoria,
    kind: type[Eraser],
    waits: Waits = WAITS,
    contributions: Contributions | None = None,
) -> Eraser:
    life = Lifecycle("writer")
    metrics = WriterMetrics(life.registry)
    bucket = await client.jetstream().key_value(subjects.KV_INSTALLATIONS)
    contributions = contributions or Contributions(bucket, metrics)
    return kind(life, metrics, client, store, contributions, configure("test"), waits)


async def _finish(eraser: Eraser, client: Client) -> Erasure:
    deadline = time.monotonic() + 30
    while (state := await _state(client)).step is not Step.DONE:
        await eraser.look(NOW_MS)
        assert time.monotonic() < deadline, f"stuck at {state}"
    return state


async def _state(client: Client) -> Erasure:
    bucket = await client.jetstream().key_value(subjects.KV_ERASURES)
    return erasures.decode((await bucket.get(RECEIPT)).value or b"")


async def _floor_is(client: Client, seq: int) -> bool:
    return await acknowledged(client) >= seq


def _on_disk(server: NatsServer, stream: str, text: str) -> bool:
    """Whether the stream's message blocks hold these bytes."""
    blocks = list(server.folder.glob(f"jetstream/jetstream/*/streams/{stream}/msgs/*.blk"))
    assert blocks
    return any(text.encode() in block.read_bytes() for block in blocks)
