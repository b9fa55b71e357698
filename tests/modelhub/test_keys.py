"""`PUT /api/v1/installations/{id}/keys` over real HTTP: the first keys stay."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec
from nacl.bindings import crypto_scalarmult_base
from nats.js.errors import KeyWrongLastSequenceError
from simulators import publisher as pub
from simulators.running_hub import BEARER, contributor, name_of

from heatpool_contract import registry
from heatpool_contract.dsse import TYPE_REGISTRATION, sign
from heatpool_contract.grants import (
    REGISTRATION_BYTES_MAX,
    RegistrationRequest,
    self_id,
    sign_registration,
)
from heatpool_contract.subjects import KV_INSTALLATIONS

if TYPE_CHECKING:
    import httpx
    from simulators.running_hub import RunningHub

    from heatpool_contract.identity import InstallationId
    from heatpool_contract.registry import Installation

# RFC 7748's u-coordinates that multiply to zero: 0, 1, two of order 8, p - 1, p, p + 1.
LOW_ORDER = [
    bytes(32),
    b"\x01" + bytes(31),
    bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
    bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
    bytes.fromhex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    bytes.fromhex("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    bytes.fromhex("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
]


async def put(hub: RunningHub, home: str, body: bytes, **headers: str) -> httpx.Response:
    """Register."""
    url = f"/api/v1/installations/{home}/keys"
    return await hub.http.put(url, content=body, headers={**BEARER, **headers})


def registration(owner: str, home: InstallationId = pub.HOME) -> bytes:
    """The request of an owner, whose keys follow from the name."""
    request = sign_registration(home, pub.secret(owner), pub.box_public(owner))
    return msgspec.json.encode(request)


async def stored(hub: RunningHub, home: InstallationId = pub.HOME) -> Installation:
    """The entry in the bucket."""
    bucket = await hub.bus.jetstream().key_value(KV_INSTALLATIONS)
    return registry.decode((await bucket.get(name_of(home))).value or b"")


async def test_first_registration_binds_and_a_repeat_changes_nothing(hub: RunningHub) -> None:
    """201, then 200; the contributions of the entry are kept."""
    await hub.enter(pub.HOME, contributor())

    first = await put(hub, pub.HOME, registration("home"))
    again = await put(hub, pub.HOME, registration("home"))

    assert (first.status_code, first.json()) == (201, {"status": "bound"})
    assert (again.status_code, again.json()) == (200, {"status": "unchanged"})
    entry = await stored(hub)
    assert entry == contributor(
        ed25519=pub.signing_public("home"),
        x25519=pub.box_public("home"),
        registered_ms=pub.NOW_S * 1000,
    )


async def test_bound_key_is_never_overwritten(hub: RunningHub) -> None:
    """409 for another owner, and for the same owner with another box key."""
    await put(hub, pub.HOME, registration("home"))
    other_box = sign_registration(pub.HOME, pub.secret("home"), pub.box_public("other"))

    for body in (registration("squatter"), msgspec.json.encode(other_box)):
        response = await put(hub, pub.HOME, body)
        assert (response.status_code, response.json()["code"]) == (409, "key_conflict")
    assert (await stored(hub)).x25519 == pub.box_public("home")


async def test_of_fifty_first_registrations_exactly_one_wins(hub: RunningHub) -> None:
    """Trust on first use is decided by the bucket, not by who was answered first."""
    bodies = [registration(f"rival {number}") for number in range(50)]

    answers = await asyncio.gather(*(put(hub, pub.HOME, body) for body in bodies))

    statuses = [answer.status_code for answer in answers]
    assert (statuses.count(201), statuses.count(409)) == (1, 49)
    winner = f"rival {statuses.index(201)}"
    assert (await stored(hub)).ed25519 == pub.signing_public(winner)


async def test_contribution_written_meanwhile_is_kept(hub: RunningHub) -> None:
    """Registrations and the writer's folds change the same entry; none undoes the other."""
    await hub.enter(pub.HOME, contributor(samples=0))
    bucket = await hub.bus.jetstream().key_value(KV_INSTALLATIONS)

    async def fold_once() -> bool:
        """One contribution, as a writer does."""
        found = await bucket.get(name_of(pub.HOME))
        entry = registry.decode(found.value or b"")
        folded = msgspec.structs.replace(entry, samples=entry.samples + 1)
        try:
            await bucket.update(name_of(pub.HOME), registry.encode(folded), last=found.revision)
        except KeyWrongLastSequenceError:
            return False
        return True

    async def fold_often() -> None:
        """Many, one after the other."""
        for _ in range(20):
            while not await fold_once():
                pass
            await asyncio.sleep(0.005)

    _, answer = await asyncio.gather(fold_often(), put(hub, pub.HOME, registration("home")))

    assert answer.status_code == 201
    entry = await stored(hub)
    assert (entry.x25519, entry.samples) == (pub.box_public("home"), 20)


