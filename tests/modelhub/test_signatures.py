"""Signed requests at a running hub, in each of the three modes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from simulators import publisher as pub
from simulators.running_hub import BEARER, RunningHub, contributor, name_of, settings

from heatpool_contract.grants import KeyPair, self_id, sign_registration, sign_rotation
from heatpool_contract.refusals import Refusal
from heatpool_contract.requests import Signer
from heatpool_modelhub.signatures import Replays

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from nats.aio.client import Client

    from heatpool_chassis.lifecycle import Lifecycle
    from heatpool_contract.identity import InstallationId
    from heatpool_contract.registry import Installation


@pytest.fixture
async def prefer(bus: Client, life: Lifecycle) -> AsyncIterator[RunningHub]:
    """A hub that asks signatures of who has a key, with one such home and one without."""
    running = RunningHub(bus, life, settings(identity="prefer"))
    await running.start()
    await running.enter(pub.HOME, owned())
    await running.enter(pub.OTHER_HOME, contributor())
    await running.publish(pub.release())
    yield running
    await running.stop()


def owned() -> Installation:
    """A contributor with keys."""
    return contributor(ed25519=pub.signing_public("home"), x25519=pub.box_public("home"))


async def put(hub: RunningHub, home: InstallationId, body: msgspec.Struct) -> tuple[int, str]:
    """Status and word of a registration."""
    response = await hub.http.put(
        f"/api/v1/installations/{home}/keys", content=msgspec.json.encode(body), headers=BEARER
    )
    answer = response.json()
    return response.status_code, answer.get("status") if response.is_success else answer["code"]


async def test_owner_signs_and_is_served(prefer: RunningHub) -> None:
    """Check and download with the own key."""
    check = await prefer.check_signed()
    download = await prefer.http.send(
        prefer.signed("GET", "/api/v1/model/download", installation_id=pub.HOME)
    )

    assert check.json()["eligible"]
    assert check.json()["key_grant"]
    assert download.content == pub.release().blob


async def test_bound_home_without_signature_is_a_stranger(prefer: RunningHub) -> None:
    """Exactly the bytes that an unknown id gets: nobody learns that this home takes part."""
    unknown = pub.HOME.replace("3f2b", "4f2b")
    answers = [
        (await prefer.check(pub.HOME)).content,
        (await prefer.check_signed("thief")).content,
        (await prefer.check(unknown)).content,  # type: ignore[arg-type]  # a literal id
    ]
    download = await prefer.download()

    assert answers[0] == answers[1] == answers[2]
    assert (download.status_code, download.json()["code"]) == (403, "no_recent_contribution")


async def test_legacy_home_goes_on_without_a_key(prefer: RunningHub) -> None:
    """A deployed logger knows the shared token alone; it gets the fleet's grant."""
    check = await prefer.check(pub.OTHER_HOME)

    assert check.json()["grant_kind"] == "fleet"
    assert (await prefer.download(pub.OTHER_HOME)).status_code == 200


async def test_request_is_good_once(prefer: RunningHub) -> None:
    """The second of two equal requests is refused, the next new one is not."""
    nonce = bytes(16)

    first, again = (
        await prefer.check_signed(nonce=nonce),
        await prefer.check_signed(nonce=nonce),
    )

    assert first.status_code == 200
    assert (again.status_code, again.json()["code"]) == (401, "signature_replayed")
    assert (await prefer.check_signed()).status_code == 200


async def test_late_and_damaged_signatures_are_refused(prefer: RunningHub) -> None:
    """401 with the reason; the same for known and unknown ids."""
    late = await prefer.check_signed(time_s=pub.NOW_S - 301)
    request = prefer.signed("GET", "/api/v1/model/check", installation_id=pub.HOME)
    request.headers["hp-time"] = str(pub.NOW_S - 1)
    damaged = await prefer.http.send(request)

    assert (late.status_code, late.json()["code"]) == (401, "signature_time")
    assert (damaged.status_code, damaged.json()["code"]) == (401, "signature_invalid")


async def test_self_certifying_id_needs_its_key_from_birth(prefer: RunningHub) -> None:
    """Nobody else can speak for it, also before it registered."""
    home = self_id(pub.signing_public("born"))
    await prefer.enter(home, contributor())

    assert not (await prefer.check(home)).json()["eligible"]
    assert not (await prefer.check_signed("thief", home)).json()["eligible"]
    assert (await prefer.check_signed("born", home)).json()["eligible"]


async def test_require_takes_no_unsigned_request(bus: Client, life: Lifecycle) -> None:
    """The last step of the roll-out; legacy loggers are told so."""
    hub = RunningHub(bus, life, settings(identity="require"))
    await hub.start()
    await hub.enter(pub.HOME, owned())

    unsigned = await hub.check()

    assert (unsigned.status_code, unsigned.json()["code"]) == (401, "signature_missing")
    assert (await hub.check_signed()).json()["eligible"]
    await hub.stop()


async def test_observe_counts_and_refuses_nothing(hub: RunningHub) -> None:
    """The first step: an operator sees how many sign, and how many would be refused."""
    await hub.enter(pub.HOME, owned())

    for response in (
        await hub.check(),
        await hub.check_signed(),
        await hub.check_signed(time_s=pub.NOW_S - 301),
    ):
        assert response.json()["eligible"]
    for outcome in ("unsigned", "good", "signature_time"):
        assert hub.metric("heatpool_modelhub_signatures_total", outcome=outcome) == 1


async def test_key_signs_its_successor(prefer: RunningHub) -> None:
    """Rotation: the old key is none from then on, and its owner cannot come back with it."""
    old = KeyPair(pub.secret("home"), pub.box_public("home"))
    rotation = sign_rotation(pub.HOME, old, pub.secret("new"), pub.box_public("new"))

    assert await put(prefer, pub.HOME, rotation) == (200, "rotated")
    await prefer.until(
        lambda: (
            getattr(prefer.parts.registry.find(name_of(pub.HOME)), "ed25519", None)
            == pub.signing_public("new")
        )
    )
    assert (await prefer.check_signed("new")).json()["eligible"]
    assert not (await prefer.check_signed("home")).json()["eligible"]
    first = sign_registration(pub.HOME, pub.secret("home"), pub.box_public("home"))
    assert await put(prefer, pub.HOME, first) == (409, "key_conflict")
    assert await put(prefer, pub.HOME, rotation) == (200, "unchanged")


async def test_rotation_by_a_thief_is_a_conflict(prefer: RunningHub) -> None:
    """Signed by a key that is not the bound one, or naming another old pair."""
    thief = KeyPair(pub.secret("thief"), pub.box_public("home"))
    other_pair = KeyPair(pub.secret("home"), pub.box_public("other"))
    for old in (thief, other_pair):
        rotation = sign_rotation(pub.HOME, old, pub.secret("thief"), pub.box_public("thief"))

        assert await put(prefer, pub.HOME, rotation) == (409, "key_conflict")


def test_memory_for_nonces_is_bounded_and_fails_closed() -> None:
    """Full: refused, not forgotten; after ten minutes there is room again."""
    replays = Replays(entries_max=2)
    signers = [Signer(bytes(32), pub.NOW_S, str(number)) for number in range(3)]

    assert [replays.take(one, 0.0) for one in signers] == [None, None, Refusal.OVERLOADED]
    assert replays.take(signers[0], 599.0) is Refusal.SIGNATURE_REPLAYED
    assert replays.take(signers[2], 600.0) is None
    assert len(replays) == 1
