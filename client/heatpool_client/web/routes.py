"""Requests of the page to answers, without a web framework.

In: an `Asked`. Out: an `Answered`. Guarantee: every answer carries the security headers; a change
passes host, origin, session and CSRF checks before anything is looked at; an error is JSON with a
code and a sentence in two languages.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from importlib.resources import files
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs

import msgspec

from heatpool_client.faults import ClientError, ErrorSeen, Exit, Failed, Language
from heatpool_client.web import actions, guard
from heatpool_client.web.guard import CSRF_HEADER, Denied, Password, Sessions
from heatpool_client.web.kept import told
from heatpool_client.web.reading import Reader, Unknown
from heatpool_contract.pages import ASSETS, POLICY, catalogue, chosen, page

if TYPE_CHECKING:
    from heatpool_client.pool import Pool

BODY_BYTES_MAX: Final = 16 * 1024  # the largest is a password
JSON: Final = "application/json"
HTML: Final = "text/html; charset=utf-8"
HEADERS: Final = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}
OWN_ASSETS: Final = {"owner.js": "text/javascript; charset=utf-8", **ASSETS}
STATUSES: Final = {
    Exit.NO_CONSENT: 409,
    Exit.SETUP: 409,
    Exit.REFUSED: 409,
    Exit.INPUT: 400,
    Exit.NOTHING: 404,
    Exit.UNREACHABLE: 503,
    Exit.UNTRUSTED: 502,
}


class Asked(msgspec.Struct, frozen=True):
    """A request."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    """Lower-case names."""
    cookie: str | None
    """Value of the session's cookie."""
    body: bytes = b""


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """An answer."""

    status: int = 200
    body: bytes | Iterator[bytes] = b""
    media: str = JSON
    headers: dict[str, str] = {}
    session: str | None = None
    """Sets the session's cookie; empty: takes it away."""


