"""The wish to be forgotten: signed, sent although sharing is off, kept until it is confirmed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec
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
    """One command: nothing waits any more, signed requests went out, no reading did."""
    pool.spool.append([(NOW_S * 1000, b'{"timestamp":1.0,"a":1}')] * 3)
    result = heatpool("consent", "--withdraw", "--erase", "--json")
    assert result.exit_code == 0, result.output
    report = document(result)
    assert (report["standing"], report["dropped"]) == ("withdrawn", 3)
    assert part(result, "erasure")["receipt"] == "erasure-1"
    assert hub.erased == [pool.config.installation_id]
    assert [one.method for one in hub.requests] == ["POST", "POST", "DELETE"]
    assert [one.event for one in hub.consents] == ["granted", "withdrawn"]


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


def progress(step: str, **more: float | None) -> bytes:
    """What the pool says of an erasure."""
    answer = {"receipt": "erasure-1", "step": step, "requested": NOW_S, "finished": None}
    return msgspec.json.encode(answer | {"not_before": None} | more)


def test_an_erasure_is_followed_to_its_end(
    heatpool: Heatpool, pool: Pool, hub: Hub, fake_time: FakeTime
) -> None:
    """10 while it is on its way, 0 when it is done; then the pool is not asked any more."""
    assert heatpool("erasure").exit_code == 8
    hub.scripted.append(Reply(hang_up=True))
    heatpool("consent", "--withdraw", "--erase")
    hub.scripted.append(Reply(503))
    assert heatpool("erasure").exit_code == 6  # the wish itself has not arrived
    hub.erasures["erasure-1"] = progress("repeat", not_before=NOW_S + 72 * 3600.0)
    shown = heatpool("erasure", "--json")
    assert (shown.exit_code, document(shown)["step"]) == (10, "repeat")
    assert hub.erased == [pool.config.installation_id]
    assert "heatpool erasure" in heatpool("doctor", "--offline").output
    hub.erasures["erasure-1"] = progress("done", finished=NOW_S + 73 * 3600.0)
    assert heatpool("erasure").exit_code == 0
    asked = len(hub.requests)
    done = heatpool("erasure", "--json")
    assert (done.exit_code, document(done)["finished_s"]) == (0, NOW_S + 73 * 3600.0)
    assert len(hub.requests) == asked
    assert fake_time.slept == []


def test_waiting_for_an_erasure_looks_when_the_pool_goes_on(
    heatpool: Heatpool, pool: Pool, hub: Hub, fake_time: FakeTime
) -> None:
    """Hourly at most, through failures of the network, until it is done."""
    assert pool
    heatpool("consent", "--withdraw", "--erase")
    scripted = [
        Reply(200, progress("series")),
        Reply(hang_up=True),
        Reply(200, progress("visible", not_before=NOW_S + 15.0)),
        Reply(200, progress("repeat", not_before=NOW_S + 72 * 3600.0)),
        Reply(200, progress("done", finished=NOW_S + 73 * 3600.0)),
    ]
    hub.scripted.extend(scripted)
    assert heatpool("erasure", "--wait").exit_code == 0
    assert fake_time.slept == [2.0, 3.0, 10.0, 3600.0]


def test_a_receipt_that_the_pool_does_not_know_is_refused(
    heatpool: Heatpool, pool: Pool, hub: Hub
) -> None:
    """7, also with `--wait`: it would be refused for ever."""
    assert pool
    heatpool("consent", "--withdraw", "--erase")
    hub.scripted.extend([refusal(Refusal.RECEIPT_INVALID)] * 2)
    assert heatpool("erasure").exit_code == 7
    assert heatpool("erasure", "--wait", "--json").exit_code == 7


def test_a_page_of_a_hotspot_confirms_nothing(heatpool: Heatpool, pool: Pool, hub: Hub) -> None:
    """The wish waits on; nothing is shown as done that is not."""
    hub.scripted.append(Reply(200, b"<html>Welcome</html>"))
    heatpool("consent", "--withdraw", "--erase")
    wish = erasure.pending(pool.home)
    assert wish is not None
    assert (wish.problem, wish.is_done) == ("answer_garbled", False)


def test_an_installation_without_keys_is_forgotten_by_its_id(
    heatpool: Heatpool, pool: Pool, hub: Hub
) -> None:
    """Unsigned, as the hub takes it from homes of before there were keys."""
    pool.home.identity.unlink()
    hub.scripted.append(Reply(202, b'{"receipt":"erasure-1"}'))
    assert heatpool("consent", "--withdraw", "--erase").exit_code == 0
    (seen,) = hub.requests
    assert (seen.method, "hp-signature" in seen.headers) == ("DELETE", False)
    assert erasure.pending(pool.home) is None


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
