"""Consent: what was shown, what was agreed to, and the permit without which nothing is sent.

In: the owner's decision, the environment. Out: a record in `consent.jsonl`; a `Permit`. Guarantee:
the HTTP side takes a `Permit`, only `require` makes one, and it makes none before an explicit
opt-in to the present text, after a withdrawal, or while DO_NOT_TRACK is set. Two requests go out
after a withdrawal: its record (`for_record`), and the erasure if it was asked for (`for_erasure`).

The record says who (by its place), when, to which text (version and SHA-256), how and for what was
agreed, as GDPR Art. 7(1) asks for; withdrawing is as easy as giving (Art. 7(3)).
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from heatpool_client.faults import ClientError, Fault, Language
from heatpool_client.home import read_private, write_private

if TYPE_CHECKING:
    from collections.abc import Mapping

    from heatpool_client.home import Home

CONSENT_VERSION: Final = "2026-11"
"""Of the text. It changes whenever a word of the text does (a test holds the digests)."""
PURPOSES: Final = ("telemetry", "training", "statistics")
Means = Literal["asked", "option"]
"""Typed at a prompt or ticked on the owner's page, or given as an option by a script."""
Standing = Literal["granted", "withdrawn", "none", "outdated", "damaged"]


class Consent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One event: given or withdrawn."""

    event: Literal["granted", "withdrawn"]
    version: str
    language: Language
    text_sha256: str
    purposes: tuple[str, ...]
    means: Means
    client_version: str
    time_s: int


class Permit(msgspec.Struct, frozen=True):
    """Sending is allowed. Made by `require`; by `for_record` and `for_erasure` for one request."""

    consent: Consent


_events = msgspec.json.Decoder(Consent)


def text(language: Language) -> str:
    """The text to show."""
    from importlib.resources import files  # noqa: PLC0415 - 10 ms, and seldom needed

    resource = files("heatpool_client") / "texts" / f"consent.{language}.md"
    return resource.read_text(encoding="utf-8")


def digest(language: Language) -> str:
    """Hex SHA-256 of the text."""
    return sha256(text(language).encode()).hexdigest()


def grant(
    home: Home,
    version: str,
    now_s: float,
    *,
    language: Language,
    means: Means,
    client_version: str,
) -> Consent:
    """Record that the owner agreed to `version`.

    Raises:
        ClientError: `consent_other_version`, `state_unusable`.
    """
    if version != CONSENT_VERSION:
        raise ClientError(Fault.CONSENT_OTHER_VERSION, version, CONSENT_VERSION)
    consent = Consent(
        event="granted",
        version=version,
        language=language,
        text_sha256=digest(language),
        purposes=PURPOSES,
        means=means,
        client_version=client_version,
        time_s=int(now_s),
    )
    _append(home, consent)
    return consent


def withdraw(home: Home, now_s: float) -> Consent | None:
    """Record that the owner withdrew; None if there was nothing to withdraw.

    Raises:
        ClientError: `state_unusable`, `consent_damaged`.
    """
    last = current(home)
    if last is None or last.event == "withdrawn":
        return None
    event = msgspec.structs.replace(last, event="withdrawn", time_s=int(now_s))
    _append(home, event)
    return event


def current(home: Home) -> Consent | None:
    """The last event; None if there never was one.

    Raises:
        ClientError: `consent_damaged`, `file_exposed`, `state_unusable`.
    """
    known = lines(home)
    try:
        return _events.decode(known[-1]) if known else None
    except ValueError as error:
        raise ClientError(Fault.CONSENT_DAMAGED, home.consents, error) from error


def lines(home: Home) -> list[bytes]:
    """All events as they are on disk, oldest first.

    Raises:
        ClientError: `file_exposed`, `state_unusable`.
    """
    return (read_private(home.consents) or b"").splitlines()


def standing(home: Home) -> Standing:
    """Where consent stands, in a word.

    Raises:
        ClientError: `file_exposed`, `state_unusable`.
    """
    try:
        last = current(home)
    except ClientError as error:
        if error.code is not Fault.CONSENT_DAMAGED:
            raise
        return "damaged"
    if last is None:
        return "none"
    if last.event == "granted" and last.version != CONSENT_VERSION:
        return "outdated"
    return last.event


def is_do_not_track(environ: Mapping[str, str]) -> bool:
    """Whether the user asked all programs not to send (https://consoledonottrack.com).

    Everything but an explicit no counts as yes.
    """
    return environ.get("DO_NOT_TRACK", "").strip().lower() not in ("", "0", "false", "no")


def require(home: Home, environ: Mapping[str, str]) -> Permit:
    """The permit to send.

    Raises:
        ClientError: `do_not_track`, `consent_missing`, `consent_outdated`, `consent_damaged`.
    """
    if is_do_not_track(environ):
        raise ClientError(Fault.DO_NOT_TRACK)
    last = current(home)
    if last is None or last.event == "withdrawn":
        raise ClientError(Fault.CONSENT_MISSING, CONSENT_VERSION)
    if last.version != CONSENT_VERSION:
        raise ClientError(Fault.CONSENT_OUTDATED, last.version, CONSENT_VERSION)
    return Permit(last)


def for_erasure(home: Home) -> Permit:
    """The permit for the erasure, which is sent after a withdrawal, also under DO_NOT_TRACK.

    Raises:
        ClientError: `consent_missing`, nothing was withdrawn; `consent_damaged`.
    """
    last = current(home)
    if last is None or last.event != "withdrawn":
        raise ClientError(Fault.CONSENT_MISSING, CONSENT_VERSION)
    return Permit(last)


def for_record(home: Home, environ: Mapping[str, str]) -> Permit:
    """The permit to tell the pool what was decided: as long as consent stands, and once withdrawn.

    Raises:
        ClientError: `do_not_track`, `consent_missing` (never given), `consent_*`.
    """
    last = current(home)
    if last is None or last.event == "granted" or is_do_not_track(environ):
        return require(home, environ)
    return Permit(last)


def _append(home: Home, event: Consent) -> None:
    before = read_private(home.consents) or b""
    write_private(home.consents, before + msgspec.json.encode(event) + b"\n")
