"""One installation's door to the pool: what the command line, a logger and the fleet call.

In: a state folder with its configuration, readings. Out: stored submissions, models, scorers.
Guarantee: synchronous and thin, each method is one step of the other modules; the network is
touched only with a `Permit`.

Keys and models are imported by the methods that need them: a logger that only sends starts faster.
"""

from __future__ import annotations

import os
import threading
from functools import cached_property
from typing import TYPE_CHECKING, Final

import msgspec

from heatpool_client import config as configuration
from heatpool_client import consent, upload
from heatpool_client.clock import SYSTEM, Clock
from heatpool_client.connection import Connection, Unreachable, refusal
from heatpool_client.faults import ClientError, Fault
from heatpool_client.home import find_home, read_private
from heatpool_client.replay import Pace, replay
from heatpool_client.retry import is_worth_repeating
from heatpool_client.submission import Sender, body, submissions
from heatpool_client.version import CLIENT_VERSION
from heatpool_contract.rejects import SealRefused

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from heatpool_client.config import Config, Token
    from heatpool_client.connection import Sign
    from heatpool_client.consent import Permit
    from heatpool_client.home import Home
    from heatpool_client.models import Active, ModelStore
    from heatpool_client.replay import Totals
    from heatpool_client.spool import Spool
    from heatpool_client.submission import Row
    from heatpool_client.updates import Update
    from heatpool_client.upload import Stored
    from heatpool_contract.answers import CheckAnswer
    from heatpool_contract.detector import Detector
    from heatpool_contract.scoring import Scorer
    from heatpool_contract.telemetry import Submission
    from heatpool_contract.trust import Trust

KEYS_PATH: Final = "/api/v1/installations/{}/keys"
STATUS_ERROR: Final = 400


