"""What no pointer names goes after a week; what one names stays, whatever its age."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from nats.js.errors import ObjectNotFoundError
from simulators import publisher as pub
from simulators.running_hub import pointer, served

from heatpool_contract import release
from heatpool_contract.subjects import KV_RELEASES, OBJECTS_MODELS
from heatpool_trainer.tidying import PART_S_MAX, UNNAMED_S_MAX, Tidied, tidy

if TYPE_CHECKING:
    from nats.aio.client import Client

SEQS = (5, 6, 7, 8)


async def test_unnamed_files_and_dead_uploads_go_when_they_are_old(bus: Client) -> None:
    """Four releases and a cut upload: two are named, two and the parts are not."""
    js = bus.jetstream()
    store = await js.object_store(OBJECTS_MODELS)
    files = {seq: pub.release(bytes([seq]) * 300_000, seq=seq) for seq in SEQS}
    for one in files.values():
        await store.put(release.object_name(pub.MODEL, one.model_hash), one.blob)
    pointers = await js.key_value(KV_RELEASES)
    to = pointer(served(files[8]), served(files[7]))
    await pointers.put(to.model, release.encode(to))
    await js.publish(f"$O.{OBJECTS_MODELS}.C.KILLED", b"half of a file")
    now_s = time.time()

    assert await tidy(js, now_s) == Tidied(0, 0)
    assert await tidy(js, now_s + PART_S_MAX + 60) == Tidied(0, 1)
    assert await tidy(js, now_s + UNNAMED_S_MAX + 60) == Tidied(2, 0)
    assert await tidy(js, now_s + UNNAMED_S_MAX + 60) == Tidied(0, 0)

    left = await js.stream_info(f"OBJ_{OBJECTS_MODELS}", subjects_filter="$O.>")
    assert len(left.state.subjects or {}) == 4
    for seq in SEQS:
        name = release.object_name(pub.MODEL, files[seq].model_hash)
        try:
            blob = (await store.get(name)).data
        except ObjectNotFoundError:
            blob = None
        assert blob == (files[seq].blob if seq in {7, 8} else None)


async def test_store_without_anything_is_tidy(bus: Client) -> None:
    """Before the first release."""
    assert await tidy(bus.jetstream(), time.time() + UNNAMED_S_MAX) == Tidied(0, 0)
