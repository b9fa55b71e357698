"""Routes of a home's rights: its own data, their erasure, what it agreed to.

In: requests with a token, signed if the installation has a key. Out: the export as it is read;
an erasure in KV ERASURES, which the writer carries out; a record in the stream CONSENT. Guarantee:
nobody gets or erases what is another's; consent records form one chain in which each names the hash
of the one before, and the stream lets nothing be deleted.
"""

from __future__ import annotations

from contextlib import suppress
from hashlib import blake2b, sha256
from typing import TYPE_CHECKING, Final

import msgspec
import nats.errors
from litestar import HttpMethod, delete, post, route
from litestar.params import FromPath  # noqa: TC002 - Litestar reads annotations at run time
from litestar.response import Stream
from litestar.response.base import ASGIResponse  # noqa: TC002 - Litestar reads annotations
from nats.js.errors import (
    APIError,
    KeyNotFoundError,
    KeyWrongLastSequenceError,
    NotFoundError,
)

from heatpool_chassis import buckets, own_data
from heatpool_contract import erasures
from heatpool_contract.answers import ConsentAnswer, ErasureAnswer
from heatpool_contract.consents import PATH, ConsentRequest
from heatpool_contract.erasures import Erasure
from heatpool_contract.refusals import Refusal
from heatpool_contract.subjects import KV_ERASURES, STREAM_CONSENT, SUBJECT_CONSENT
from heatpool_contract.telemetry import RETENTION_DAYS
from heatpool_modelhub.answering import NO_STORE, RefusedError, answer
from heatpool_modelhub.asking import (
    Asked,
    Ports,
    address_of,
    installation_of,
    signer_of,
)
from heatpool_modelhub.parameters import read

if TYPE_CHECKING:
    from litestar.handlers import HTTPRouteHandler
    from nats.aio.client import Client

    from heatpool_chassis.victoria import Victoria
    from heatpool_contract.identity import InstallationId, Pseudonym
    from heatpool_modelhub.hub import Hub

READ: Final = [HttpMethod.GET, HttpMethod.HEAD]
RECEIPT_BYTES: Final = 16
RETRY_AFTER_S: Final = 5
TIMEOUT_S: Final = 5.0
ATTEMPTS_MAX: Final = 20  # of a record beside those of other homes
_LAST_SEQUENCE: Final = "Nats-Expected-Last-Subject-Sequence"
_GENESIS: Final = "0" * 64
_DAY_S: Final = 86_400


class ConsentRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One link of the chain."""

    installation: str
    """Pseudonym."""
    request: ConsentRequest
    """Without the id."""
    server_time: float
    signature: dict[str, str]
    """Headers by which the installation signed the request: the proof that it was its own."""
    previous: str
    """SHA-256 of the record before."""


class Rights:
    """The stores behind the routes."""

    def __init__(self, client: Client, store: Victoria | None, receipt_key: bytes) -> None:
        self._js = client.jetstream(timeout=TIMEOUT_S)
        self.store = store
        self._receipt_key = receipt_key

    def receipt(self, home: Pseudonym, signer: bytes | None) -> str:
        """Of an erasure that this key asks for: who repeats the request gets it again.

        Also when the pool has forgotten the key; nobody else can compute it.
        """
        name = b"heatpool-erasure" + home.encode() + (signer or b"")
        return blake2b(name, key=self._receipt_key, digest_size=RECEIPT_BYTES).hexdigest()

    async def erase(self, receipt: str, home: Pseudonym, now_ms: int) -> ErasureAnswer:
        """Ask the writer for an erasure."""
        erasure = Erasure(installation=home, requested_ms=now_ms)
        bucket = buckets.bound(self._js, KV_ERASURES)
        with suppress(KeyWrongLastSequenceError):  # the same request came at the same time
            await bucket.create(receipt, erasures.encode(erasure))
        return _erasure_answer(receipt, erasure)

    async def erasure(self, receipt: str) -> ErasureAnswer:
        """How far an erasure is. Who has the receipt may know."""
        if len(receipt) != 2 * RECEIPT_BYTES or not receipt.isalnum():
            raise RefusedError(Refusal.RECEIPT_INVALID)
        found = await self.find(receipt)
        if found is None:
            raise RefusedError(Refusal.RECEIPT_INVALID)
        return found

    async def find(self, receipt: str) -> ErasureAnswer | None:
        """The erasure with this receipt."""
        bucket = buckets.bound(self._js, KV_ERASURES)
        try:
            found = erasures.decode((await bucket.get(receipt)).value or b"")
        except (KeyNotFoundError, erasures.MalformedErasureError):
            return None
        return _erasure_answer(receipt, found)

    async def record(self, record: ConsentRecord) -> ConsentAnswer:
        """Append a record to the chain."""
        for _ in range(ATTEMPTS_MAX):
            try:
                last = await self._js.get_last_msg(STREAM_CONSENT, SUBJECT_CONSENT)
                sequence, previous = last.seq or 0, sha256(last.data or b"").hexdigest()
            except NotFoundError:
                sequence, previous = 0, _GENESIS
            body = msgspec.json.encode(msgspec.structs.replace(record, previous=previous))
            try:
                stored = await self._js.publish(
                    SUBJECT_CONSENT, body, headers={_LAST_SEQUENCE: str(sequence)}
                )
            except APIError:  # another record came between
                continue
            return ConsentAnswer(sequence=stored.seq, hash=sha256(body).hexdigest())
        raise RefusedError(Refusal.BUS_UNAVAILABLE, retry_after_s=RETRY_AFTER_S)


def rights_routes(hub: Hub, ports: Ports, rights: Rights) -> list[HTTPRouteHandler]:
    """Export, erasure, consent."""

    @route("/api/v1/installations/{installation:str}/export", http_method=READ)
    async def export(request: Asked, installation: FromPath[str]) -> Stream:
        """Everything that is stored of an installation, oldest first."""
        home = installation_of(installation)
        await _require_own(request, home, hub, ports)
        if rights.store is None:
            raise RefusedError(Refusal.STORE_UNAVAILABLE, retry_after_s=RETRY_AFTER_S)
        form = read(request.scope["query_string"], ("format",)).get("format", "csv")
        if form not in {"csv", "jsonl"}:
            raise RefusedError(Refusal.BAD_REQUEST, "format must be csv or jsonl")
        now_s = int(ports.clock())
        lines = own_data.csv_lines if form == "csv" else own_data.json_lines
        media = own_data.MEDIA_CSV if form == "csv" else own_data.MEDIA_JSON_LINES
        if request.method == HttpMethod.HEAD:
            return Stream((), media_type=media, headers={"cache-control": NO_STORE})
        span = (now_s - RETENTION_DAYS * _DAY_S, now_s + _DAY_S)
        return Stream(
            lines(rights.store, hub.pseudonym(home), *span),
            media_type=media,
            headers={"cache-control": NO_STORE},
        )

    @delete("/api/v1/installations/{installation:str}", status_code=202)
    async def erase(request: Asked, installation: FromPath[str]) -> ASGIResponse:
        """Begin an erasure; the receipt shows how far it is. A repeated request changes nothing."""
        ports.loggers.require(request.headers.get("authorization"))
        try:
            begun = await _begin(request, installation_of(installation), hub, ports, rights)
        except (nats.errors.Error, TimeoutError) as error:
            raise RefusedError(Refusal.BUS_UNAVAILABLE, retry_after_s=RETRY_AFTER_S) from error
        return answer(begun, 202)

    @route("/api/v1/erasures/{receipt:str}", http_method=READ)
    async def erasure(receipt: FromPath[str]) -> ASGIResponse:
        """How far an erasure is."""
        try:
            return answer(await rights.erasure(receipt))
        except (nats.errors.Error, TimeoutError) as error:
            raise RefusedError(Refusal.BUS_UNAVAILABLE, retry_after_s=RETRY_AFTER_S) from error

    return [export, erase, erasure, _consent_route(hub, ports, rights)]


async def _begin(
    request: Asked, home: InstallationId, hub: Hub, ports: Ports, rights: Rights
) -> ErasureAnswer:
    signer, name = await signer_of(request, home, hub, ports), hub.pseudonym(home)
    receipt = rights.receipt(name, signer)
    if (begun := await rights.find(receipt)) is not None:
        return begun
    hub.require_own(home, signer)
    if not hub.has_contributed(home):
        ports.limits.bury(ports.clock())
    return await rights.erase(receipt, name, int(ports.clock() * 1000))


def _consent_route(hub: Hub, ports: Ports, rights: Rights) -> HTTPRouteHandler:
    @post(PATH, status_code=201)
    async def consent(request: Asked) -> ASGIResponse:
        """Record that an installation agreed to a text, or withdrew."""
        try:
            given = msgspec.json.decode(await request.body(), type=ConsentRequest)
        except (ValueError, RecursionError) as error:
            raise RefusedError(Refusal.CONSENT_INVALID) from error
        home = installation_of(given.installation_id)
        await _require_own(request, home, hub, ports)
        if not hub.has_contributed(home):  # ids cost nothing, and a record is kept for good
            ports.limits.register(address_of(request), ports.clock())
        record = ConsentRecord(
            installation=hub.pseudonym(home),
            request=msgspec.structs.replace(given, installation_id=""),
            server_time=ports.clock(),
            signature={name: text for name, text in request.headers.items() if name[:3] == "hp-"},
            previous="",
        )
        try:
            return answer(await rights.record(record), 201)
        except (nats.errors.Error, TimeoutError) as error:
            raise RefusedError(Refusal.BUS_UNAVAILABLE, retry_after_s=RETRY_AFTER_S) from error

    return consent


async def _require_own(request: Asked, home: InstallationId, hub: Hub, ports: Ports) -> None:
    ports.loggers.require(request.headers.get("authorization"))
    hub.require_own(home, await signer_of(request, home, hub, ports))


def _erasure_answer(receipt: str, erasure: Erasure) -> ErasureAnswer:
    return ErasureAnswer(
        receipt=receipt,
        step=erasure.step.name.lower(),
        requested=erasure.requested_ms / 1000,
        not_before=erasure.not_before_ms / 1000 or None,
        finished=erasure.finished_ms / 1000 or None,
    )
