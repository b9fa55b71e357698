"""Rate limits: what a host, a network, an installation and all registrations may."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from simulators import publisher as pub
from simulators.running_hub import BEARER, RunningHub, contributor, name_of, settings

from heatpool_chassis.quotas import Rate
from heatpool_contract.grants import self_id, sign_registration
from heatpool_modelhub import limits
from heatpool_modelhub.answering import RefusedError
from heatpool_modelhub.limits import DAY_S, Limits, Rates

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nats.aio.client import Client

    from heatpool_chassis.lifecycle import Lifecycle

RATES = Rates(
    host=Rate(2, 1.0),
    installation=Rate(2, 0.1),
    registration=Rate(1, 0.01),
    registrations=Rate(3, 0.1),
)


def limited() -> Limits:
    """Two requests a host, eight a network."""
    return Limits(RATES, bytes)


def visits(one: Limits, addresses: Sequence[str | None], now_s: float = 0.0) -> int:
    """How many of these were let in."""
    taken = 0
    for address in addresses:
        try:
            one.visit(address, now_s)
        except RefusedError:
            continue
        taken += 1
    return taken


def test_hosts_do_not_share() -> None:
    """Two each; a second later one more."""
    one = limited()

    assert visits(one, ["192.0.2.1"] * 5 + ["192.0.2.2"] * 5) == 4
    assert visits(one, ["192.0.2.1"] * 5, now_s=1.0) == 1


def test_one_home_is_one_host_however_it_is_written() -> None:
    """Addresses of one /64, and IPv4 in IPv6's clothes."""
    assert visits(limited(), [f"2001:db8::{n:x}" for n in range(50)]) == 2
    assert visits(limited(), ["192.0.2.1", "::ffff:192.0.2.1", "192.0.2.1", "2002:c000:201::"]) == 2
    assert visits(limited(), [None, "nonsense", "", "fe80::1%eth0"]) == 3


def test_many_prefixes_of_one_customer_are_one_network() -> None:
    """A /48 has 65,536 /64; together they get four hosts' share."""
    assert visits(limited(), [f"2001:db8:0:{n:x}::1" for n in range(50)]) == 8


def test_names_of_buckets_change_every_day() -> None:
    """What a memory dump shows cannot be linked to the next day's."""
    keys = iter([b"1" * 32, b"2" * 32])
    one = Limits(RATES, lambda _size: next(keys))

    names = {one._names("192.0.2.1", now_s)[0] for now_s in (0.0, 5.0, DAY_S, DAY_S + 5.0)}

    assert len(names) == 2
    assert not any("192" in name for name in names)


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flood of addresses forgets the oldest ones."""
    monkeypatch.setattr(limits, "ENTRIES_MAX", 10)
    one = limited()

    visits(one, [f"2001:db8:{n:x}::1" for n in range(200)])

    assert len(one) == 20


def test_stranger_cannot_use_up_the_share_of_a_home() -> None:
    """Who names a home without its key spends a bucket of his own."""
    one = limited()
    home = name_of(pub.HOME)
    for address in ("198.51.100.1", "198.51.100.2"):
        one.ask(home, address, 0.0, is_own=False)
        one.ask(home, address, 0.0, is_own=False)
        with pytest.raises(RefusedError):
            one.ask(home, address, 0.0, is_own=False)

    one.ask(home, "198.51.100.1", 0.0, is_own=True)


def test_flood_of_registrations_is_bounded_for_all_together() -> None:
    """Keys cost nothing: one a host, three for everybody."""
    one = limited()
    taken = 0
    for number in range(50):
        try:
            one.register(f"198.51.100.{number}", 0.0)
        except RefusedError:
            continue
        taken += 1

    assert taken == 3


async def test_hub_answers_429_with_the_time_to_wait(bus: Client, life: Lifecycle) -> None:
    """On every route but health; the registry gets no entry of a refused registration."""
    chosen = settings(host_per_s=0.3, installation_per_s=0.01, registrations_per_s=0.9)
    hub = RunningHub(bus, life, chosen)
    await hub.start()
    await hub.enter(pub.HOME, contributor())

    check = [await hub.check() for _ in range(4)][-1]
    assert (check.status_code, check.json()["code"]) == (429, "rate_exceeded")
    assert int(check.headers["retry-after"]) > 0
    statuses = [
        (await hub.http.get(path, headers=BEARER)).status_code
        for path in ("/api/v1/pool/status", "/api/v1/models", "/health", "/health/ready")
    ]
    assert statuses == [429, 429, 200, 200]

    hub.now_s += 3600
    taken = []
    for owner in ("one", "two", "three"):
        home = self_id(pub.signing_public(owner))
        body = sign_registration(home, pub.secret(owner), pub.box_public(owner))
        response = await hub.http.put(
            f"/api/v1/installations/{home}/keys", content=msgspec.json.encode(body), headers=BEARER
        )
        taken.append(response.status_code)
    assert taken == [201, 201, 429]
    await hub.stop()