async def test_registered_home_gets_its_own_grant(hub: RunningHub) -> None:
    """From fleet grant to own grant, as soon as the key is known."""
    await hub.enter(pub.HOME, contributor())
    await hub.publish(pub.release())
    before = (await hub.check()).json()["grant_kind"]

    await put(hub, pub.HOME, registration("home"))
    await hub.until(
        lambda: getattr(hub.parts.registry.find(name_of(pub.HOME)), "x25519", None) is not None
    )

    assert (before, (await hub.check()).json()["grant_kind"]) == ("fleet", "installation")


async def test_low_order_box_key_is_refused(hub: RunningHub) -> None:
    """Anybody would know what such a key agrees on; refused, and no 500."""
    for key in LOW_ORDER:
        request = sign_registration(pub.HOME, pub.secret("home"), key)

        response = await put(hub, pub.HOME, msgspec.json.encode(request))

        assert (response.status_code, response.json()["code"]) == (422, "key_invalid"), key.hex()


async def test_small_order_signing_key_is_refused(hub: RunningHub) -> None:
    """Anybody can sign for the neutral element."""
    request = RegistrationRequest(pub.HOME, b"\x01" + bytes(31), pub.box_public("home"), bytes(64))

    response = await put(hub, pub.HOME, msgspec.json.encode(request))

    assert (response.status_code, response.json()["code"]) == (422, "key_invalid")


async def test_proof_by_another_key_is_refused(hub: RunningHub) -> None:
    """Who does not hold the private key cannot register the public one."""
    good = sign_registration(pub.HOME, pub.secret("home"), pub.box_public("home"))
    body = pub.HOME.encode() + good.ed25519 + good.x25519
    forged = sign(TYPE_REGISTRATION, body, pub.secret("thief")).sig
    wrong_type = sign("application/vnd.hp.request.v1", body, pub.secret("home")).sig

    for signature in (forged, wrong_type, bytes(64)):
        request = msgspec.structs.replace(good, signature=signature)
        response = await put(hub, pub.HOME, msgspec.json.encode(request))
        assert (response.status_code, response.json()["code"]) == (403, "key_proof_invalid")


async def test_self_certifying_id_belongs_to_its_key(hub: RunningHub) -> None:
    """A version-8 id is bound by arithmetic; another key cannot take it, not even first."""
    own = self_id(pub.signing_public("home"))
    foreign = sign_registration(own, pub.secret("thief"), pub.box_public("thief"))

    stolen = await put(hub, own, msgspec.json.encode(foreign))
    kept = await put(hub, own, registration("home", own))

    assert (stolen.status_code, stolen.json()["code"]) == (422, "key_invalid")
    assert kept.status_code == 201


async def test_request_for_another_id_is_refused(hub: RunningHub) -> None:
    """Path and body must name the same installation."""
    response = await put(hub, pub.OTHER_HOME, registration("home", pub.HOME))

    assert (response.status_code, response.json()["code"]) == (422, "key_invalid")


async def test_erased_installation_is_gone(hub: RunningHub) -> None:
    """Nothing is written for it any more."""
    await hub.enter(pub.HOME, contributor(erased=True))

    response = await put(hub, pub.HOME, registration("home"))

    assert (response.status_code, response.json()["code"]) == (410, "installation_gone")
    assert (await stored(hub)).x25519 is None


async def test_token_is_asked_for_before_the_body_is_read(hub: RunningHub) -> None:
    """401 without a token, 403 with a wrong one."""
    url = f"/api/v1/installations/{pub.HOME}/keys"

    missing = await hub.http.put(url, content=registration("home"))
    wrong = await put(hub, pub.HOME, registration("home"), Authorization="Bearer nobody's token")

    assert (missing.status_code, wrong.status_code) == (401, 403)


NONSENSE = [
    b"",
    b"null",
    b"[]",
    b"{}",
    b"\xff\xfe",
    b"[" * 1000,
    b'{"signature":' + b"[" * 900,
    b'{"x":' + b'{"x":' * 150,
    b'{"installation_id":"\\u0000"}',
    b" " * (REGISTRATION_BYTES_MAX + 1),
]


async def test_nonsense_body_is_422(hub: RunningHub) -> None:
    """Malformed, nested and over-long requests are refused by name."""
    for body in NONSENSE:
        response = await put(hub, pub.HOME, body)

        assert (response.status_code, response.json()["code"]) == (422, "key_invalid"), body


async def test_large_body_is_413_with_the_limit(hub: RunningHub) -> None:
    """It is not read to its end."""
    response = await put(hub, pub.HOME, b" " * 1_000_000)

    assert (response.status_code, response.json()["code"]) == (413, "body_too_large")
    assert response.json()["limit"] == 2 * REGISTRATION_BYTES_MAX
    assert "2048" in response.json()["detail_de"]


def test_low_order_list_is_what_it_says() -> None:
    """A usable key is not in the list; the test above would else prove nothing."""
    assert crypto_scalarmult_base(pub.secret("home")) not in LOW_ORDER
