"""Edge and hub in one, as a logger sees them: a real HTTP server whose state a test changes.

In: requests of a real client. Out: answers as the contract fixes them, or what a test has scripted
before them. Guarantee: every request is kept, whatever was answered. After python-tuf's
RepositorySimulator: the test changes the state, runs the client, looks at both.
"""

from __future__ import annotations

import gzip
import threading
import time
from base64 import b64encode
from collections import deque
from contextlib import contextmanager
from email.utils import formatdate
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import msgspec
from simulators.publisher import NOW_S, Release

from heatpool_contract import telemetry
from heatpool_contract.answers import (
    CheckAnswer,
    ConsentAnswer,
    Contribution,
    DataPool,
    EligibilityEvent,
    KeysAnswer,
    SubmitAnswer,
    Tally,
    problem,
)
from heatpool_contract.grants import make_grant, read_registration
from heatpool_contract.identity import InstallationId
from heatpool_contract.refusals import Refusal
from heatpool_contract.rejects import SealRefused
from heatpool_contract.requests import Asked, verify_request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TOKEN = "0123456789abcdef-test"
TRUST_PREFIX = "/api/v1/trust/"
CONSENT_PATH = "/api/v1/consent"


class Seen(msgspec.Struct, frozen=True):
    """One request."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


class ConsentSeen(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Body of `POST /api/v1/consent`; nothing more is taken, as by the hub."""

    installation_id: str
    event: str
    purposes: tuple[str, ...]
    text_version: str
    text_sha256: str
    locale: str
    client_version: str
    client_time: float


