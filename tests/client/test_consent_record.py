"""The pool records what the owner decided: signed, in order, once, and never without a permit."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import msgspec
import pytest
from simulators.command_output import document, part
from simulators.hub import CONSENT_PATH, TOKEN, Reply, refusal
from simulators.publisher import NOW_S

from heatpool_client import consent, consent_record, wishes
from heatpool_client.clock import SYSTEM
from heatpool_client.consent import CONSENT_VERSION, PURPOSES
from heatpool_client.consent_record import REFUSALS_MAX, Recording
from heatpool_client.home import alone
from heatpool_client.telemetry import Telemetry
from heatpool_contract.refusals import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result
    from simulators.faketime import FakeTime
    from simulators.hub import Hub

    from heatpool_client.config import Config
    from heatpool_client.home import Home
    from heatpool_client.pool import Pool

KILLED = """
import os, signal, sys
from pathlib import Path
from heatpool_client import consent_record, wishes
from heatpool_client.pool import Pool

def cut(*given):
    os.kill(os.getpid(), signal.SIGKILL)

if sys.argv[2] == "after":
    wishes.write = cut
else:
    wishes.ask = cut
with Pool.open(Path(sys.argv[1]), {}) as pool:
    consent_record.send(pool, at_once=True)
"""


def events(hub: Hub) -> list[str]:
    """What the pool has recorded."""
    return [one.event for one in hub.consents]


def test_agreeing_and_withdrawing_are_recorded(
    heatpool: Callable[..., Result], config: Config, hub: Hub
) -> None:
    """The key is registered first; the record says to what was agreed; nothing goes twice."""
    agreed = heatpool("consent", "--accept", CONSENT_VERSION, "--json")
    assert [one.method for one in hub.requests] == ["PUT", "POST"]
    (given,) = hub.consents
    assert (given.installation_id, given.event) == (config.installation_id, "granted")
    assert (given.text_version, given.purposes) == (CONSENT_VERSION, PURPOSES)
    assert (given.text_sha256, given.client_time) == (consent.digest("en"), float(NOW_S))
    assert part(agreed, "record")["standing"] == "recorded"
    assert heatpool("send").exit_code == 0
    withdrawn = heatpool("consent", "--withdraw", "--json")
    assert part(withdrawn, "record")["recorded"] == 2
    assert heatpool("send").exit_code == 4
    assert events(hub) == ["granted", "withdrawn"]


def test_nothing_is_recorded_before_the_owner_agrees(
    heatpool: Callable[..., Result], config: Config, hub: Hub, home: Home
) -> None:
    """Neither by `send` nor by withdrawing what was never given."""
    assert config.model
    assert heatpool("send").exit_code == 4
    assert part(heatpool("consent", "--withdraw", "--json"), "record")["standing"] == "none"
    assert hub.requests == []
    assert not home.consent_record.exists()


def test_do_not_track_holds_it_back(
    heatpool: Callable[..., Result], pool: Pool, hub: Hub, environ: dict[str, str]
) -> None:
    """Also the withdrawal's; the reason is shown, and it goes when the variable does."""
    environ["DO_NOT_TRACK"] = "1"
    heatpool("consent", "--withdraw")
    shown = consent_record.send(pool, at_once=True)
    assert (shown.standing, shown.problem, shown.waiting) == ("held", "do_not_track", 2)
    assert hub.requests == []
    assert "do_not_track" in heatpool("doctor", "--offline").output
    del environ["DO_NOT_TRACK"]
    assert consent_record.send(pool).standing == "recorded"
    assert events(hub) == ["granted", "withdrawn"]


def test_an_installation_without_keys_is_left_out(
    heatpool: Callable[..., Result], pool: Pool, hub: Hub, home: Home
) -> None:
    """An unsigned record would prove nothing; `status` says so, in both languages."""
    home.identity.unlink()
    shown = consent_record.send(pool, at_once=True)
    assert (shown.standing, shown.waiting, hub.requests) == ("no_key", 1, [])
    assert "no keys" in heatpool("status").stdout
    assert "keine Schlüssel" in heatpool("status", "--language", "de").stdout
    assert part(heatpool("status", "--json"), "consent_record")["standing"] == "no_key"


@pytest.mark.parametrize(
    "failure", [Reply(hang_up=True), Reply(503), Reply(200, b"<html>"), Reply(429)]
)
def test_it_waits_until_the_pool_has_confirmed(
    pool: Pool, hub: Hub, fake_time: FakeTime, failure: Reply
) -> None:
    """Longer each time, over restarts, sent by a logger that runs although sharing is off."""
    consent_record.send(pool)
    consent.withdraw(pool.home, NOW_S + 5)
    hub.consent_scripted.extend([failure] * 2)
    waits = []
    for _ in range(2):
        shown = consent_record.send(pool)
        assert shown.standing == "waiting"
        assert shown.not_before_s is not None
        waits.append(shown.not_before_s - fake_time.now_s)
        assert consent_record.send(pool) == shown
        fake_time.now_s = shown.not_before_s
    assert waits[0] < waits[1]
    hub.now_s = fake_time.now_s
    with Telemetry(
        home=pool.home.root, environ={}, clock=fake_time.clock(), background=False
    ) as telemetry:
        telemetry.flush()
    assert events(hub) == ["granted", "withdrawn"]
    assert consent_record.seen(pool.home, {}).standing == "recorded"


