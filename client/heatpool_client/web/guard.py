"""Who may ask, and with what. Values only.

In: a request's headers, a password's hash, time and chance. Out: yes or a `Denied`. Guarantee: a
page of another site can neither read nor change anything: no CORS, cookies stay on this site, a
change needs the token that only this page holds, and names that point here by somebody else's DNS
are refused (DNS rebinding: a literal address cannot be rebound).
"""

from __future__ import annotations

import hmac
from base64 import b64decode
from hashlib import blake2b
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import msgspec

from heatpool_client.home import read_private, write_private

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from heatpool_client.home import Home

COOKIE: Final = "heatpool_session"
CSRF_HEADER: Final = "x-csrf-token"
SESSION_S_MAX: Final = 30 * 86_400.0
SESSIONS_MAX: Final = 256  # a household; a hostile one may push the oldest out, nothing else
TOKEN_BYTES: Final = 32
ATTEMPTS_MAX: Final = 5  # wrong passwords in `ATTEMPTS_S`
ATTEMPTS_S: Final = 60.0
PASSWORD_CHARS_MIN: Final = 8
LOCAL_NAMES: Final = ("localhost", "localhost.localdomain")


class Denied(Exception):  # noqa: N818 - a verdict
    """The request is not answered."""

    def __init__(self, status: int, key: str) -> None:
        """`key` names the text in the pages' catalogue."""
        super().__init__(status, key)
        self.status = status
        self.key = key


class Secret(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`web.json`."""

    password_hash: str
    """Argon2id, in the usual `$argon2id$` form."""

    def __repr__(self) -> str:
        """Without the hash."""
        return "Secret(...)"


def host_of(header: str) -> str:
    """Name or address in a `Host` header, lower-case, without port and brackets."""
    try:
        return (urlsplit(f"//{header}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def is_own_host(header: str, names: Collection[str]) -> bool:
    """Whether a `Host` header names this machine: an address, localhost, or one of `names`."""
    host = host_of(header)
    if host in LOCAL_NAMES or host in names:
        return True
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def require_same_origin(headers: Mapping[str, str]) -> None:
    """Refuse a change that another site's page asks for.

    Raises:
        Denied: 403.
    """
    origin, site = headers.get("origin"), headers.get("sec-fetch-site")
    if site not in (None, "same-origin", "none"):
        raise Denied(403, "deny.cross_site")
    if origin is not None and urlsplit(origin).netloc.lower() != headers.get("host", "").lower():
        raise Denied(403, "deny.cross_site")


class Sessions:
    """Who has this page open. In memory: a restart asks for the password again."""

    def __init__(self, key: bytes, randomness: Callable[[int], bytes]) -> None:
        """`key` makes CSRF tokens out of session tokens; fresh for each process."""
        self._key = key
        self._randomness = randomness
        self._known: dict[str, float] = {}
        self._failures: list[float] = []

    def open(self, now_s: float) -> str:
        """A new session's token."""
        token = self._randomness(TOKEN_BYTES).hex()
        self._known[token] = now_s + SESSION_S_MAX
        for old in list(self._known)[: max(0, len(self._known) - SESSIONS_MAX)]:
            del self._known[old]
        return token

    def close(self, token: str) -> None:
        """Forget it."""
        self._known.pop(token, None)

    def is_open(self, token: str | None, now_s: float) -> bool:
        """Whether this session was opened here and still lasts."""
        return token is not None and self._known.get(token, 0.0) > now_s

    def csrf(self, token: str) -> str:
        """What a change has to bring along, beside the cookie."""
        return blake2b(token.encode(), key=self._key, digest_size=32).hexdigest()

    def require_csrf(self, token: str, given: str | None) -> None:
        """Refuse a change without the page's token.

        Raises:
            Denied: 403.
        """
        if given is None or not hmac.compare_digest(given.encode(), self.csrf(token).encode()):
            raise Denied(403, "deny.csrf")

    def require_patience(self, now_s: float) -> None:
        """Refuse to look at a password after too many wrong ones.

        Raises:
            Denied: 429.
        """
        self._failures = [at_s for at_s in self._failures if 0 <= now_s - at_s < ATTEMPTS_S]
        if len(self._failures) >= ATTEMPTS_MAX:
            raise Denied(429, "deny.attempts")

    def failed(self, now_s: float) -> None:
        """A password was wrong."""
        self._failures.append(now_s)


class Password:
    """The owner's password, if there is one."""

    def __init__(self, secret: Secret | None, key: bytes) -> None:
        """`key` names passwords that were right before, so that Argon2 runs once for each."""
        self._secret = secret
        self._key = key
        self._right: bytes | None = None

    @property
    def is_set(self) -> bool:
        """Whether one is asked for."""
        return self._secret is not None

    def is_right(self, given: str) -> bool:
        """Whether `given` is it."""
        if self._secret is None:
            return False
        name = blake2b(given.encode(), key=self._key).digest()
        if self._right is not None and hmac.compare_digest(name, self._right):
            return True
        from nacl.exceptions import InvalidkeyError  # noqa: PLC0415 - 30 ms, and seldom needed
        from nacl.pwhash import argon2id  # noqa: PLC0415 - as above

        try:
            argon2id.verify(self._secret.password_hash.encode(), given.encode())
        except InvalidkeyError:
            return False
        self._right = name
        return True


def read_secret(home: Home) -> Secret | None:
    """What is stored of the password; None: none was set.

    Raises:
        ClientError: `file_exposed`, `state_unusable`.
        ValueError: the file is damaged; an open page would be worse than none.
    """
    raw = read_private(home.web)
    return None if raw is None else msgspec.json.decode(raw, type=Secret)


def write_password(home: Home, password: str) -> None:
    """Store the hash of a new password.

    Raises:
        ClientError: `state_unusable`.
    """
    from nacl.pwhash import argon2id  # noqa: PLC0415 - as above

    hashed = argon2id.str(
        password.encode(), argon2id.OPSLIMIT_INTERACTIVE, argon2id.MEMLIMIT_INTERACTIVE
    )
    write_private(home.web, msgspec.json.encode(Secret(hashed.decode())) + b"\n")


def basic_password(header: str | None) -> str | None:
    """The password of HTTP basic authentication, whatever the name; None if there is none."""
    scheme, _, value = (header or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return b64decode(value, validate=True).decode().partition(":")[2]
    except ValueError:
        return None
