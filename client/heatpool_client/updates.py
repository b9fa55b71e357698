"""From the hub's check to the active model.

In: a connection to the hub, keys, the trust file. Out: an `Update` that says what happened.
Guarantee: a model is active only after every check of `models`; the one that was active stays
until then; a download ends at its cap, its deadline, or below its least rate.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from heatpool_client import trusted
from heatpool_client.connection import Refused, Unreachable, refusal
from heatpool_client.downloads import download
from heatpool_client.faults import ClientError, Fault
from heatpool_client.models import Engine, ModelStore, Offer, OwnKeys
from heatpool_client.retry import is_worth_repeating
from heatpool_client.version import BUILT_S
from heatpool_contract import detector, self_testing
from heatpool_contract.answers import CheckAnswer
from heatpool_contract.detector import Detector
from heatpool_contract.detector_checks import ENGINE, MalformedDetector
from heatpool_contract.rejects import Reject, SealRefused
from heatpool_contract.trust import STEPS_MAX, Trust

if TYPE_CHECKING:
    from pathlib import Path

    from heatpool_client.clock import Clock
    from heatpool_client.config import Config
    from heatpool_client.connection import Answer, Connection

CHECK_PATH: Final = "/api/v1/model/check"
TRUST_PATH: Final = "/api/v1/trust/{}"
STATUS_OK: Final = 200
STATUS_ERROR: Final = 400
STATUS_NOT_FOUND: Final = 404
STATUS_CONFLICT: Final = 409

Outcome = Literal["activated", "current", "not_eligible", "no_model"]

DetectorStore = ModelStore[Detector]


class Update(msgspec.Struct, frozen=True, kw_only=True):
    """What one cycle found."""

    outcome: Outcome
    answer: CheckAnswer
    model_hash: str | None = None
    """Of the model that is active now."""
    version: str | None = None
    bytes_loaded: int = 0
    fresh: bool = False
    """The hub vouched for this release within the last two days."""


class Believer(msgspec.Struct, frozen=True):
    """Whom this logger believes, and who it is itself."""

    keys: OwnKeys
    trust: Trust


def engine() -> Engine[Detector]:
    """The scorer of this program."""
    return Engine(
        name=ENGINE,
        decode=detector.decode,
        self_test=lambda one: self_testing.self_test(one) is None,
        malformed=(MalformedDetector,),
    )


def check(
    connection: Connection,
    config: Config,
    current_hash: str | None,
    *,
    was_eligible: bool | None = None,
) -> CheckAnswer:
    """Ask the hub what there is for this installation.

    Args:
        connection: to the hub.
        config: who asks.
        current_hash: of the model that is active.
        was_eligible: what was said last; the answer tells the change. None: do not ask for it.

    Raises:
        Unreachable: not now.
        Refused: not at all.
        ClientError: `answer_garbled`, `redirected`.
    """
    params = {"installation_id": config.installation_id, "model": config.model}
    if current_hash is not None:
        params["current_hash"] = current_hash
    if was_eligible is not None:
        params["was_eligible"] = "true" if was_eligible else "false"
    answer = connection.ask("GET", CHECK_PATH, params=params)
    _expect_ok(connection, answer)
    try:
        return msgspec.json.decode(answer.body, type=CheckAnswer)
    except ValueError as error:
        raise ClientError(Fault.ANSWER_GARBLED, connection.base_url, error) from error


def advance_trust(connection: Connection, folder: Path, trust: Trust) -> Trust:
    """Follow the signed trust files that the hub has, one version after the other (TUF 5.3).

    Raises:
        Unreachable: not now.
        ClientError: `model_rejected`: the hub has a successor that is none; the own file stays.
    """
    for _ in range(STEPS_MAX):
        answer = connection.ask("GET", TRUST_PATH.format(trust.version + 1))
        if answer.status == STATUS_NOT_FOUND:
            break
        _expect_ok(connection, answer)
        try:
            trust = trusted.advance(folder, trust, [answer.body])
        except SealRefused as refused:
            raise ClientError(Fault.MODEL_REJECTED, refused) from refused
    return trust


class Updater:
    """Everything that one cycle needs."""

    def __init__(
        self,
        connection: Connection,
        config: Config,
        store: DetectorStore,
        believer: Believer,
        clock: Clock,
    ) -> None:
        """Touch nothing yet."""
        self._connection = connection
        self._config = config
        self._store = store
        self._believer = believer
        self._clock = clock

    def run(self, *, again: bool = False, was_eligible: bool | None = None) -> Update:
        """Check, download what is new, verify, activate.

        Args:
            again: download and verify also what is active already.
            was_eligible: see `check`.

        Raises:
            Unreachable: not now.
            Refused: not at all.
            ClientError: `model_rejected` with the code of the failed check, `answer_garbled`.
        """
        try:
            return self._cycle(again=again, was_eligible=was_eligible)
        except Refused as error:
            if error.status != STATUS_CONFLICT:
                raise
            # A release was published between check and download.
            return self._cycle(again=again, was_eligible=was_eligible)
        except SealRefused as error:
            raise ClientError(Fault.MODEL_REJECTED, error) from error

    def _cycle(self, *, again: bool, was_eligible: bool | None) -> Update:
        now_s = self._now_s()
        active = self._store.active()
        have = active.entry if active and not active.is_previous else None
        have_hash = have.model_hash if have else None
        answer = check(self._connection, self._config, have_hash, was_eligible=was_eligible)
        fresh = self._decoded(answer.fresh)
        if not answer.eligible or answer.model_hash is None:
            outcome: Outcome = "not_eligible" if not answer.eligible else "no_model"
        elif have and have.model_hash == answer.model_hash and not again:
            outcome = "current"
            if fresh is not None:
                self._store.note_fresh(fresh, self._believer.trust, now_s)
        else:
            return self._load(answer, fresh, now_s)
        entry = active.entry if active else None
        return Update(
            outcome=outcome,
            answer=answer,
            model_hash=entry.model_hash if entry else None,
            version=entry.version if entry else None,
            fresh=outcome == "current" and fresh is not None,
        )

    def _load(self, answer: CheckAnswer, fresh: bytes | None, now_s: int) -> Update:
        grant = self._decoded(answer.key_grant)
        if answer.model_hash is None or grant is None:
            raise self._garbled("eligible, and no key for the model")
        blob = download(
            self._connection, self._config, answer.model_hash, self._store.folder, self._clock
        )
        offer = Offer(
            model_hash=answer.model_hash,
            grant=grant,
            is_fleet_grant=answer.grant_kind == "fleet",
            fresh=fresh,
        )
        believer = self._believer
        entry = self._store.activate(blob, offer, believer.keys, believer.trust, now_s).entry
        return Update(
            outcome="activated",
            answer=answer,
            model_hash=entry.model_hash,
            version=entry.version,
            bytes_loaded=len(blob),
            fresh=fresh is not None,
        )

    def _now_s(self) -> int:
        """Fixed once for the whole cycle (TUF 5.1)."""
        system_s = int(self._clock.now_s())
        try:
            return self._store.cycle_start_s(system_s, BUILT_S, self._believer.trust)
        except SealRefused as refused:
            if refused.code is not Reject.STATE_DAMAGED:
                raise
            return max(system_s, BUILT_S)  # `activate` starts the state anew

    def _decoded(self, text: str | None) -> bytes | None:
        try:
            return None if text is None else b64decode(text, validate=True)
        except (binascii.Error, ValueError) as error:
            raise self._garbled("not base64") from error

    def _garbled(self, why: str) -> ClientError:
        return ClientError(Fault.ANSWER_GARBLED, self._connection.base_url, why)


def _expect_ok(connection: Connection, answer: Answer) -> None:
    if is_worth_repeating(answer.status):
        raise Unreachable(f"status {answer.status}, {refusal(answer).problem.code}")
    if answer.status >= STATUS_ERROR:
        raise refusal(answer)
    if answer.status != STATUS_OK:
        raise ClientError(Fault.ANSWER_GARBLED, connection.base_url, f"status {answer.status}")
