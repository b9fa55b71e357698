"""Attacks of the table in docs/modelhub.md on a real hub, named by their rows."""

from __future__ import annotations

import asyncio
from base64 import b64decode
from collections import Counter
from typing import TYPE_CHECKING

import msgspec
import pytest
from simulators import publisher as pub
from simulators.running_hub import BEARER, TOKEN, RunningHub, contributor, name_of, settings

from heatpool_contract import sealed
from heatpool_contract.grants import open_grant, self_id
from heatpool_contract.rejects import SealRefused
from heatpool_contract.subjects import KV_ERASURES, STREAM_CONSENT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from nats.aio.client import Client

    from heatpool_chassis.lifecycle import Lifecycle


CONSENT: dict[str, object] = {
    "event": "granted",
    "purposes": ["telemetry"],
    "text_version": "2026-11",
    "text_sha256": "ab" * 32,
    "locale": "de",
    "client_version": "1.0.0",
    "client_time": float(pub.NOW_S),
}


@pytest.fixture
async def prefer(bus: Client, life: Lifecycle) -> AsyncIterator[RunningHub]:
    """A hub as it is run, with a home that has keys, and a release."""
    running = RunningHub(bus, life, settings(identity="prefer"))
    await running.start()
    home = contributor(ed25519=pub.signing_public("home"), x25519=pub.box_public("home"))
    await running.enter(pub.HOME, home)
    await running.publish(pub.release())
    yield running
    await running.stop()


async def test_attack_25_shared_token_and_foreign_id(prefer: RunningHub) -> None:
    """Token and id of another home: no grant, no file, no data, no erasure."""
    for answer in (await prefer.check(), await prefer.check_signed("thief")):
        assert (answer.json()["eligible"], answer.json()["key_grant"]) == (False, None)
    for method, path in (
        ("GET", "/api/v1/model/download"),
        ("GET", f"/api/v1/installations/{pub.HOME}/export"),
        ("DELETE", f"/api/v1/installations/{pub.HOME}"),
    ):
        request = prefer.signed(method, path, "thief", installation_id=pub.HOME)
        assert (await prefer.http.send(request)).status_code == 403
    assert (await prefer.check_signed()).json()["key_grant"]


async def test_attack_26_enumeration(prefer: RunningHub) -> None:
    """Known ids with keys, inactive, erased and unknown ones: byte for byte one answer."""
    await prefer.enter(pub.OTHER_HOME, contributor(days_ago=40))
    erased = "00000000-0000-4000-8000-00000000000e"
    await prefer.enter(erased, contributor(erased=True))  # type: ignore[arg-type]  # a literal id
    unknown = [f"00000000-0000-4000-8000-{number:012d}" for number in range(50)]

    answers = {
        (answer.status_code, answer.content)
        for home in (pub.HOME, pub.OTHER_HOME, erased, *unknown)
        for answer in (await prefer.check(home), await prefer.check_signed("thief", home))  # type: ignore[arg-type]  # literal ids
    }

    assert len(answers) == 1


async def test_attack_27_replay(prefer: RunningHub) -> None:
    """The same request a hundred times at once: exactly one is taken."""
    request = [
        prefer.signed("GET", "/api/v1/model/check", nonce=bytes(16), installation_id=pub.HOME)
        for _ in range(100)
    ]

    answers = await asyncio.gather(*(prefer.http.send(one) for one in request))

    codes = [answer.status_code for answer in answers]
    assert (codes.count(200), codes.count(401)) == (1, 99)
    prefer.now_s += 3600
    old = prefer.signed("GET", "/api/v1/model/check", installation_id=pub.HOME, time_s=pub.NOW_S)
    assert (await prefer.http.send(old)).json()["code"] == "signature_time"
    assert (await prefer.check_signed()).json()["key_grant"]


def test_attack_38_hub_secrets_open_and_forge_no_model() -> None:
    """Whoever holds all settings of a hub can read releases and make none."""
    secrets = settings()
    seeds = [b64decode(secrets.timestamp_key), b64decode(secrets.hub_private_key)]
    for seed in seeds:
        blob = sealed.seal(pub.PAYLOAD, pub.FACTS, bytes(32), bytes(24), [seed])
        expected = sealed.Expected(
            model_hash=sealed.model_hash(blob),
            model=pub.MODEL,
            engine=pub.ENGINE,
            client_version=pub.CLIENT_VERSION,
            floor=None,
        )
        with pytest.raises(SealRefused, match="threshold"):
            sealed.verify(blob, expected, pub.TRUST, pub.NOW_S)


async def test_attack_55_signature_for_another_route(prefer: RunningHub) -> None:
    """Added row: a signature taken from a check does not erase."""
    check = prefer.signed("GET", "/api/v1/model/check", installation_id=pub.HOME)
    erase = prefer.http.build_request(
        "DELETE", f"/api/v1/installations/{pub.HOME}", headers=check.headers
    )

    answer = await prefer.http.send(erase)

    assert (answer.status_code, answer.json()["code"]) == (401, "signature_invalid")
    bucket = await prefer.bus.jetstream().key_value(KV_ERASURES)
    assert (await bucket.status()).values == 0
    assert (await prefer.http.send(check)).json()["key_grant"]


async def test_attack_56_grant_of_a_rotated_key(prefer: RunningHub) -> None:
    """Added row: after a rotation of the box key, grants open for the new key alone."""
    rotated = contributor(ed25519=pub.signing_public("home"), x25519=pub.box_public("new box"))
    await prefer.enter(pub.HOME, rotated)
    answer = (await prefer.check_signed()).json()
    grant, digest = b64decode(answer["key_grant"]), answer["model_hash"]

    with pytest.raises(SealRefused, match="grant_sealed"):
        open_grant(grant, pub.secret("home"), digest, pub.HOME, pub.NOW_S)
    assert open_grant(grant, pub.secret("new box"), digest, pub.HOME, pub.NOW_S)


