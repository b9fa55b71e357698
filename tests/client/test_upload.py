"""Submissions over a real connection: stored, repeated, refused."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import msgspec
import pytest
from simulators.hub import TOKEN, Hub, Reply, json, refusal

from heatpool_client.clock import SYSTEM
from heatpool_client.config import Config, Token
from heatpool_client.connection import Connection, Refused, Unreachable
from heatpool_client.consent import require
from heatpool_client.faults import ClientError, Fault
from heatpool_client.pool import Pool
from heatpool_client.submission import Row, submissions
from heatpool_client.upload import Stored
from heatpool_contract import telemetry
from heatpool_contract.answers import KeysAnswer
from heatpool_contract.refusals import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulators.faketime import FakeTime

    from heatpool_client.home import Home
    from heatpool_contract.telemetry import Submission


@pytest.fixture
def submission(pool: Pool) -> Submission:
    """Two records of two values."""
    rows = [Row(float(i), {"a": i + 0.5, "on": True}) for i in range(2)]
    (made,) = submissions(rows, pool.sender)
    return made


def test_a_submission_is_stored(pool: Pool, hub: Hub, submission: Submission) -> None:
    """As gzip, with the token, and the edge's counts come back."""
    stored = pool.submit(submission)
    assert stored == Stored(processed=2, samples=4, receipt="1-1")
    (seen,) = hub.requests
    assert (seen.method, seen.path) == ("POST", "/api/v1/submit")
    assert seen.headers["authorization"] == f"Bearer {TOKEN}"
    assert seen.headers["content-encoding"] == "gzip"
    read = telemetry.decode(gzip.decompress(seen.body))
    assert msgspec.structs.replace(read, sent_at=None) == submission
    assert read.sent_at == pool.clock.now_s()


@pytest.mark.parametrize(
    "failure",
    [
        Reply(hang_up=True),
        Reply(500, b"<html>oops</html>"),
        Reply(502),
        refusal(Refusal.BUS_UNAVAILABLE),
        refusal(Refusal.STOPPING),
        Reply(429),
    ],
    ids=["hang up", "500", "502", "503 bus", "503 stopping", "429"],
)
def test_failures_that_pass_are_repeated(
    pool: Pool, hub: Hub, submission: Submission, fake_time: FakeTime, failure: Reply
) -> None:
    """Waits 0.75, 1.5 and 3 seconds at a chance of a half, then it is stored once."""
    hub.scripted.extend([failure] * 3)
    assert pool.submit(submission).processed == 2
    assert len(hub.requests) == 4
    assert len(hub.submissions) == 1
    assert fake_time.slept == [0.75, 1.5, 3.0]


def test_retry_after_is_obeyed(
    pool: Pool, hub: Hub, submission: Submission, fake_time: FakeTime
) -> None:
    """Never earlier than asked, a little later at most."""
    hub.scripted.append(refusal(Refusal.BUS_UNAVAILABLE, retry_after_s=30))
    pool.submit(submission)
    assert fake_time.slept == [30.5]


def test_a_repeat_is_the_same_content(pool: Pool, hub: Hub, submission: Submission) -> None:
    """An answer lost on the way: the second attempt is recognised and nothing is stored twice."""
    pool.submit(submission)
    again = pool.submit(submission)
    assert again.duplicate
    assert hub.samples() == 4


def test_the_client_gives_up_within_its_budget(
    pool: Pool, hub: Hub, submission: Submission, fake_time: FakeTime
) -> None:
    """`Unreachable` keeps the server's wish, for a caller that will come back later."""
    hub.scripted.extend([refusal(Refusal.BUS_UNAVAILABLE)] * 50)
    with pytest.raises(Unreachable, match="bus_unavailable"):
        pool.submit(submission)
    assert sum(fake_time.slept) <= 100.0
    assert hub.submissions == []
    hub.scripted.clear()
    hub.scripted.append(refusal(Refusal.BUS_UNAVAILABLE, retry_after_s=3600))
    with pytest.raises(Unreachable) as caught:
        pool.submit(submission)
    assert caught.value.retry_after_s == 3600


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (refusal(Refusal.TOKEN_MISSING), "token_missing"),
        (refusal(Refusal.TOKEN_WRONG), "token_wrong"),
        (refusal(Refusal.INSTALLATION_GONE), "installation_gone"),
        (refusal(Refusal.RECORDS_TOO_MANY), "records_too_many"),
        (refusal(Refusal.DATA_EMPTY), "data_empty"),
        (Reply(404, b"<html>nginx</html>"), "unknown"),
        (Reply(400, b'{"code":"of_the_future","detail":"New."}'), "of_the_future"),
        (Reply(408), "unknown"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_refusals_are_not_repeated(
    pool: Pool, hub: Hub, submission: Submission, reply: Reply, code: str
) -> None:
    """One request, and the reason in both languages as far as there is one."""
    hub.scripted.append(reply)
    with pytest.raises(Refused) as caught:
        pool.submit(submission)
    assert len(hub.requests) == 1
    assert (caught.value.status, caught.value.problem.code) == (reply.status, code)
    assert caught.value.exit == 7


def test_a_refusal_speaks_german(pool: Pool, hub: Hub, submission: Submission) -> None:
    """The server's own German text."""
    hub.scripted.append(refusal(Refusal.TOKEN_WRONG))
    with pytest.raises(Refused) as caught:
        pool.submit(submission)
    assert "nicht gültig" in caught.value.text("de")
    assert "not valid" in caught.value.text("en")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_refused(pool: Pool, hub: Hub, submission: Submission, status: int) -> None:
    """Readings and token go to the configured server or nowhere, even to another path of it."""
    hub.scripted.append(Reply(status, headers={"location": hub.url + "/elsewhere"}))
    with pytest.raises(ClientError) as caught:
        pool.submit(submission)
    assert caught.value.code is Fault.REDIRECTED
    assert hub.paths() == ["/api/v1/submit"]


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, b"<html>Welcome to the hotel</html>"),
        Reply(200, b""),
        Reply(200, b"[]"),
        Reply(200, b'{"processed":"all"}'),
        Reply(202, b'{"status":"success","processed":2}'),
        Reply(204),
        Reply(304),
        Reply(200, b" " * 70_000 + b'{"processed":2}'),
    ],
    ids=["portal", "empty", "list", "shape", "202", "204", "304", "endless"],
)
def test_what_is_not_the_pool_has_stored_nothing(
    pool: Pool, hub: Hub, submission: Submission, reply: Reply
) -> None:
    """Only 200 with a readable answer is success; the error says later, not never."""
    hub.scripted.append(reply)
    with pytest.raises(ClientError) as caught:
        pool.submit(submission)
    assert caught.value.code is Fault.ANSWER_GARBLED
    assert caught.value.exit == 6


