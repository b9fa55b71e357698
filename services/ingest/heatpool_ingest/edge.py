"""The whole way of one submission, from its headers to what is stored.

In: a request. Out: `Outcome`, or the exception that `app` has an answer for. Guarantee: the order
of checks is from cheap to dear; nothing is read before there is room for it, nothing is charged
that was not stored; every record and value is counted under its outcome.
"""

from __future__ import annotations

import hmac
import time
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from heatpool_chassis.addresses import masked
from heatpool_chassis.quotas import Buckets, Rate
from heatpool_contract import subjects
from heatpool_contract.answers import ReceiptAnswer, SubmitAnswer
from heatpool_contract.refusals import Refusal
from heatpool_contract.telemetry import BODY_BYTES_MAX
from heatpool_ingest import clocks, receipts, tracing
from heatpool_ingest.admission import RequestRefusedError
from heatpool_ingest.inflate import ENCODINGS
from heatpool_ingest.lanes import Budget, Lane, Lanes, lane_of
from heatpool_ingest.pressure import sheds
from heatpool_ingest.publishing import PublishUnavailableError
from heatpool_ingest.reading import Bodies

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from litestar.types import Receive

    from heatpool_chassis.lifecycle import Lifecycle
    from heatpool_chassis.metrics import IngestMetrics
    from heatpool_contract.answers import Tally
    from heatpool_ingest.erased import Erased
    from heatpool_ingest.preparation import Prepared
    from heatpool_ingest.progress import Progress
    from heatpool_ingest.publishing import Publisher, Stored
    from heatpool_ingest.settings import Settings
    from heatpool_ingest.workers import Workers

QUOTA_ENTRIES_MAX: Final = 50_000  # 12 MB; more homes than one edge serves
NETWORKS_MAX: Final = 10_000
REQUEST_RECORDS_MIN: Final = 5  # what a request costs its sender at least, in records
_PACKED_COST: Final = 4  # a compressed body and its messages, which are a third of its text
_BEARER: Final = "bearer "


class Ports(NamedTuple):
    """What the edge talks to."""

    publisher: Publisher
    workers: Workers
    progress: Progress
    erased: Erased
    tracer: tracing.Tracer


class Arrival(NamedTuple):
    """A request before its body is read."""

    headers: Mapping[str, str]
    address: str | None
    receive: Receive
    body_bytes: int | None
    """As declared."""

    @property
    def lane(self) -> Lane:
        """Which way it takes."""
        return lane_of(self.body_bytes)


class Outcome(NamedTuple):
    """What a submission came to."""

    answer: SubmitAnswer
    body_bytes: int
    records: int


