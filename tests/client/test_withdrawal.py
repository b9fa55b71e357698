"""An owner withdraws without a network: row 51 of the attack table in docs/modelhub.md."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from simulators import publisher as pub
from simulators.hub import CONSENT_PATH, TOKEN, Reply
from simulators.publisher import NOW_S, release
from simulators.tiny_detector import payload

from heatpool_client import consent, erasure, keys, setup
from heatpool_client.faults import ClientError, Fault
from heatpool_client.home import Home
from heatpool_client.submission import Row
from heatpool_contract.dsse import public_key_of
from heatpool_contract.requests import Asked, verify_request

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result
    from simulators.faketime import FakeTime
    from simulators.hub import Hub

    from heatpool_client.pool import Pool


def test_attack_51_withdrawal_offline(
    heatpool: Callable[..., Result], pool: Pool, hub: Hub, fake_time: FakeTime
) -> None:
    """Signed, queued, retried, sent though sharing is off; the model goes on; a new id after it."""
    hub.release = release(payload())
    assert pool.update().outcome == "activated"
    pool.spool.append([(NOW_S * 1000, b'{"timestamp":1.0,"a":1}')] * 3)
    seen = len(hub.requests)
    hub.scripted.extend([Reply(hang_up=True)] * 2)
    assert heatpool("consent", "--withdraw", "--erase").exit_code == 0
    for attempts in (1, 2):
        wish = erasure.pending(pool.home)
        assert wish is not None
        assert (wish.attempts, hub.erased) == (attempts, [])
        assert erasure.send(pool) == wish  # not before its time
        fake_time.now_s = wish.not_before_s
        erasure.send(pool)
    sent = erasure.last(pool.home)
    assert sent is not None
    assert (sent.attempts, sent.receipt) == (3, "erasure-1")
    assert hub.erased == [pool.config.installation_id]

    with pytest.raises(ClientError) as caught:
        next(pool.send([Row(NOW_S, {"a": 1.0})]))
    assert caught.value.code is Fault.CONSENT_MISSING
    (*_, last) = hub.requests
    asked_for = [(one.method, one.path) for one in hub.requests[seen:]]
    assert asked_for[:2] == [("POST", CONSENT_PATH)] * 2  # before the key is forgotten
    assert asked_for[2:] == [("DELETE", last.path)] * 3
    assert [one.event for one in hub.consents] == ["granted", "withdrawn"]
    asked = Asked(method="DELETE", path=last.path, installation=pool.config.installation)
    signer = verify_request(last.headers, asked, int(fake_time.now_s))
    assert signer.ed25519 == public_key_of(keys.load(pool.home).ed25519_seed)
    active = pool.active()
    assert active is not None
    assert active.entry.model_hash == hub.release.model_hash
    assert pool.scorer().detector == active.detector
    assert heatpool("consent", "--accept", consent.CONSENT_VERSION).exit_code == 4

    other = Home(pool.home.root.with_name("home-2"))
    choices = setup.Choices(
        settings={"server": hub.url, "model": "AERO SLM 6-17"}, token=TOKEN,
        trust=pub.trust_file(pub.TRUST),
    )  # fmt: skip
    again = setup.initialise(other, choices, fake_time.now_s, lambda size: b"\x08" * size)
    consent.grant(
        other, consent.CONSENT_VERSION, NOW_S, language="en", means="option", client_version="0.1.0"
    )
    assert again.installation_id != pool.config.installation_id
    with type(pool)(other, again, pool.environ, pool.clock) as new:
        assert new.update().outcome == "activated"
