"""Consent: nothing is sent without it, and the record says what was agreed to."""

from __future__ import annotations

import stat
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import msgspec
import pytest

from heatpool_client import consent
from heatpool_client.consent import CONSENT_VERSION, PURPOSES, Consent, Permit
from heatpool_client.faults import ClientError, Fault, Language
from heatpool_client.submission import Row, submissions

if TYPE_CHECKING:
    from simulators.hub import Hub

    from heatpool_client.home import Home
    from heatpool_client.pool import Pool

TEXTS = Path(__file__).parents[2] / "docs" / "privacy" / "consent"
FIRST_WORDING = "cad2f9ab5e9a53f264136b58ba50d10ca50e7f577972a48e7eaa152626858400"
ROWS = [Row(1.0, {"a": 1.0})]


def agree(home: Home, now_s: float = 5.0, version: str = CONSENT_VERSION) -> Consent:
    """The owner agrees."""
    return consent.grant(home, version, now_s, language="de", means="asked", client_version="0.1.0")


def refused(home: Home, environ: dict[str, str] | None = None) -> Fault:
    """Why there is no permit."""
    with pytest.raises(ClientError) as caught:
        consent.require(home, environ or {})
    assert caught.value.exit == 4
    return caught.value.code


def test_the_default_is_no(home: Home) -> None:
    """A folder that nobody set up permits nothing."""
    assert refused(home) is Fault.CONSENT_MISSING
    assert consent.standing(home) == "none"


def test_agreeing_is_recorded_and_permits(home: Home) -> None:
    """Who, when, to which text, how, for what; readable by the owner alone."""
    home.create()
    given = agree(home)
    assert consent.require(home, {}) == Permit(given)
    assert given == Consent(
        event="granted",
        version=CONSENT_VERSION,
        language="de",
        text_sha256=consent.digest("de"),
        purposes=PURPOSES,
        means="asked",
        client_version="0.1.0",
        time_s=5,
    )
    assert stat.S_IMODE(home.consents.stat().st_mode) == 0o600


def test_withdrawing_stops_at_once_and_keeps_the_history(home: Home) -> None:
    """The record shows both events; agreeing again is possible."""
    home.create()
    agree(home, 5.0)
    withdrawn = consent.withdraw(home, 6.0)
    assert withdrawn is not None
    assert refused(home) is Fault.CONSENT_MISSING
    assert consent.standing(home) == "withdrawn"
    assert consent.withdraw(home, 7.0) is None
    agree(home, 8.0)
    lines = home.consents.read_bytes().splitlines()
    events = [msgspec.json.decode(line, type=Consent) for line in lines]
    assert [(one.event, one.time_s) for one in events] == [
        ("granted", 5),
        ("withdrawn", 6),
        ("granted", 8),
    ]


def test_only_the_present_text_can_be_agreed_to(home: Home) -> None:
    """A script with an old version must be read again by its author."""
    home.create()
    with pytest.raises(ClientError) as caught:
        agree(home, version="2025-01")
    assert caught.value.code is Fault.CONSENT_OTHER_VERSION
    assert not home.consents.exists()


def test_a_new_text_needs_a_new_consent(home: Home) -> None:
    """What was agreed to was the old one."""
    home.create()
    old = msgspec.structs.replace(agree(home), version="2025-01")
    home.consents.write_bytes(msgspec.json.encode(old) + b"\n")
    assert refused(home) is Fault.CONSENT_OUTDATED
    assert consent.standing(home) == "outdated"


@pytest.mark.parametrize("content", [b"{", b'{"event":"granted"}\n', b"\xff\n", b"\n"])
def test_an_unreadable_record_permits_nothing(home: Home, content: bytes) -> None:
    """Doubt means no."""
    home.create()
    agree(home)
    home.consents.write_bytes(content)
    assert refused(home) is Fault.CONSENT_DAMAGED
    assert consent.standing(home) == "damaged"


@pytest.mark.parametrize(
    ("value", "asked"),
    [("1", True), ("true", True), ("yes", True), ("x", True), ("0", False), ("", False)],
)
def test_do_not_track_goes_before_consent(home: Home, value: str, *, asked: bool) -> None:
    """The machine's owner has said no to all programs."""
    home.create()
    agree(home)
    assert consent.is_do_not_track({"DO_NOT_TRACK": value}) is asked
    if asked:
        assert refused(home, {"DO_NOT_TRACK": value}) is Fault.DO_NOT_TRACK


@pytest.mark.parametrize("reason", ["no consent", "do not track", "withdrawn"])
def test_no_method_of_the_pool_sends_without_a_permit(
    pool: Pool, hub: Hub, home: Home, environ: dict[str, str], reason: str
) -> None:
    """Not a single request arrives, whichever way is tried."""
    if reason == "no consent":
        home.consents.unlink()
    elif reason == "withdrawn":
        consent.withdraw(home, 9.0)
    else:
        environ["DO_NOT_TRACK"] = "1"
    (submission,) = submissions(ROWS, pool.sender)
    for attempt in (
        lambda: pool.submit(submission),
        lambda: list(pool.send(ROWS)),
        pool.register,
        pool.check,
        pool.update,
    ):
        with pytest.raises(ClientError) as caught:
            attempt()
        assert caught.value.exit == 4
    assert hub.requests == []
    assert pool.preview(ROWS) is not None  # looking is allowed


def test_withdrawal_stops_an_open_pool(pool: Pool, hub: Hub, home: Home) -> None:
    """The consent is looked at before every request, not once."""
    progress = pool.send([Row(float(i), {"a": 1.0}) for i in range(3)], records_max=1)
    next(progress)
    consent.withdraw(home, 9.0)
    with pytest.raises(ClientError):
        next(progress)
    assert len(hub.requests) == 1


def test_the_texts_are_the_ones_of_this_version() -> None:
    """Whoever changes what homes agree to changes CONSENT_VERSION, and these digests with it.

    A mended wording changes the digests alone, and says so in decision 0620.
    """
    assert CONSENT_VERSION == "2026-11"
    assert consent.digest("en")[:16] == "1ea31c3c003cc339"
    assert consent.digest("de")[:16] == "d90829e89dd89691"


@pytest.mark.parametrize("language", get_args(Language))
def test_the_texts_say_how_to_withdraw(language: Language) -> None:
    """In both languages."""
    assert "heatpool consent --withdraw" in consent.text(language)


def test_texts_that_homes_agreed_to_can_be_read_for_good(home: Home) -> None:
    """The record holds a hash: the text with that hash is kept, also when its wording is mended."""
    home.create()
    kept = {path.stem: path.read_bytes() for path in TEXTS.glob("*.md")}

    assert all(sha256(text).hexdigest() == name for name, text in kept.items())
    assert agree(home).text_sha256 in kept
    assert consent.digest("en") in kept


def test_mended_wording_asks_nobody_again(home: Home) -> None:
    """What a version says stays the same: who agreed to its first wording has agreed."""
    home.create()
    agreed = agree(home)
    first = msgspec.structs.replace(agreed, text_sha256=FIRST_WORDING)
    assert (TEXTS / f"{FIRST_WORDING}.md").exists()
    assert FIRST_WORDING not in {consent.digest("de"), consent.digest("en")}
    home.consents.write_bytes(msgspec.json.encode(first) + b"\n")

    assert consent.require(home, {}).consent.text_sha256 == FIRST_WORDING