class Edge:
    """One running edge: what the routes share."""

    def __init__(
        self, settings: Settings, life: Lifecycle, metrics: IngestMetrics, ports: Ports
    ) -> None:
        self.life = life
        self.metrics = metrics
        self._settings = settings
        self._ports = ports
        self._tokens = [token.encode() for token in settings.tokens]
        self._receipt_key = settings.receipt_key.encode()
        self._lanes = Lanes(
            Budget(settings.live_bytes_max, settings.live_wait_s_max),
            Budget(settings.bulk_bytes_max, settings.bulk_wait_s_max),
        )
        self._bodies = Bodies(settings.body_s_max)
        self._quotas = Buckets(
            Rate(settings.quota_records_burst, settings.quota_records_per_s), QUOTA_ENTRIES_MAX
        )
        self._networks = Buckets(
            Rate(settings.wrong_tokens_burst, settings.wrong_tokens_per_s), NETWORKS_MAX
        )
        self._clocks = clocks.Clocks()
        self._prepare_s = metrics.stage_seconds.labels("prepare")
        self._publish_s = metrics.stage_seconds.labels("publish")
        self._taken = {
            outcome: (metrics.records.labels(outcome), metrics.samples.labels(outcome))
            for outcome in ("accepted", "duplicate")
        }
        self._observed()

    def authorise(self, authorization: str | None, address: str | None) -> None:
        """Raise unless the header carries a valid token. Takes the same time for all of them."""
        if not authorization or not authorization.lower().startswith(_BEARER):
            raise RequestRefusedError(Refusal.TOKEN_MISSING)
        given = authorization[len(_BEARER) :].strip().encode("utf-8", "surrogateescape")
        if not given:
            raise RequestRefusedError(Refusal.TOKEN_MISSING)
        if not any([hmac.compare_digest(given, token) for token in self._tokens]):  # noqa: C419 - all of them, always
            wait_s = self._networks.take(masked(address), 1, time.monotonic())
            if wait_s:
                raise RequestRefusedError(Refusal.TOKEN_ATTEMPTS_TOO_MANY, retry_after_s=wait_s)
            raise RequestRefusedError(Refusal.TOKEN_WRONG)

    async def submit(self, arrival: Arrival) -> Outcome:
        """Take a submission.

        Raises:
            RequestRefusedError, LaneFullError, WorkerLostError, PublishUnavailableError.
        """
        headers = arrival.headers
        self.authorise(headers.get("authorization"), arrival.address)
        encoding = headers.get("content-encoding", "").strip().lower()
        if encoding not in ENCODINGS:
            raise RequestRefusedError(Refusal.ENCODING_UNSUPPORTED)
        if (arrival.body_bytes or 0) > BODY_BYTES_MAX:
            raise RequestRefusedError(Refusal.BODY_TOO_LARGE, limit=BODY_BYTES_MAX)
        if self.life.stopping.is_set():
            raise RequestRefusedError(Refusal.STOPPING)
        if not self._ports.erased.usable(time.monotonic()):
            raise RequestRefusedError(Refusal.BUS_UNAVAILABLE)
        lane = arrival.lane
        if sheds(self._ports.progress.state, lane):
            raise RequestRefusedError(Refusal.OVERLOADED)
        size = BODY_BYTES_MAX if arrival.body_bytes is None else arrival.body_bytes
        if encoding not in ("", "identity"):
            size = min(size * _PACKED_COST, BODY_BYTES_MAX)
        async with self._lanes[lane].hold(size):
            return await self._take(arrival, encoding)

    async def _take(self, arrival: Arrival, encoding: str) -> Outcome:
        with self._ports.tracer.span(
            tracing.traceparent(arrival.headers.get("traceparent"))
        ) as trace:
            body = await self._bodies.read(arrival.receive)
            now_s = time.time()
            started_s = time.perf_counter()
            try:
                prepared = await self._ports.workers.prepare(body, encoding, now_s, arrival.lane)
            finally:
                self._prepare_s.observe(time.perf_counter() - started_s)
            del body  # large ones wait for the stream without it
            if self._ports.erased.is_erased(prepared.installation):
                raise RequestRefusedError(Refusal.INSTALLATION_GONE)
            self.metrics.body_bytes.observe(prepared.body_bytes)
            skew = clocks.skew_s(prepared.sent_at, now_s)
            stored: Stored | None = None
            if prepared.payloads:
                stored = await self._publish(prepared, _headers(trace, skew))
        if skew is not None:
            self._clocks.observe(prepared.installation, skew)
            self.metrics.clock_skew_seconds.observe(skew)
        self._count(prepared, stored)
        return Outcome(
            self._answer(prepared, stored, skew), prepared.body_bytes, prepared.records_sent
        )

    async def _publish(self, prepared: Prepared, headers: dict[str, str]) -> Stored:
        cost = max(prepared.records, REQUEST_RECORDS_MIN)
        wait_s = self._quotas.take(prepared.installation, cost, time.monotonic())
        if wait_s:
            raise RequestRefusedError(Refusal.QUOTA_EXCEEDED, retry_after_s=wait_s)
        started_s = time.perf_counter()
        try:
            return await self._ports.publisher.publish(prepared, headers)
        except PublishUnavailableError:
            self._quotas.give_back(prepared.installation, cost, time.monotonic())
            raise
        finally:
            self._publish_s.observe(time.perf_counter() - started_s)

    def receipt(self, token: str) -> ReceiptAnswer:
        """What became of the submission that a receipt names.

        Raises:
            RequestRefusedError: receipt_invalid.
        """
        try:
            receipt = receipts.read(token, self._receipt_key)
        except receipts.ReceiptInvalidError as error:
            raise RequestRefusedError(Refusal.RECEIPT_INVALID) from error
        progress = self._ports.progress
        messages = range(receipt.seq_first, receipt.seq_last + 1)
        dead = [progress.dead[seq] for seq in messages if seq in progress.dead]
        passed = sum(seq <= progress.state.floor_seq for seq in messages)
        stored = sum(
            seq <= progress.state.floor_seq and seq not in progress.dead for seq in messages
        )
        return ReceiptAnswer(
            state="dead_lettered" if dead else "stored" if passed == len(messages) else "queued",
            records=receipt.records,
            messages=receipt.messages,
            queued=receipt.messages - stored - len(dead),
            stored=stored,
            dead_lettered=len(dead),
            reasons=sorted(set(dead)),
        )

    def _answer(
        self, prepared: Prepared, stored: Stored | None, skew: float | None
    ) -> SubmitAnswer:
        receipt = None
        if stored is not None:
            receipt = receipts.sign(
                receipts.Receipt(stored.seq_first, len(prepared.payloads), prepared.records),
                self._receipt_key,
            )
        return SubmitAnswer(
            processed=prepared.records,
            rejected=_sum(prepared.rejections),
            rejections=prepared.rejections,
            values_dropped=prepared.values_dropped,
            samples=prepared.samples,
            duplicate=stored.duplicate if stored else False,
            receipt=receipt,
            clock_skew_s=None if skew is None else round(skew, 1),
        )

    def _count(self, prepared: Prepared, stored: Stored | None) -> None:
        records, samples = self._taken["duplicate" if stored and stored.duplicate else "accepted"]
        records.inc(prepared.records)
        samples.inc(prepared.samples)
        for tally in prepared.rejections:
            self.metrics.records.labels(tally.reason).inc(tally.count)
        for tally in prepared.values_dropped:
            self.metrics.samples.labels(tally.reason).inc(tally.count)

    def _observed(self) -> None:
        """Let the gauges read what is known here whenever somebody asks for them."""
        metrics, ports = self.metrics, self._ports
        metrics.in_flight_bytes.set_function(lambda: self._lanes.held_bytes)
        metrics.stream_fill.set_function(lambda: ports.progress.state.fill)
        metrics.writer_pending.set_function(lambda: ports.progress.state.pending)
        metrics.quota_entries.set_function(lambda: len(self._quotas))
        metrics.workers_lost.set_function(lambda: ports.workers.lost)
        metrics.grouped.set_function(lambda: ports.publisher.grouped)
        for name in (*(name for _limit, name in clocks.BANDS), clocks.BAND_BEYOND):
            metrics.clock_homes.labels(name).set_function(partial(self._clocks.in_band, name))


def _headers(trace: str | None, skew: float | None) -> dict[str, str]:
    headers = {} if trace is None else {subjects.HEADER_TRACEPARENT: trace}
    if skew is not None:
        headers[subjects.HEADER_CLOCK_SKEW] = str(round(skew * 1000))
    return headers


def _sum(tallies: Iterable[Tally]) -> int:
    return sum(tally.count for tally in tallies)
