"""The wish to be forgotten: signed, sent although sharing is off, kept until it is confirmed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from click.testing import Result
from simulators.command_output import document, part
from simulators.hub import Hub, Reply, refusal
from simulators.publisher import NOW_S

from heatpool_client import consent, erasure, keys
from heatpool_client.faults import ClientError, Fault
from heatpool_client.telemetry import Telemetry
from heatpool_contract.dsse import public_key_of
from heatpool_contract.refusals import Refusal
from heatpool_contract.requests import Asked, verify_request

if TYPE_CHECKING:
    from simulators.faketime import FakeTime

    from heatpool_client.pool import Pool

Heatpool = Callable[..., Result]
SEED = b"\x01" * 32


def test_withdrawing_empties_the_spool_and_has_the_pool_forget(
    heatpool: Heatpool, pool: Pool, hub: Hub
) -> None:
    """One command: nothing waits any more, one signed request went out, no reading did."""
    pool.spool.append([(NOW_S * 1000, b'{"timestamp":1.0,"a":1}')] * 3)
    result = heatpool("consent", "--withdraw", "--erase", "--json")
    assert result.exit_code == 0, result.output
    report = document(result)
    assert (report["standing"], report["dropped"]) == ("withdrawn", 3)
    assert part(result, "erasure")["receipt"] == "erasure-1"
    assert hub.erased == [pool.config.installation_id]
    assert [one.method for one in hub.requests] == ["DELETE"]


@pytest.mark.parametrize("failure", [Reply(hang_up=True), refusal(Refusal.TOKEN_WRONG), Reply(503)])
def test_it_waits_until_the_pool_has_confirmed(
    heatpool: Heatpool, pool: Pool, hub: Hub, fake_time: FakeTime, failure: Reply
) -> None:
    """Over restarts, and only when it is due."""
    hub.scripted.append(failure)
    heatpool("consent", "--withdraw", "--erase")
    wish = erasure.pending(pool.home)
    assert wish is not None
    assert erasure.send(pool) == wish
    assert hub.erased == []
    fake_time.now_s = wish.not_before_s
    with Telemetry(
        home=pool.home.root, environ={}, clock=fake_time.clock(), background=False
    ) as telemetry:
        telemetry.flush()
    assert hub.erased == [pool.config.installation_id]
    assert erasure.pending(pool.home) is None


def test_an_unknown_installation_is_as_good_as_erased(
    heatpool: Heatpool, pool: Pool, hub: Hub
) -> None:
    """404 ends it, too; `send` can be asked to try at once."""
    hub.scripted.extend([Reply(hang_up=True), Reply(404)])
    heatpool("consent", "--withdraw", "--erase")
    assert heatpool("send").exit_code == 0
    assert erasure.pending(pool.home) is None
    assert heatpool("send").exit_code == 4


def test_an_erased_installation_cannot_share_again(
    heatpool: Heatpool, pool: Pool, hub: Hub
) -> None:
    """Neither while the erasure waits nor after it: a new one has a new id and new keys."""
    assert pool
    hub.scripted.append(Reply(hang_up=True))
    heatpool("consent", "--withdraw", "--erase")
    assert heatpool("consent", "--accept", consent.CONSENT_VERSION).exit_code == 4
    heatpool("send")
    assert heatpool("consent", "--accept", consent.CONSENT_VERSION).exit_code == 4
    assert "new" in heatpool("consent", "--accept", consent.CONSENT_VERSION).output


def test_no_other_request_gets_the_permit(pool: Pool) -> None:
    """It is made after a withdrawal only."""
    with pytest.raises(ClientError) as caught:
        consent.for_erasure(pool.home)
    assert caught.value.code is Fault.CONSENT_MISSING
    assert erasure.send(pool) is None


def test_the_request_is_signed_with_the_installations_key(pool: Pool, hub: Hub) -> None:
    """The pool can tell who asks."""
    consent.withdraw(pool.home, NOW_S)
    erasure.queue(pool.home, pool.config.installation_id, NOW_S)
    erasure.send(pool)
    (seen,) = hub.requests
    asked = Asked(method="DELETE", path=seen.path, installation=pool.config.installation)

    signer = verify_request(seen.headers, asked, NOW_S + 299)

    assert signer.ed25519 == public_key_of(keys.load(pool.home).ed25519_seed)
