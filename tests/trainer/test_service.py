"""The trainer on real servers: who trains what, what is kept, and what is never signed."""

from __future__ import annotations

import asyncio
import secrets
import time
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest
from simulators import stored
from simulators.recorded import DAY_MS, record

from heatpool_chassis import micro
from heatpool_chassis.logs import configure
from heatpool_contract import erasures, keeping, release, subjects
from heatpool_contract.release import (
    News,
    RebuildRequest,
    RebuildRequested,
    RefusedCandidate,
)
from heatpool_deploy import model_admin
from heatpool_trainer import erased_homes, publishing
from heatpool_trainer.bulletin import LEASE_MS, Bulletin, request_rebuild
from heatpool_trainer.consumer import LOOK_S
from heatpool_trainer.day_store import DayStore
from heatpool_trainer.news import noted
from heatpool_trainer.readings import HomeSeries
from heatpool_trainer.wiring import rebuild_endpoint

if TYPE_CHECKING:
    from pathlib import Path

    from nats.aio.client import Client

    from heatpool_chassis.lifecycle import Lifecycle
    from heatpool_chassis.victoria import Victoria
    from heatpool_trainer.consumer import Trainer
    from heatpool_trainer.training import Progress

KEY_BYTES = 32


def now_ms() -> int:
    """The wall clock."""
    return time.time_ns() // 1_000_000