async def test_attack_62_flood_of_erasures(prefer: RunningHub) -> None:
    """Added row: a tombstone stays for good, so homes that never sent get few of them.

    Two hundred ids that cost nothing, each erased twice: a hundred entries and one more, 429 for
    the rest, 401 for ids without a key; a home that contributes is erased all the same, once.
    """
    codes = []
    for number in range(200):
        home = self_id(pub.signing_public(f"nobody {number}"))
        path = f"/api/v1/installations/{home}"
        for _ in range(2):
            request = prefer.signed("DELETE", path, f"nobody {number}", home)
            codes.append((await prefer.http.send(request)).status_code)
    unsigned = await prefer.http.delete(
        f"/api/v1/installations/{pub.OTHER_HOME}", headers={"Authorization": f"Bearer {TOKEN}"}
    )
    path = f"/api/v1/installations/{pub.HOME}"
    own = [await prefer.http.send(prefer.signed("DELETE", path)) for _ in range(3)]

    assert Counter(codes) == {202: 200, 429: 200}
    assert (unsigned.status_code, unsigned.json()["code"]) == (401, "signature_missing")
    assert [answer.status_code for answer in own] == [202] * 3
    assert len({answer.json()["receipt"] for answer in own}) == 1
    bucket = await prefer.bus.jetstream().key_value(KV_ERASURES)
    assert (await bucket.status()).values == 101


async def test_attack_66_flood_of_consents(bus: Client, life: Lifecycle) -> None:
    """Added row: a record is kept for good, so ids that never sent share a host's registrations."""
    hub = RunningHub(bus, life, settings(identity="prefer", registrations_per_s=5.0))
    await hub.start()
    await hub.enter(pub.HOME, contributor(ed25519=pub.signing_public("home")))
    codes = []
    for owner in [f"nobody {number}" for number in range(30)] + ["home"] * 3:
        home = pub.HOME if owner == "home" else self_id(pub.signing_public(owner))
        body = msgspec.json.encode(CONSENT | {"installation_id": home})
        request = hub.signed("POST", "/api/v1/consent", owner, home, body=body)
        codes.append((await hub.http.send(request)).status_code)
    taken = (await bus.jetstream().stream_info(STREAM_CONSENT)).state.messages
    await hub.stop()

    assert codes[-3:] == [201] * 3
    assert set(codes) == {201, 429}
    assert taken == codes.count(201) <= 3 + 10


async def test_attack_63_receipt_of_another_home(prefer: RunningHub) -> None:
    """Added row: who repeats another's erasure with his own key learns neither state nor receipt.

    Before it, after it, and when the pool has forgotten the home's key: 403 each time, whereas the
    owner, whose first answer was lost, gets the receipt.
    """
    path = f"/api/v1/installations/{pub.HOME}"
    first = (await prefer.http.send(prefer.signed("DELETE", path))).json()["receipt"]
    for entry in (None, contributor(erased=True, samples=0, ed25519=None, x25519=None)):
        if entry is not None:
            await prefer.enter(pub.HOME, entry)
        thief = await prefer.http.send(prefer.signed("DELETE", path, "thief"))
        owner = await prefer.http.send(prefer.signed("DELETE", path))
        unsigned = await prefer.http.delete(path, headers={"Authorization": f"Bearer {TOKEN}"})
        assert (thief.status_code, thief.json()["code"]) == (403, "signature_foreign")
        assert (owner.status_code, owner.json()["receipt"]) == (202, first)
        assert (unsigned.status_code, unsigned.json()["code"]) == (401, "signature_missing")


async def test_attack_57_requests_of_fifty_signers(prefer: RunningHub) -> None:
    """Added row: keys cost nothing; strangers' signatures make no entry of the registry."""
    before = len(prefer.parts.registry)
    for number in range(50):
        await prefer.check_signed(f"stranger {number}", pub.OTHER_HOME)

    assert len(prefer.parts.registry) == before
    assert prefer.parts.registry.find(name_of(pub.OTHER_HOME)) is None


async def test_attack_68_download_signed_for_another_query(prefer: RunningHub) -> None:
    """Added row: on the short way of downloads a signature is for its request, and good once."""
    path, other = "/api/v1/model/download", "/api/v1/model/download/"
    good = prefer.signed("GET", path, installation_id=pub.HOME)
    hash_added = prefer.http.build_request(
        "GET", path, params={"installation_id": pub.HOME, "hash": "0" * 64}, headers=good.headers
    )
    moved = prefer.http.build_request(
        "GET", other, params={"installation_id": pub.HOME}, headers=good.headers
    )

    for forged in (hash_added, moved):
        answer = await prefer.http.send(forged)
        assert (answer.status_code, answer.json()["code"]) == (401, "signature_invalid")
    assert (await prefer.http.send(good)).status_code == 200
    replayed = await prefer.http.send(good)
    assert (replayed.status_code, replayed.json()["code"]) == (401, "signature_replayed")
    unsigned = await prefer.download()
    assert (unsigned.status_code, unsigned.json()["code"]) == (403, "no_recent_contribution")
    both = f"{path}?installation_id={pub.HOME}&installation_id={pub.OTHER_HOME}"
    twice = await prefer.http.get(both, headers=BEARER)
    assert (twice.status_code, twice.json()["code"]) == (400, "bad_request")