class Reply(msgspec.Struct, frozen=True):
    """What is answered."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = {}
    drip_s: float = 0.0
    """Pause before each byte of the body."""
    hang_up: bool = False
    """Close the connection without an answer."""
    cut_at: int | None = None
    """Close the connection after so many bytes of the body."""


def json(value: msgspec.Struct, status: int = 200) -> Reply:
    """A Struct as answer."""
    return Reply(status, msgspec.json.encode(value), {"content-type": "application/json"})


def refusal(code: Refusal, retry_after_s: int | None = None) -> Reply:
    """A problem document as answer."""
    document = problem(code, retry_after_s=retry_after_s)
    headers = {} if retry_after_s is None else {"retry-after": str(retry_after_s)}
    return Reply(document.status, msgspec.json.encode(document), headers)


class Hub:
    """What the pool knows, and what it will do wrong next."""

    def __init__(self) -> None:
        """Empty pool."""
        self.url = ""
        self.requests: list[Seen] = []
        self.scripted: deque[Reply | None] = deque()
        """Served in turn before anything else; None: as usual."""
        self.submissions: list[telemetry.Submission] = []
        self.known: set[str] = set()
        self.trusts: dict[str, bytes] = {}
        """Signed trust files by version."""
        self.keys: dict[str, bytes] = {}
        """Installation -> X25519 public key."""
        self.eligible = True
        self.release: Release | None = None
        self.served: bytes | None = None
        """Served instead of the release's file."""
        self.fresh: Callable[[Release], bytes] = Release.fresh
        self.grant_key: bytes | None = None
        """Grants are sealed to this key instead of the registered one."""
        self.ranges = True
        """Serves parts of a release."""
        self.rejected_index: int | None = None
        """Record that each submission has rejected."""
        self.records_max: int | None = None
        """More of them are answered with 413."""
        self.skew_s: float | None = None
        """What a newer edge says of the logger's clock."""
        self.receipts: dict[str, bytes] = {}
        """Receipt -> answer."""
        self.erased: list[str] = []
        self.erasures: dict[str, bytes] = {}
        """Receipt of an erasure -> answer."""
        self.consents: list[ConsentSeen] = []
        """Recorded, in order; their signatures were right."""
        self.consent_scripted: deque[Reply | None] = deque()
        """Served in turn to who brings a record of consent; None: as usual."""
        self.tells_events = True
        """Answers `was_eligible`, as hubs have done since there is `event`."""
        self.now_s = float(NOW_S)
        """Of the hub's clock: signatures are near it."""
        self.date_s: float | None = None
        """Goes into the `Date` header."""

    def paths(self) -> list[str]:
        """Paths of all requests."""
        return [one.path for one in self.requests]

    def samples(self) -> int:
        """Values stored."""
        return sum(len(record) - 1 for one in self.submissions for record in one.data)

    def answer(self, seen: Seen) -> Reply:
        """Whatever is due."""
        if seen.path.startswith(TRUST_PREFIX):  # asked before every update: none of a test's script
            trust = self.trusts.get(seen.path.removeprefix(TRUST_PREFIX))
            return refusal(Refusal.NOT_FOUND) if trust is None else Reply(200, trust)
        self.requests.append(seen)
        # Records of consent go out beside everything else: they have a script of their own.
        script = self.consent_scripted if seen.path == CONSENT_PATH else self.scripted
        scripted = script.popleft() if script else None
        if scripted is not None:
            return scripted
        if seen.headers.get("authorization") != f"Bearer {TOKEN}":
            return refusal(Refusal.TOKEN_WRONG)
        routes = {
            ("POST", "submit"): self._submit,
            ("PUT", "keys"): self._register,
            ("POST", "consent"): self._consent,
            ("GET", "check"): self._check,
            ("GET", "download"): self._download,
        }
        if seen.method == "DELETE":
            return self._erase(seen)
        if "/receipt/" in seen.path or "/erasures/" in seen.path:
            known = (self.receipts | self.erasures).get(seen.path.rsplit("/", 1)[-1])
            return refusal(Refusal.NOT_FOUND) if known is None else Reply(200, known)
        route = routes.get((seen.method, seen.path.rsplit("/", 1)[-1]))
        return refusal(Refusal.NOT_FOUND) if route is None else route(seen)

    def _submit(self, seen: Seen) -> Reply:
        submission = telemetry.decode(gzip.decompress(seen.body))
        if self.records_max is not None and len(submission.data) > self.records_max:
            return refusal(Refusal.RECORDS_TOO_MANY)
        rejected = 0 if self.rejected_index is None else 1
        content = sha256(msgspec.json.encode([submission.installation_id, submission.data]))
        duplicate = content.hexdigest() in self.known
        if not duplicate:
            self.known.add(content.hexdigest())
            self.submissions.append(submission)
        tallies = [Tally(Refusal.TIMESTAMP_IN_FUTURE, 1, self.rejected_index or 0)] * rejected
        answer = json(
            SubmitAnswer(
                processed=len(submission.data) - rejected,
                rejected=rejected,
                rejections=tallies,
                values_dropped=[],
                samples=sum(len(record) - 1 for record in submission.data),
                duplicate=duplicate,
                receipt="1-1",
            )
        )
        if self.skew_s is None:
            return answer
        body = msgspec.json.decode(answer.body, type=dict[str, object])
        return msgspec.structs.replace(
            answer, body=msgspec.json.encode(body | {"clock_skew_s": self.skew_s})
        )

    def _register(self, seen: Seen) -> Reply:
        installation = InstallationId(seen.path.split("/")[-2])
        request = read_registration(seen.body, installation)
        known = self.keys.setdefault(installation, request.x25519)
        if known != request.x25519:
            return refusal(Refusal.KEY_CONFLICT)
        return json(KeysAnswer(status="bound"), 201)

    def _erase(self, seen: Seen) -> Reply:
        installation = InstallationId(seen.path.rsplit("/", 1)[-1])
        asked = Asked(method="DELETE", path=seen.path, body=seen.body, installation=installation)
        try:
            verify_request(seen.headers, asked, int(self.now_s))
        except SealRefused:
            return refusal(Refusal.TOKEN_WRONG)
        self.erased.append(installation)
        return Reply(202, b'{"receipt":"erasure-1"}')

    def _consent(self, seen: Seen) -> Reply:
        given = msgspec.json.decode(seen.body, type=ConsentSeen)
        installation = InstallationId(given.installation_id)
        asked = Asked(method="POST", path=seen.path, body=seen.body, installation=installation)
        try:
            verify_request(seen.headers, asked, int(self.now_s))
        except SealRefused:
            return refusal(Refusal.SIGNATURE_FOREIGN)
        self.consents.append(given)
        return json(ConsentAnswer(sequence=len(self.consents), hash="ab" * 32), 201)

    def _check(self, seen: Seen) -> Reply:
        release = self.release
        installation = InstallationId(seen.query["installation_id"])
        grant = None
        key = self.grant_key or self.keys.get(installation)
        if release is not None and self.eligible and key is not None:
            until_s = NOW_S + 3600
            grant = make_grant(key, release.cek, release.model_hash, installation, until_s)
        return json(
            CheckAnswer(
                eligible=self.eligible,
                event=self._event(seen.query.get("was_eligible")),
                reason="ok" if self.eligible else Refusal.NO_RECENT_CONTRIBUTION,
                reason_text="Text.",
                reason_de="Ein Text.",
                model_available=release is not None,
                model_hash=release.model_hash if release else None,
                update_available=release is not None,
                key_grant=b64encode(grant).decode() if grant else None,
                grant_kind="installation" if grant else None,
                fresh=b64encode(self.fresh(release)).decode() if release else None,
                contribution=Contribution(3, 1, None, 1000),
                data_pool=DataPool(12, 34_000, 5, 10_000, data_sufficient=True),
            )
        )

    def _event(self, was: str | None) -> EligibilityEvent | None:
        if not self.tells_events or was is None or (was == "true") is self.eligible:
            return None
        return "became_eligible" if self.eligible else "no_longer_eligible"

    def _download(self, seen: Seen) -> Reply:
        release = self.release
        if release is None or seen.query.get("hash") != release.model_hash:
            return refusal(Refusal.HASH_NOT_SERVED)
        content = self.served or release.blob
        first = int(seen.headers.get("range", "bytes=0-")[6:-1])
        if not self.ranges or first == 0:
            return Reply(200, content, {"etag": f'"{release.model_hash}"'})
        if first >= len(content):
            return Reply(416)
        part = {"content-range": f"bytes {first}-{len(content) - 1}/{len(content)}"}
        return Reply(206, content[first:], part)