def recent(number: int, days: float) -> list[HomeSeries]:
    """Homes of this test alone, with readings until now."""
    start_s = (now_ms() // DAY_MS) * 86_400.0 - days * 86_400.0
    return [
        msgspec.structs.replace(one, home=secrets.token_hex(16))
        for one in record(range(number), days, start_s=start_s)
    ]


def silent(_progress: Progress) -> None:
    """Nobody looks."""


@pytest.mark.slow  # three trainings, each in a process that compiles its loops
@pytest.mark.timeout(300)
async def test_attack_47_a_poisoned_candidate_is_kept_and_never_signed(
    bus: Client, life: Lifecycle, victoria: Victoria, victoria_url: str, tmp_path: Path
) -> None:
    """Noise for readings in most homes: refused by its figures, pointer and release untouched."""
    model = f"m{secrets.token_hex(4)}"
    # Names decide who is left out together, so they are the same in every run.
    homes = [
        msgspec.structs.replace(one, home=f"{0xA0 + number:032x}")
        for number, one in enumerate(recent(5, 12.0))
    ]
    await stored.store(victoria, model, homes)
    bench = stored.Bench(bus, life, victoria_url, tmp_path, state=tmp_path / "state")
    await bench.open("one")
    item = News(model=model, messages=1, seq_last=0, seen_ms=0)

    good = await bench.attempts.attempt(item, now_ms(), silent)
    before, _revision = await publishing.current(bench.buckets.pointers, model)
    assert before is not None
    signed = bench.drawn.count(KEY_BYTES)
    chance = np.random.default_rng(1)
    noise = [
        HomeSeries(
            f"{0xB0 + number:032x}",
            one.timestamps_ms,
            {
                name: column if name == "status" else chance.permutation(column)
                for name, column in one.columns.items()
            },
        )
        for number, one in enumerate(homes)
    ]
    await stored.store(victoria, model, noise)
    bad = await bench.attempts.attempt(item, now_ms(), silent)

    assert good.outcome == "released"
    assert signed == 1
    assert bad.outcome == "refused"
    assert {"auc", "auc_change", "agreement"} & set(bad.reasons)
    assert bench.drawn.count(KEY_BYTES) == signed  # a release needs a content key
    after, _revision = await publishing.current(bench.buckets.pointers, model)
    assert after == before
    standing = await model_admin.standing(bus, model)
    (kept,) = standing.refused
    assert kept.reasons == bad.reasons
    box = (await bench.buckets.models.get(kept.object_name)).data or b""
    assert keeping.kept(stored.SEED, kept.object_name, box) is not None
    assert keeping.kept(bytes(32), kept.object_name, box) is None


@pytest.mark.timeout(120)
async def test_two_trainers_share_two_models_and_train_none_twice(
    bus: Client, life: Lifecycle, victoria_url: str, tmp_path: Path
) -> None:
    """Both see all news; the lease of a model decides, and its news say that it is done."""
    models = [f"m{secrets.token_hex(4)}" for _ in range(2)]
    bench = stored.Bench(bus, life, victoria_url, tmp_path)
    trainers = [await bench.open(holder) for holder in ("one", "two")]
    for model in models:
        await request_rebuild(bench.bulletin, model, now_ms())

    running = [asyncio.create_task(trainer.run()) for trainer in trainers]
    while sum(made(trainer) for trainer in trainers) < 2:  # noqa: ASYNC110 - a metric tells nobody
        await asyncio.sleep(0.1)
    await asyncio.sleep(3 * LOOK_S)  # both have looked again since
    life.stopping.set()
    await asyncio.gather(*running)

    assert [made(trainer) for trainer in trainers] == [1, 1]
    news = await bench.bulletin.read()
    assert [news[model].requested_ms for model in models] == [0, 0]


def made(trainer: Trainer) -> int:
    """Trainings that a trainer has finished."""
    return int(trainer._metrics.trainings.labels("too_small")._value.get())


async def test_a_lease_is_held_by_one_and_lost_by_silence(bus: Client) -> None:
    """Its holder renews it and finds it again after a restart; others wait until it has expired."""
    bucket = await bus.jetstream().key_value(subjects.KV_PROGRESS)
    one, two = (Bulletin(bus, bucket, holder) for holder in ("one", "two"))

    assert await one.acquire("m", 1_000)
    assert not await two.acquire("m", 1_000 + LEASE_MS - 1)
    assert await one.acquire("m", 2_000)
    assert not await two.acquire("m", 1_000 + LEASE_MS)
    assert await two.acquire("m", 2_000 + LEASE_MS)
    await one.give_back("m")
    assert not await one.acquire("m", 2_001 + LEASE_MS)
    await two.give_back("m")
    assert await one.acquire("m", 2_002 + LEASE_MS)


async def test_of_many_changes_at_once_none_is_lost(bus: Client) -> None:
    """Two trainers count what they see into the same news."""
    bucket = await bus.jetstream().key_value(subjects.KV_PROGRESS)
    boards = [Bulletin(bus, bucket, holder) for holder in ("one", "two")]

    def more(news: News) -> News:
        """One message more."""
        return noted(news, 1, 7, 9)

    for _ in range(10):
        await asyncio.gather(*(board.change("m", more) for board in boards))

    assert (await boards[0].read())["m"].messages == 20


async def test_a_training_is_asked_for_over_the_bus(bus: Client, life: Lifecycle) -> None:
    """By whoever may speak to the trainer; what no client could use cannot be accepted."""
    bucket = await bus.jetstream().key_value(subjects.KV_PROGRESS)
    bulletin = Bulletin(bus, bucket, "one")
    service = type(life)("trainer")
    await micro.register(bus, service, configure("trainer"), rebuild_endpoint(bulletin, now_ms))
    to = micro.subject("trainer", "rebuild")

    answer = await micro.ask(bus, to, RebuildRequest("aero_slm", ("agreement",)), RebuildRequested)
    refused = []
    for wrong in (RebuildRequest("../x"), RebuildRequest("aero_slm", ("payload_bytes",))):
        with pytest.raises(micro.EndpointError) as caught:
            await micro.ask(bus, to, wrong, RebuildRequested)
        refused.append(caught.value.code)

    known = (await bulletin.read())["aero_slm"]
    assert (known.requested_ms, known.accepted) == (answer.requested_ms, ("agreement",))
    assert refused == ["400", "400"]


async def test_an_erased_home_leaves_the_disk_at_once(
    bus: Client, life: Lifecycle, tmp_path: Path
) -> None:
    """Also one whose erasure was over before the trainer started, or that nobody knows."""
    days = DayStore(tmp_path / "days")
    homes = [secrets.token_hex(16) for _ in range(3)]
    for home in homes:
        days.put("m", 1, "f", HomeSeries(home, np.array([5]), {"x": np.array([1.0])}))
    await stored.register(bus, homes[:2], 1)
    installations = await bus.jetstream().key_value(subjects.KV_INSTALLATIONS)
    gone = await erased_homes.gone(installations, homes)

    following = asyncio.create_task(erased_homes.follow(bus, life, days.forget, configure("t")))
    bucket = await bus.jetstream().key_value(subjects.KV_ERASURES)
    erasure = erasures.Erasure(installation=homes[0], requested_ms=now_ms())

    await bucket.create(secrets.token_hex(16), erasures.encode(erasure))
    while homes[0] in days.homes():  # noqa: ASYNC110 - nor does a folder
        await asyncio.sleep(0.05)
    life.stopping.set()
    await following

    assert gone == [homes[2]]
    assert days.homes() == {homes[1], homes[2]}


async def test_only_the_last_refused_candidates_are_kept(bus: Client) -> None:
    """Newest first; the payload of the oldest is deleted with its entry."""
    js = bus.jetstream()
    objects = await js.object_store(subjects.OBJECTS_MODELS)
    reports = await js.key_value(subjects.KV_PROGRESS)
    signing = publishing.Signing(stored.SEED, bytes(stored.HUB.public_key), secrets.token_bytes)
    for number in range(release.REFUSED_KEPT + 2):
        candidate = RefusedCandidate(
            at_ms=number,
            reasons=("auc",),
            figures=(),
            installations=5,
            samples=9,
            payload_sha256=f"{number:064x}",
        )
        await publishing.keep_refused(objects, reports, "m", candidate, b"x", signing)

    kept = release.decode_refused((await reports.get(release.refused_key("m"))).value or b"")

    assert [one.at_ms for one in kept.candidates] == [6, 5, 4, 3, 2]
    names = {info.name for info in await objects.list() if not info.deleted}
    assert names == {one.object_name for one in kept.candidates}