class Pool:
    """Opened by `Pool.open`; close it, or use it as a context manager."""

    def __init__(
        self, home: Home, config: Config, environ: Mapping[str, str], clock: Clock = SYSTEM
    ) -> None:
        """Open no socket and read no file yet."""
        self.home = home
        self.config = config
        self.environ = environ
        self.clock = clock
        self._connections: dict[str, Connection] = {}
        self._opening = threading.Lock()

    @classmethod
    def open(
        cls,
        home: Path | None = None,
        environ: Mapping[str, str] | None = None,
        clock: Clock = SYSTEM,
    ) -> Self:
        """The installation in `home`, by default where `heatpool init` put it.

        Raises:
            ClientError: `not_initialised`, `config_invalid`.
        """
        environ = os.environ if environ is None else environ
        found = find_home(home, environ)
        return cls(found, configuration.load(found, environ), environ, clock)

    @property
    def sender(self) -> Sender:
        """Whose readings are sent."""
        return Sender(self.config.installation, self.config.model, self.config.version)

    @cached_property
    def store(self) -> ModelStore[Detector]:
        """The models of this heat pump."""
        from heatpool_client.models import ModelStore  # noqa: PLC0415 - see above
        from heatpool_client.updates import engine  # noqa: PLC0415 - see above

        return ModelStore(self.home.models, self.config.slug, engine(), CLIENT_VERSION)

    @cached_property
    def spool(self) -> Spool:
        """The readings that wait.

        Raises:
            ClientError: `spool_unusable`.
        """
        from heatpool_client.spool import Spool  # noqa: PLC0415 - see above

        self.home.create()
        return Spool(self.home.spool, self.config.bounds, self.clock)

    def permit(self) -> Permit:
        """The consent to send, for who wants to know before working.

        Raises:
            ClientError: `do_not_track`, `consent_*`.
        """
        return consent.require(self.home, self.environ)

    def preview(self, rows: Iterable[Row]) -> bytes | None:
        """The exact bytes of the first request (before gzip) that `send` would make of `rows`."""
        first = next(submissions(rows, self.sender, self.config.batch_records_max), None)
        return None if first is None else body(first, self.clock.now_s())

    def submit(self, submission: Submission) -> Stored:
        """Store one submission.

        Raises:
            Unreachable: keep it and try later.
            Refused: it will never be taken.
            ClientError: no consent, no token, `redirected`, `answer_garbled`.
        """
        return upload.submit(self.edge(), submission, self.config.retry_s_max, self.clock)

    def edge(self) -> Connection:
        """The connection that takes submissions.

        Raises:
            ClientError: no consent, no token.
        """
        return self._connection(self.config.submit_url)

    def hub(self) -> Connection:
        """The connection to the modelhub.

        Raises:
            ClientError: no consent, no token.
        """
        return self._connection(self.config.hub_url)

    def send(
        self, rows: Iterable[Row], *, records_max: int | None = None, speed: float | None = None
    ) -> Iterator[Totals]:
        """Store rows, request after request; yields the totals so far after each.

        Args:
            rows: any number.
            records_max: of one request; None: as configured.
            speed: how many times faster than recorded; None: at once.

        Raises:
            ClientError: as `submit`; what was yielded last still holds.
        """
        self.edge()  # refuse before any row is read
        pace = Pace(speed, self.clock)
        limit = records_max or self.config.batch_records_max
        return replay(rows, self.sender, self.submit, limit, pace)

    def register(self) -> str:
        """Make the public keys known to the hub: `bound` or `unchanged`.

        Raises:
            Unreachable: not now.
            Refused: `key_conflict`, another key holds this id.
        """
        from heatpool_client import keys as identity  # noqa: PLC0415 - see above

        keys = identity.load(self.home)
        installation = self.config.installation
        connection = self._connection(self.config.hub_url)
        answer = connection.ask(
            "PUT",
            KEYS_PATH.format(installation),
            headers={"content-type": "application/json"},
            content=msgspec.json.encode(keys.registration(installation)),
        )
        if is_worth_repeating(answer.status):
            raise Unreachable(f"status {answer.status}, {refusal(answer).problem.code}")
        if answer.status >= STATUS_ERROR:
            raise refusal(answer)
        try:
            status = msgspec.json.decode(answer.body, type=_KeysSeen).status
        except ValueError as error:
            raise ClientError(Fault.ANSWER_GARBLED, connection.base_url, error) from error
        now_s = int(self.clock.now_s())
        identity.save(self.home, msgspec.structs.replace(keys, registered_s=now_s))
        return status

    def check(self) -> CheckAnswer:
        """What the hub has for this installation.

        Raises:
            Unreachable: not now.
            Refused: not at all.
        """
        from heatpool_client import updates  # noqa: PLC0415 - see above

        active = self.active()
        connection = self._connection(self.config.hub_url)
        return updates.check(connection, self.config, active.entry.model_hash if active else None)

    def update(self, *, again: bool = False) -> Update:
        """Fetch, verify and activate the newest model; registers the keys first if need be.

        Raises:
            ClientError: `trust_missing`, `model_rejected`; as `check` and `register`.
        """
        from heatpool_client import keys as identity  # noqa: PLC0415 - see above
        from heatpool_client.updates import Believer, Updater, advance_trust  # noqa: PLC0415 - see above
        from heatpool_client.updating import read_watched  # noqa: PLC0415 - see above

        connection = self._connection(self.config.hub_url)
        keys = identity.load(self.home)
        trust = advance_trust(connection, self.home.root, self.trust())
        if keys.registered_s is None:
            self.register()
        believer = Believer(keys.own(self.config.installation), trust)
        updater = Updater(connection, self.config, self.store, believer, self.clock)
        return updater.run(again=again, was_eligible=read_watched(self.home).eligible)

    def active(self) -> Active[Detector] | None:
        """The opened model; None before the first one.

        Raises:
            ClientError: `model_rejected`, the disk does not give it back.
        """
        try:
            return self.store.active()
        except SealRefused as error:
            raise ClientError(Fault.MODEL_REJECTED, error) from error

    def scorer(self) -> Scorer:
        """A new scorer with the opened model.

        Raises:
            ClientError: `no_model`.
        """
        from heatpool_contract.scoring import Scorer  # noqa: PLC0415 - see above

        active = self.active()
        if active is None:
            raise ClientError(Fault.NO_MODEL)
        return Scorer(active.detector)

    def trust(self) -> Trust:
        """The newest trust file believed.

        Raises:
            ClientError: `trust_missing`, `model_rejected`.
        """
        from heatpool_client import trusted  # noqa: PLC0415 - see above

        first = read_private(self.home.trust_first)
        if first is None:
            raise ClientError(Fault.TRUST_MISSING)
        try:
            return trusted.believed(self.home.root, first)
        except SealRefused as error:
            raise ClientError(Fault.MODEL_REJECTED, error) from error

    def close(self) -> None:
        """Close the sockets."""
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()
        if "spool" in self.__dict__:
            self.spool.close()

    def __enter__(self) -> Self:
        """Use as a context manager."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the sockets."""
        self.close()

    def _token(self) -> Token:
        return configuration.read_token(self.home, self.environ)

    def _sign(self) -> Sign | None:
        """What signs requests to the hub; None for a logger without keys (of before they were)."""
        from heatpool_client import keys as identity  # noqa: PLC0415 - see above

        if read_private(self.home.identity) is None:
            return None
        keys = identity.load(self.home)
        return keys.sign(self.config.installation, self.clock.now_s, os.urandom)

    def _connection(self, base_url: str) -> Connection:
        """Opened once; the consent is looked at each time, since it can be withdrawn meanwhile."""
        permit = self.permit()
        with self._opening:  # the owner's page asks from several threads
            known = self._connections.get(base_url)
            if known is None:
                sign = self._sign() if base_url == self.config.hub_url else None
                known = Connection(base_url, self.config, self._token(), permit, self.clock, sign)
                self._connections[base_url] = known
        return known


class _KeysSeen(msgspec.Struct, frozen=True):
    """`answers.KeysAnswer`, open for further words."""

    status: str