def test_retry_after_is_heeded(pool: Pool, hub: Hub, fake_time: FakeTime) -> None:
    """As the erasure does."""
    hub.consent_scripted.append(refusal(Refusal.BUS_UNAVAILABLE, retry_after_s=7200))
    shown = consent_record.send(pool)
    assert shown.not_before_s is not None
    assert shown.not_before_s - fake_time.now_s >= 7200


@pytest.mark.parametrize("code", [Refusal.NOT_FOUND, Refusal.SIGNATURE_FOREIGN])
def test_a_refusal_ends_after_days_not_never(
    heatpool: Callable[..., Result], pool: Pool, hub: Hub, fake_time: FakeTime, code: Refusal
) -> None:
    """A try by hand does not count. Noted, said by the doctor; the next event has its chance."""
    hub.consent_scripted.extend([refusal(code)] * REFUSALS_MAX)
    for _ in range(REFUSALS_MAX):
        shown = consent_record.send(pool)
        if shown.standing == "waiting":
            hub.consent_scripted.appendleft(refusal(code))
            assert consent_record.send(pool, at_once=True) == shown
        fake_time.now_s = shown.not_before_s or fake_time.now_s
    assert fake_time.now_s - NOW_S > 40 * 3600
    assert (shown.standing, shown.problem) == ("refused", str(code))
    asked = len(hub.requests)
    fake_time.now_s += 30 * 86_400
    consent_record.send(pool, at_once=True)
    assert len(hub.requests) == asked
    assert str(code) in heatpool("doctor", "--offline", "--language", "de").output
    hub.now_s = fake_time.now_s
    consent.withdraw(pool.home, fake_time.now_s)
    assert consent_record.send(pool).standing == "recorded"
    assert events(hub) == ["withdrawn"]


def test_two_processes_do_not_record_it_twice(pool: Pool, hub: Hub) -> None:
    """While one is sending, the other leaves it to that one."""
    with alone(pool.home.root / "consent.lock") as mine:
        assert mine
        assert consent_record.send(pool).standing == "waiting"
    assert hub.requests == []


def test_the_erasure_goes_although_the_record_does_not(
    heatpool: Callable[..., Result], pool: Pool, hub: Hub
) -> None:
    """A right does not wait for paper."""
    hub.consent_scripted.append(Reply(503))
    assert heatpool("consent", "--withdraw", "--erase").exit_code == 0
    assert hub.erased == [pool.config.installation_id]
    assert events(hub) == []
    assert heatpool("send", "--json").exit_code == 0
    assert events(hub) == ["granted", "withdrawn"]


def test_sending_by_hand_says_that_it_waits(
    heatpool: Callable[..., Result], pool: Pool, hub: Hub
) -> None:
    """After a withdrawal the record is all there is to send: 6 while it waits, then 0."""
    consent.withdraw(pool.home, NOW_S)
    hub.consent_scripted.append(Reply(503))
    result = heatpool("send", "--json")
    assert (result.exit_code, document(result)["standing"]) == (6, "waiting")
    assert heatpool("send").exit_code == 0
    assert heatpool("send").exit_code == 4


def test_the_queue_is_the_record_at_home(pool: Pool, hub: Hub, home: Home) -> None:
    """What an older program wrote is sent, too; another file of that name begins anew."""
    consent.withdraw(home, NOW_S + 1)
    consent_record.send(pool)
    assert events(hub) == ["granted", "withdrawn"]
    home.consents.unlink()
    consent.grant(
        home, CONSENT_VERSION, NOW_S + 2, language="de", means="asked", client_version="1"
    )
    assert consent_record.send(pool).standing == "recorded"
    assert [one.locale for one in hub.consents] == ["en", "en", "de"]
    home.consent_record.write_bytes(b"?")
    assert consent_record.seen(home, {}).waiting == 1


@pytest.mark.parametrize(("moment", "expected"), [("before", 1), ("after", 2)])
def test_a_kill_loses_no_record(
    home: Home, config: Config, hub: Hub, moment: str, expected: int
) -> None:
    """Killed before the request: sent once. Killed before the answer is noted: the same again."""
    assert config.model
    consent.grant(home, CONSENT_VERSION, NOW_S, language="en", means="option", client_version="1")
    hub.now_s = SYSTEM.now_s()  # the killed process has this clock, too
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(home.root), moment], capture_output=True, check=False
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert wishes.read(home.consent_record, Recording) is None
    subprocess.run(
        [sys.executable, "-c", "from heatpool_client.__main__ import main; main()", "send",
         "--home", str(home.root), "--json"],
        check=True, capture_output=True,
    )  # fmt: skip  # one command
    assert [msgspec.structs.astuple(one) for one in hub.consents] == [
        msgspec.structs.astuple(hub.consents[0])
    ] * expected
    assert hub.paths().count(CONSENT_PATH) == expected
    assert hub.requests[0].headers["authorization"] == f"Bearer {TOKEN}"