class Site:
    """The owner's page of one installation."""

    def __init__(
        self,
        pool: Pool,
        secret: guard.Secret | None,
        names: tuple[str, ...] = (),
        randomness: Callable[[int], bytes] = os.urandom,
    ) -> None:
        """Open nothing yet.

        Args:
            pool: the installation.
            secret: hash of the owner's password; None: none is asked for.
            names: under which this machine is known, beside addresses and localhost.
            randomness: for sessions.
        """
        key = randomness(guard.TOKEN_BYTES)
        self._pool = pool
        self._names = frozenset(name.lower() for name in names)
        self._sessions = Sessions(key, randomness)
        self._password = Password(secret, key)
        self._reader = Reader(pool)
        self._deciding = threading.Lock()
        self._words = {one: catalogue(one, _file("texts", f"{one}.json")) for one in ("de", "en")}

    def answer(self, asked: Asked) -> Answered:
        """Whatever is due."""
        try:
            if not guard.is_own_host(asked.headers.get("host", ""), self._names):
                raise Denied(421, "deny.host")  # noqa: TRY301 - one table of errors
            answered = self._routed(asked)
        except Denied as denied:
            answered = self._denied(denied)
        except ClientError as error:
            answered = _failed(STATUSES.get(error.exit, 500), told(error))
        except Unknown:
            answered = self._denied(Denied(404, "deny.unknown"))
        except (msgspec.DecodeError, UnicodeDecodeError):
            answered = self._denied(Denied(400, "deny.body"))
        return msgspec.structs.replace(answered, headers=HEADERS | answered.headers)

    def _routed(self, asked: Asked) -> Answered:
        if asked.method not in ("GET", "HEAD", "POST"):
            raise Denied(405, "deny.method")
        name = asked.path.removeprefix("/assets/")
        if name != asked.path:
            return self._asset(asked, name)
        if asked.method == "POST":
            return self._change(asked)
        if asked.path == "/":
            return self._page(asked)
        if not asked.path.startswith("/api/"):
            raise Unknown
        self._require_known(asked)
        given = {key: values[0] for key, values in parse_qs(asked.query).items()}
        card = self._reader.card(asked.path.removeprefix("/api/"), given, _language(asked, self))
        if isinstance(card, msgspec.Struct):
            return Answered(body=msgspec.json.encode(card), headers={"cache-control": "no-store"})
        return Answered(
            body=card,
            media="text/csv; charset=utf-8",
            headers={
                "cache-control": "no-store",
                "content-disposition": 'attachment; filename="heatpool.csv"',
            },
        )

    def _change(self, asked: Asked) -> Answered:
        guard.require_same_origin(asked.headers)
        if asked.headers.get("content-type", "").partition(";")[0].strip() != JSON:
            raise Denied(415, "deny.body")
        if asked.path == "/api/login":
            return self._login(asked)
        session = self._require_session(asked)
        self._sessions.require_csrf(session, asked.headers.get(CSRF_HEADER))
        if asked.path == "/api/logout":
            self._sessions.close(session)
            return Answered(body=b"{}", session="")
        with self._deciding:
            done = self._decide(asked.path.removeprefix("/api/"), asked.body)
        self._reader.forget()
        return Answered(body=msgspec.json.encode(done))

    def _decide(self, what: str, body: bytes) -> msgspec.Struct:
        pool = self._pool
        match what:
            case "consent":
                return actions.agree(pool, msgspec.json.decode(body, type=actions.Agree))
            case "withdraw":
                return actions.withdraw(pool)
            case "erase":
                wish = msgspec.json.decode(body, type=actions.Erase)
                return actions.erase(pool, self._reader.history, wish)
            case "pause":
                return actions.pause(pool, msgspec.json.decode(body, type=actions.PauseFor))
            case "send":
                return actions.send(pool)
            case "update":
                return actions.update(pool)
            case _:
                raise Unknown

    def _login(self, asked: Asked) -> Answered:
        now_s = self._pool.clock.now_s()
        with self._deciding:  # one at a time: Argon2 takes 64 MiB
            self._sessions.require_patience(now_s)
            given = msgspec.json.decode(asked.body, type=_Login).password
            if not self._password.is_right(given):
                self._sessions.failed(now_s)
                raise Denied(401, "deny.password")
        return Answered(body=b"{}", session=self._sessions.open(now_s))

    def _page(self, asked: Asked) -> Answered:
        """The page, or the question for the password."""
        now_s, session, new = self._pool.clock.now_s(), asked.cookie, None
        language = _language(asked, self)
        known = session is not None and self._sessions.is_open(session, now_s)
        if not known and not self._password.is_set:
            session = new = self._sessions.open(now_s)
            known = True
        name = "index.html" if known else "login.html"
        facts = {
            "fact.csrf": self._sessions.csrf(session) if known and session else "",
            "fact.model": self._pool.config.model,
            "fact.password": "yes" if self._password.is_set else "no",
            "fact.confirmation": actions.CONFIRMATION[language],
            f"fact.is_{language}": "true",
            f"fact.is_{'en' if language == 'de' else 'de'}": "false",
        }
        text = page(_own(name).decode(), language, self._words[language] | facts)
        return Answered(
            status=200,
            body=text.encode(),
            media=HTML,
            headers={"cache-control": "no-store", "vary": "accept-language"},
            session=new,
        )

    def _asset(self, asked: Asked, name: str) -> Answered:
        headers = {"cache-control": "no-cache"}
        for language in ("de", "en"):
            if name == f"texts.{language}.json":
                return Answered(body=msgspec.json.encode(self._words[language]), headers=headers)
        if name not in OWN_ASSETS or asked.method == "POST":
            raise Unknown
        content = _file(name) if name in ASSETS else _own(name)
        return Answered(body=content, media=OWN_ASSETS[name], headers=headers)

    def _require_session(self, asked: Asked) -> str:
        if asked.cookie is None or not self._sessions.is_open(
            asked.cookie, self._pool.clock.now_s()
        ):
            raise Denied(401, "deny.session")
        return asked.cookie

    def _require_known(self, asked: Asked) -> None:
        """Whoever reads: with a password by session or basic authentication."""
        if not self._password.is_set:
            return
        given = guard.basic_password(asked.headers.get("authorization"))
        if given is None:
            self._require_session(asked)
            return
        now_s = self._pool.clock.now_s()
        with self._deciding:
            self._sessions.require_patience(now_s)
            if not self._password.is_right(given):
                self._sessions.failed(now_s)
                raise Denied(401, "deny.password")

    def _denied(self, denied: Denied) -> Answered:
        text, text_de = (self._words[one][denied.key] for one in ("en", "de"))
        code = denied.key.removeprefix("deny.")
        seen = ErrorSeen(code=code, text=text, text_de=text_de, exit=Exit.INPUT)
        return _failed(denied.status, seen)


class _Login(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /api/login`."""

    password: str

    def __repr__(self) -> str:
        """Without the password."""
        return "_Login(...)"


def _failed(status: int, seen: ErrorSeen) -> Answered:
    return Answered(status=status, body=msgspec.json.encode(Failed(seen)))


def _language(asked: Asked, site: Site) -> Language:
    query = parse_qs(asked.query).get("lang", [None])[0]
    fallback = site._pool.config.language  # noqa: SLF001 - of this file
    return chosen(query, asked.headers.get("accept-language", ""), fallback)


def _file(*names: str) -> bytes:
    return files("heatpool_contract.pages").joinpath(*names).read_bytes()


def _own(name: str) -> bytes:
    return files("heatpool_client.web").joinpath("page", name).read_bytes()
