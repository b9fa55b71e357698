"""Releases become visible whole, stand until their successor is, and leave memory in order."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec
import pytest
from simulators import publisher as pub
from simulators.running_hub import contributor, pointer, served, settings

from heatpool_contract import grants, release
from heatpool_contract.subjects import KV_RELEASES
from heatpool_modelhub import releases
from heatpool_modelhub.objects import ObjectUnavailableError
from heatpool_modelhub.releases import Releases

if TYPE_CHECKING:
    from simulators.running_hub import RunningHub

    from heatpool_modelhub.__main__ import Assembly

NOW_MS = pub.NOW_S * 1000


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not there is looked for again soon."""
    monkeypatch.setattr(releases, "RETRY_S", 0.05)


async def refused(hub: RunningHub) -> str:
    """Wait until a release was looked at and not served; the reason."""
    found: list[str] = []

    def is_there() -> bool:
        """Whether the release became visible."""
        found[:] = [
            str(event["reason"]) for event in hub.events if event["event"] == "release_not_served"
        ]
        return bool(found)

    await hub.until(is_there)
    return found[0]


async def test_pointer_without_its_file_leaves_the_old_release_standing(hub: RunningHub) -> None:
    """Half-written publications are not visible; when the file is there, they are."""
    old, new = pub.release(), pub.release(b"newer", seq=8)
    await hub.enter(pub.HOME, contributor())
    before = await hub.publish(old)

    await hub.point(pointer(served(new), before))
    await refused(hub)
    during = (await hub.check()).json()
    await hub.upload(new)
    await hub.until(lambda: hub.visible_hash() == new.model_hash)
    after = (await hub.check()).json()

    assert (during["model_hash"], during["seq"]) == (old.model_hash, 7)
    assert (after["model_hash"], after["seq"]) == (new.model_hash, 8)
    assert hub.metric("heatpool_modelhub_releases_pending") == 0


@pytest.mark.parametrize(
    "fault", ["truncated", "other bytes", "other sequence", "other model", "other hub", "no box"]
)
async def test_release_that_is_not_what_the_pointer_says_is_not_visible(
    hub: RunningHub, fault: str
) -> None:
    """Hash, size, manifest and content key are looked at before anybody is told of it."""
    sealed = pub.release()
    said = served(sealed)
    stored = sealed
    if fault == "truncated":
        stored = pub.Release(sealed.blob[:-1], sealed.cek)
    elif fault == "other bytes":
        stored = pub.Release(sealed.blob[:-1] + b"\0", sealed.cek)
    elif fault == "other sequence":
        said = msgspec.structs.replace(said, seq=8)
    elif fault == "other model":
        stored = pub.release(model="wpf_05")
        said = served(stored)
    elif fault == "other hub":
        cek = grants.seal_content_key(pub.box_public("fleet"), sealed.cek, sealed.model_hash)
        said = msgspec.structs.replace(said, cek_sealed=cek)
    else:
        stored = pub.Release(b"no container", sealed.cek)
        said = msgspec.structs.replace(said, model_hash=stored.model_hash, size=12)
    await hub.upload(stored, release.object_name(pub.MODEL, said.model_hash))

    await hub.point(pointer(said))
    await refused(hub)

    assert hub.visible_hash() is None
    assert hub.parts.releases.pending == 1
    assert not (await hub.check(model="AERO SLM 6-17")).json()["model_available"]


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"{}",
        release.encode(msgspec.structs.replace(pointer(served(pub.release())), name="Other")),
        release.encode(pointer(served(pub.release(), model_hash="../../etc/passwd"))),
        release.encode(pointer(served(pub.release(), size=2**40))),
        release.encode(pointer(served(pub.release(), size=0))),
    ],
    ids=["empty", "no pointer", "other name", "path as hash", "huge", "nothing"],
)
async def test_malformed_pointer_is_counted_and_changes_nothing(
    hub: RunningHub, value: bytes
) -> None:
    """The release that was visible stays so."""
    sealed = pub.release()
    await hub.publish(sealed)
    bucket = await hub.bus.jetstream().key_value(KV_RELEASES)

    await bucket.put(pub.MODEL, value)
    await hub.until(
        lambda: hub.metric("heatpool_modelhub_malformed_entries_total", bucket="RELEASES") == 1
    )

    assert hub.visible_hash() == sealed.model_hash


