"""Who may ask: hosts, origins, sessions, the password."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from heatpool_client.home import Home
from heatpool_client.web.guard import (
    ATTEMPTS_MAX,
    ATTEMPTS_S,
    SESSION_S_MAX,
    SESSIONS_MAX,
    Denied,
    Password,
    Sessions,
    basic_password,
    is_own_host,
    read_secret,
    require_same_origin,
    write_password,
)

if TYPE_CHECKING:
    from pathlib import Path

KEY = b"k" * 32


def counted() -> Sessions:
    """Sessions whose tokens are numbered."""
    numbers = iter(range(10_000))
    return Sessions(KEY, lambda size: next(numbers).to_bytes(size, "big"))


@pytest.mark.parametrize(
    ("host", "own"),
    [
        ("localhost:8737", True),
        ("127.0.0.1:8737", True),
        ("[::1]:8737", True),
        ("192.168.1.5", True),
        ("pi.local", True),
        ("PI.LOCAL.", True),
        ("evil.example", False),
        ("pi.local.evil.example", False),
        ("127.0.0.1.nip.io", False),
        ("", False),
        ("[::1", False),
    ],
)
def test_a_name_of_somebody_elses_dns_is_none_of_ours(host: str, own: bool) -> None:  # noqa: FBT001 - a column
    """A literal address cannot be rebound; a name can, unless it is known here."""
    assert is_own_host(host, ("pi.local",)) is own


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "pi:8737", "origin": "http://evil.example"},
        {"host": "pi:8737", "origin": "http://pi:1"},
        {"host": "pi:8737", "origin": "null"},
        {"host": "pi:8737", "sec-fetch-site": "cross-site"},
        {"host": "pi:8737", "sec-fetch-site": "same-site"},
    ],
)
def test_another_sites_page_changes_nothing(headers: dict[str, str]) -> None:
    """Whatever names another origin is refused."""
    with pytest.raises(Denied) as caught:
        require_same_origin(headers)
    assert caught.value.status == 403


def test_the_pages_own_requests_pass() -> None:
    """Also of browsers and programs that name no origin."""
    require_same_origin(
        {"host": "pi:8737", "origin": "http://pi:8737", "sec-fetch-site": "same-origin"}
    )
    require_same_origin({"host": "pi:8737"})


def test_a_session_ends_and_its_token_is_no_other_ones() -> None:
    """Known here, until it is old; a CSRF token belongs to one session."""
    sessions = counted()
    first, second = sessions.open(0.0), sessions.open(0.0)

    assert sessions.is_open(first, SESSION_S_MAX - 1)
    assert not sessions.is_open(first, SESSION_S_MAX)
    assert not sessions.is_open("invented", 0.0)
    sessions.require_csrf(first, sessions.csrf(first))
    for wrong in (sessions.csrf(second), "", None, "ä"):
        with pytest.raises(Denied, match="csrf"):
            sessions.require_csrf(first, wrong)


def test_sessions_do_not_grow() -> None:
    """The oldest goes."""
    sessions = counted()
    tokens = [sessions.open(0.0) for _ in range(SESSIONS_MAX + 1)]

    assert [sessions.is_open(one, 1.0) for one in (tokens[0], tokens[1], tokens[-1])] == [
        False, True, True,
    ]  # fmt: skip  # one list


def test_guessing_has_to_wait() -> None:
    """Five wrong passwords a minute."""
    sessions = counted()
    for _ in range(ATTEMPTS_MAX):
        sessions.require_patience(10.0)
        sessions.failed(10.0)
    with pytest.raises(Denied) as caught:
        sessions.require_patience(10.0 + ATTEMPTS_S - 1)
    assert caught.value.status == 429
    sessions.require_patience(10.0 + ATTEMPTS_S)


def test_a_password_is_stored_as_argon2id_for_its_owner_alone(tmp_path: Path) -> None:
    """The file shows neither password nor, in a repr, its hash."""
    home = Home(tmp_path / "home")
    home.create()
    assert read_secret(home) is None
    write_password(home, "correct horse")
    secret = read_secret(home)

    assert secret is not None
    assert secret.password_hash.startswith("$argon2id$")
    assert repr(secret) == "Secret(...)"
    assert stat.S_IMODE(home.web.stat().st_mode) == 0o600
    password = Password(secret, KEY)
    assert [password.is_right(one) for one in ("correct horse", "wrong", "correct horse", "")] == [
        True, False, True, False,
    ]  # fmt: skip  # one list
    assert not Password(None, KEY).is_right("")


@pytest.mark.parametrize(
    ("header", "password"),
    [
        ("Basic b3duZXI6c2VjcmV0", "secret"),
        ("basic OnNlY3JldA==", "secret"),
        ("Bearer x", None),
        ("Basic !", None),
        ("Basic //79", None),
        (None, None),
    ],
)
def test_basic_authentication_is_read(header: str | None, password: str | None) -> None:
    """The name is the owner's choice; anything odd is no password."""
    assert basic_password(header) == password
