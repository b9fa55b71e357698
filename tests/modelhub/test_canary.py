"""Releases on trial, and releases withdrawn, at a running hub."""

from __future__ import annotations

from base64 import b64decode
from typing import TYPE_CHECKING

import msgspec
from simulators import publisher as pub
from simulators.running_hub import contributor, name_of, pointer, served

from heatpool_contract.grants import open_grant
from heatpool_contract.release import is_canary

if TYPE_CHECKING:
    from simulators.running_hub import RunningHub

    from heatpool_contract.identity import InstallationId

OLD, NEW = pub.release(), pub.release(b"a newer detector", seq=8)


def homes(*, on_trial: bool) -> InstallationId:
    """A home that tries the new release at 30 %, or one that does not."""
    for number in range(1000):
        home = f"00000000-0000-4000-8000-{number:012d}"
        if is_canary(name_of(home), NEW.model_hash, 0.3) is on_trial:  # type: ignore[arg-type]  # a literal id
            return home  # type: ignore[return-value]  # a literal id
    raise AssertionError


async def test_share_of_homes_tries_a_release_first(hub: RunningHub) -> None:
    """The others go on with its predecessor: hash, sequence, grant, freshness and file agree."""
    first, later = homes(on_trial=True), homes(on_trial=False)
    for home in (first, later):
        await hub.enter(home, contributor())
    await hub.upload(NEW)
    old = await hub.publish(OLD)
    trial = msgspec.structs.replace(pointer(served(NEW), old), canary_share=0.3)
    await hub.point(trial)
    await hub.until(lambda: hub.visible_hash() == NEW.model_hash)

    for home, release in ((first, NEW), (later, OLD)):
        answer = (await hub.check(home)).json()
        assert (answer["model_hash"], answer["size"]) == (release.model_hash, len(release.blob))
        grant = b64decode(answer["key_grant"])
        key = open_grant(grant, pub.secret("fleet"), release.model_hash, home, pub.NOW_S)
        assert key == release.cek
        assert (await hub.download(home)).content == release.blob

    hub.now_s += 30 * pub.DAY_S  # a trial may last longer than the week of a predecessor
    await hub.enter(later, contributor(days_ago=-30))
    assert (await hub.download(later, hash=OLD.model_hash)).content == OLD.blob


async def test_withdrawn_release_is_not_served_by_name(hub: RunningHub) -> None:
    """Its successor is offered; who asks for the withdrawn hash gets 409, at once."""
    await hub.enter(pub.HOME, contributor())
    old = await hub.publish(OLD)
    assert (await hub.download(hash=OLD.model_hash)).status_code == 200
    await hub.upload(NEW)
    gone = msgspec.structs.replace(pointer(served(NEW), old), withdrawn=(OLD.model_hash,))
    await hub.point(gone)
    await hub.until(lambda: hub.visible_hash() == NEW.model_hash)

    response = await hub.download(hash=OLD.model_hash)

    assert (response.status_code, response.json()["code"]) == (409, "hash_not_served")
    assert (await hub.check()).json()["model_hash"] == NEW.model_hash


async def test_trust_files_are_served_as_published(hub: RunningHub) -> None:
    """A chain that clients walk; what is not there is 404, so that the walk ends."""
    bucket = await hub.bus.jetstream().key_value("TRUST")
    for key, value in (("1", b"one"), ("2", b"two"), ("word", b"x"), ("3", b"x" * 70_000)):
        await bucket.put(key, value)
    await hub.until(lambda: hub.parts.trust.find(2) is not None)

    second = await hub.http.get("/api/v1/trust/2")

    assert (second.content, second.headers["cache-control"]) == (
        b"two",
        "public, max-age=86400, immutable",
    )
    for path in ("3", "0", "-1", "99999999999", "word", "1e3", "%2e%2e"):
        assert (await hub.http.get(f"/api/v1/trust/{path}")).status_code == 404, path