async def test_withdrawn_pointer_ends_the_service(hub: RunningHub) -> None:
    """Without a pointer there is no release, for the check and for the download."""
    await hub.enter(pub.HOME, contributor())
    await hub.publish(pub.release())
    bucket = await hub.bus.jetstream().key_value(KV_RELEASES)

    await bucket.delete(pub.MODEL)
    await hub.until(lambda: hub.visible_hash() is None)

    assert not (await hub.check()).json()["model_available"]
    assert (await hub.download()).status_code == 404


class Shelf:
    """Objects in memory, with a count of readings."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.readings = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def read(self, name: str, bytes_max: int) -> bytes:
        """As `objects.read_object`."""
        self.readings += 1
        await self.gate.wait()
        if len(self.objects.get(name, b"")) > bytes_max or name not in self.objects:
            raise ObjectUnavailableError(name)
        return self.objects[name]

    def put(self, sealed: pub.Release) -> release.ServedRelease:
        """Put a release of `publisher.MODEL` on the shelf."""
        self.objects[release.object_name(pub.MODEL, sealed.model_hash)] = sealed.blob
        return served(sealed)


def releases_of(shelf: Shelf, parts: Assembly, cache_bytes_max: int) -> Releases:
    """Releases that read from the shelf."""
    return Releases(
        shelf.read, pub.secret("hub"), cache_bytes_max, parts.metrics, parts.releases._log
    )


async def test_stampede_reads_a_file_once(hub: RunningHub) -> None:
    """Fifty loggers after a start; one that hangs up does not take the file from the others."""
    shelf = Shelf()
    kept = releases_of(shelf, hub.parts, 10**6)
    said = shelf.put(pub.release())
    shelf.gate.clear()

    tasks = [asyncio.create_task(kept.file(pub.MODEL, said)) for _ in range(50)]
    await asyncio.sleep(0)
    tasks[0].cancel()
    await asyncio.sleep(0)
    shelf.gate.set()
    answers = await asyncio.gather(*tasks, return_exceptions=True)

    assert isinstance(answers[0], asyncio.CancelledError)
    assert set(answers[1:]) == {pub.release().blob}
    assert shelf.readings == 2  # the cancelled one, and one for all others


async def test_memory_is_bounded_and_the_least_used_file_goes(hub: RunningHub) -> None:
    """Three releases, room for two: the one not asked for lately is read again."""
    shelf = Shelf()
    first, second, third = (pub.release(b"p" * 100, seq=seq) for seq in (1, 2, 3))
    kept = releases_of(shelf, hub.parts, 2 * len(first.blob) + 10)
    said = [shelf.put(sealed) for sealed in (first, second, third)]

    await kept.file(pub.MODEL, said[0])
    await kept.file(pub.MODEL, said[1])
    await kept.file(pub.MODEL, said[0])
    await kept.file(pub.MODEL, said[2])
    readings = shelf.readings
    await kept.file(pub.MODEL, said[0])
    await kept.file(pub.MODEL, said[2])
    assert shelf.readings == readings == 3
    assert kept.cache_bytes <= 2 * len(first.blob) + 10
    await kept.file(pub.MODEL, said[1])
    assert shelf.readings == 4


async def test_file_larger_than_the_cache_is_still_served(hub: RunningHub) -> None:
    """A bound set too low costs time, not the service."""
    shelf = Shelf()
    kept = releases_of(shelf, hub.parts, 1)

    assert await kept.file(pub.MODEL, shelf.put(pub.release())) == pub.release().blob


async def test_file_that_changed_in_the_store_is_not_served(hub: RunningHub) -> None:
    """What was dropped from memory is hashed again when it is read again."""
    shelf = Shelf()
    kept = releases_of(shelf, hub.parts, 10**6)
    said = shelf.put(pub.release())
    name = release.object_name(pub.MODEL, said.model_hash)
    shelf.objects[name] = shelf.objects[name][:-1] + b"\0"

    with pytest.raises(ObjectUnavailableError, match="not what its name says"):
        await kept.file(pub.MODEL, said)


async def test_hub_with_another_key_shows_nothing_secret(hub: RunningHub) -> None:
    """Content keys are in no repr and no log."""
    await hub.publish(pub.release())
    shown = hub.parts.releases.current(pub.MODEL, NOW_MS)

    assert shown is not None
    assert shown.content_key == pub.release().cek
    assert repr(pub.release().cek) not in repr(shown)
    assert pub.release().cek.hex() not in repr(hub.events) + repr(settings())