def test_answers_of_older_and_newer_edges_are_understood(
    pool: Pool, hub: Hub, submission: Submission
) -> None:
    """Unknown codes and members, and the five words of the first edge."""
    hub.scripted.append(Reply(200, b'{"status":"success","processed":2}'))
    assert pool.submit(submission) == Stored(processed=2)
    newer = b'{"processed":1,"rejected":1,"rejections":[{"reason":"new","count":1}],"x":{}}'
    hub.scripted.append(Reply(200, newer))
    assert pool.submit(submission).rejections[0].reason == "new"


def test_nobody_there_is_unreachable(pool: Pool, hub: Hub, submission: Submission) -> None:
    """A refused connection, after all attempts."""
    config = msgspec.structs.replace(pool.config, server="http://127.0.0.1:9", retry_s_max=5.0)
    with (
        Pool(pool.home, config, pool.environ, pool.clock) as alone,
        pytest.raises(Unreachable, match="ConnectError"),
    ):
        alone.submit(submission)
    assert hub.requests == []


def test_a_dripping_answer_ends_at_the_deadline(
    hub: Hub, home: Home, agreed: Config, submission: Submission
) -> None:
    """A byte now and then does not hold the client for ever."""
    hub.scripted.append(Reply(200, b" " * 10_000, drip_s=0.02))
    config = msgspec.structs.replace(agreed, exchange_s_max=0.3, retry_s_max=0.0)
    with Pool(home, config, {}, SYSTEM) as impatient, pytest.raises(Unreachable, match="deadline"):
        impatient.submit(submission)


def test_a_silent_server_ends_at_the_deadline(
    hub: Hub, home: Home, agreed: Config, submission: Submission
) -> None:
    """Headers with a length, and then nothing."""
    hub.scripted.append(Reply(200, b"x", headers={"content-length": "5"}, drip_s=0.0))
    config = msgspec.structs.replace(agreed, exchange_s_max=0.3, retry_s_max=0.0)
    with Pool(home, config, {}, SYSTEM) as impatient, pytest.raises(Unreachable):
        impatient.submit(submission)


def test_certificates_are_verified(home: Home, agreed: Config, fake_time: FakeTime) -> None:
    """An unusable certificate file is an error of the configuration, not a lapse of checks."""
    permit = require(home, {})
    for name in (home.config, home.root / "missing.pem"):
        config = msgspec.structs.replace(agreed, ca_file=str(name))
        with pytest.raises(ClientError, match="ca_file"):
            Connection("https://pool.example", config, Token("x" * 16), permit, fake_time.clock())


@pytest.mark.parametrize("proxy", ["klingon://x", "socks5://x:1", "http://x:y"])
def test_an_unusable_proxy_is_a_named_error(
    home: Home, agreed: Config, fake_time: FakeTime, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    """Httpx reads it from the environment; a typo there must not be a traceback."""
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    permit = require(home, {})
    with pytest.raises(ClientError) as caught:
        Connection("https://pool.example", agreed, Token("x" * 16), permit, fake_time.clock())
    assert caught.value.exit == 3


def test_keys_are_registered_once(pool: Pool, hub: Hub, home: Home) -> None:
    """The hub sees public keys with a proof; the client remembers that it did."""
    assert pool.register() == "bound"
    assert hub.keys[pool.config.installation] != b"\x07" * 32
    assert b"registered_s" in home.identity.read_bytes()
    (seen,) = hub.requests
    assert seen.path == f"/api/v1/installations/{pool.config.installation}/keys"
    assert b"BwcHBwcH" not in seen.body  # the private keys' bytes


def test_a_foreign_key_on_this_id_is_a_refusal(pool: Pool, hub: Hub) -> None:
    """Trust on first use: somebody else was first."""
    hub.keys[pool.config.installation] = b"\x01" * 32
    with pytest.raises(Refused) as caught:
        pool.register()
    assert caught.value.problem.code == "key_conflict"


@pytest.mark.parametrize(
    ("reply", "fault"),
    [
        (refusal(Refusal.BUS_UNAVAILABLE), Fault.UNREACHABLE),
        (Reply(200, b"hello"), Fault.ANSWER_GARBLED),
        (json(KeysAnswer(status="unchanged")), None),
    ],
)
def test_registration_fails_like_everything_else(
    pool: Pool, hub: Hub, reply: Reply, fault: Fault | None
) -> None:
    """Later, never, or done before."""
    hub.scripted.append(reply)
    register: Callable[[], str] = pool.register
    if fault is None:
        assert register() == "unchanged"
        return
    with pytest.raises(ClientError) as caught:
        register()
    assert caught.value.code is fault