def _handler(hub: Hub) -> type[BaseHTTPRequestHandler]:  # noqa: C901 - counts all methods of the class
    class Handler(BaseHTTPRequestHandler):
        """One connection."""

        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            """Read the request, keep it, answer it."""
            length = int(self.headers.get("content-length") or 0)
            parts = urlsplit(self.path)
            seen = Seen(
                self.command,
                parts.path,
                {name: values[0] for name, values in parse_qs(parts.query).items()},
                {name.lower(): value for name, value in self.headers.items()},
                self.rfile.read(length),
            )
            reply = hub.answer(seen)
            if reply.hang_up:
                self.close_connection = True
                return
            self._send_head(reply)
            self._send(reply)

        def _send_head(self, reply: Reply) -> None:
            self.send_response_only(reply.status)
            if hub.date_s is not None:
                self.send_header("date", formatdate(hub.date_s, usegmt=True))
            for name, value in {"content-length": str(len(reply.body)), **reply.headers}.items():
                self.send_header(name, value)
            self.end_headers()

        def _send(self, reply: Reply) -> None:
            try:
                if reply.cut_at is not None:
                    self.wfile.write(reply.body[: reply.cut_at])
                    self.close_connection = True
                    return
                if not reply.drip_s:
                    self.wfile.write(reply.body)
                    return
                for byte in reply.body:
                    self.wfile.write(bytes([byte]))
                    self.wfile.flush()
                    time.sleep(reply.drip_s)
            except OSError:  # the client had enough
                self.close_connection = True

        do_GET = do_PUT = do_POST = do_DELETE = handle_any  # noqa: N815 - the names http.server looks for

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
            """Stay silent."""

    return Handler


@contextmanager
def running(hub: Hub) -> Iterator[Hub]:
    """The hub on a port of its own."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(hub))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
