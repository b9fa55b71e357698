"""Every metric of every service, declared once; its label values are enums or a handful of words.

In: a registry of one process. Out: typed handles. Guarantee: a metric that is not declared here
does not exist; no label carries an installation, an address or anything a client chose freely.
"""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_BYTES: Final = (1e3, 1e4, 1e5, 5e5, 1e6, 5e6, 1e7, 1.7e7)


class ProcessMetrics:
    """What every process has."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.ready = Gauge(
            "heatpool_ready", "1 if the dependency is usable", ["check"], registry=registry
        )
        self.loop_beat = Gauge(
            "heatpool_loop_beat_timestamp_seconds",
            "When the main loop last came round",
            registry=registry,
        )
        self.bus_reconnects = Counter(
            "heatpool_bus_reconnects", "Connections to NATS lost and found again", registry=registry
        )
        self.bus_denied = Counter(
            "heatpool_bus_denied",
            "Requests that NATS refused for lack of permission",
            registry=registry,
        )


class IngestMetrics:
    """The edge."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.requests = Counter(
            "heatpool_ingest_requests",
            "Requests by route and outcome (`ok`, `duplicate` or the refusal's code)",
            ["route", "code"],
            registry=registry,
        )
        self.records = Counter(
            "heatpool_ingest_records",
            "Records by outcome (`accepted`, `duplicate` or the refusal's code)",
            ["outcome"],
            registry=registry,
        )
        self.samples = Counter(
            "heatpool_ingest_samples",
            "Values by outcome (`accepted`, `duplicate` or the refusal's code)",
            ["outcome"],
            registry=registry,
        )
        self.stage_seconds = Histogram(
            "heatpool_ingest_stage_seconds",
            "Time of a submission's stages",
            ["stage"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.body_bytes = Histogram(
            "heatpool_ingest_body_bytes",
            "Decompressed size of submissions",
            buckets=_BYTES,
            registry=registry,
        )
        self.in_flight_bytes = Gauge(
            "heatpool_ingest_in_flight_bytes", "Bodies being processed", registry=registry
        )
        self.request_seconds = Histogram(
            "heatpool_ingest_request_seconds",
            "Time of a request, its body's arrival included",
            ["route", "lane"],  # live, bulk
            buckets=_SECONDS,
            registry=registry,
        )
        self.loop_stall_seconds = Histogram(
            "heatpool_ingest_loop_stall_seconds",
            "How late the event loop was: for those who waited, and by its own computing",
            ["part"],  # wall, own
            buckets=(0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1),
            registry=registry,
        )
        self.loop_stall_longest_seconds = Gauge(
            "heatpool_ingest_loop_stall_longest_seconds",
            "The longest of these since the start",
            ["part"],
            registry=registry,
        )
        self.stream_fill = Gauge(
            "heatpool_ingest_stream_fill_ratio",
            "Bytes in TELEMETRY of those it may hold",
            registry=registry,
        )
        self.writer_pending = Gauge(
            "heatpool_ingest_writer_pending_messages",
            "Messages that the writer has not seen",
            registry=registry,
        )
        self.quota_entries = Gauge(
            "heatpool_ingest_quota_entries", "Token buckets in memory", registry=registry
        )
        self.workers_lost = Gauge(
            "heatpool_ingest_workers_lost",
            "Preparing children that had to be replaced since the start",
            registry=registry,
        )
        self.grouped = Gauge(
            "heatpool_ingest_grouped_requests",
            "Requests committed in one batch with others since the start",
            registry=registry,
        )
        self.clock_skew_seconds = Histogram(
            "heatpool_ingest_clock_skew_seconds",
            "How far a logger's clock is ahead of ours, by requests that say so",
            buckets=(-3600, -300, -60, -5, 5, 60, 300, 3600),
            registry=registry,
        )
        self.clock_homes = Gauge(
            "heatpool_ingest_clock_homes",
            "Installations by the skew they last showed",
            ["band"],  # within_5s, within_1m, within_5m, beyond
            registry=registry,
        )


class WriterMetrics:
    """The writer.

    Conservation, in messages and in samples: received + redelivered = acknowledged + dead + erased
    + returned + in hand; `ledger_difference` is what is left over, and must be nought.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.messages = Counter(
            "heatpool_writer_messages",
            "Messages by fate",
            ["fate"],  # received, redelivered, acknowledged, dead, erased, returned
            registry=registry,
        )
        self.samples = Counter(
            "heatpool_writer_samples",
            "Samples by fate",
            ["fate"],  # as messages; also written, durable
            registry=registry,
        )
        self.dead = Counter(
            "heatpool_writer_dead_letters",
            "Messages moved to DEADLETTER",
            ["reason"],
            registry=registry,
        )
        self.loop_seconds = Counter(
            "heatpool_writer_loop_seconds",
            "Where the loop's time goes",
            ["stage"],  # poll, fold, post, settle, wait
            registry=registry,
        )
        self.batch_samples = Histogram(
            "heatpool_writer_batch_samples",
            "Samples a batch",
            buckets=(1e2, 1e3, 1e4, 5e4, 1e5, 2.5e5, 5e5, 1e6),
            registry=registry,
        )
        self.post_seconds = Histogram(
            "heatpool_writer_post_seconds", "Time of an import", buckets=_SECONDS, registry=registry
        )
        self.oldest_unwritten_seconds = Gauge(
            "heatpool_writer_oldest_unwritten_seconds",
            "Age of the oldest message that is not in the store",
            registry=registry,
        )
        self.unacknowledged = Gauge(
            "heatpool_writer_unacknowledged_messages",
            "Written, but not yet known to be durable",
            registry=registry,
        )
        self.rewinds = Counter(
            "heatpool_writer_rewinds",
            "Times that written messages were taken back, because the store restarted",
            registry=registry,
        )
        self.registry_updates = Counter(
            "heatpool_writer_registry_updates",
            "Entries of INSTALLATIONS written, by outcome",
            ["outcome"],  # written, unchanged, conflict, malformed, expired
            registry=registry,
        )
        self.store_state = Gauge(
            "heatpool_writer_store_state",
            "1 for what the writer knows of the store; young: nothing is entrusted to it yet",
            ["state"],  # ready, away, young
            registry=registry,
        )
        self.store_difference = Gauge(
            "heatpool_writer_store_difference_rows",
            "Rows sent against rows that the store counted, since this process knows it",
            ["reason"],  # missing, surplus, invalid, ignored
            registry=registry,
        )
        self.store_alarm = Gauge(
            "heatpool_writer_store_alarm",
            "1 if samples may have been lost behind the store's 204: run `heatpool-writer verify`",
            registry=registry,
        )
        self.ledger_difference = Gauge(
            "heatpool_writer_ledger_difference",
            "Deliveries that the writer's books cannot account for; anything but 0 is a defect",
            ["unit"],  # messages, samples
            registry=registry,
        )
        self.in_hand_samples = Gauge(
            "heatpool_writer_in_hand_samples",
            "Samples fetched and not yet acknowledged, dead, erased or returned",
            registry=registry,
        )
        self.poison_breaker = Gauge(
            "heatpool_writer_poison_breaker",
            "1: too many dead letters of this model (or of all), the writer has stopped",
            ["model"],
            registry=registry,
        )
        self.stream_messages = Gauge(
            "heatpool_writer_stream_messages",
            "Messages that the stream ever took, by where they are now, over all writers",
            ["place"],  # published, settled, waiting, in_hand, vanished
            registry=registry,
        )
        self.stream_fill_ratio = Gauge(
            "heatpool_writer_stream_fill_ratio",
            "Bytes of TELEMETRY in units of its max_bytes",
            registry=registry,
        )
        self.purged_messages = Counter(
            "heatpool_writer_purged_messages",
            "Acknowledged messages purged because the stream was nearly full",
            registry=registry,
        )
        self.erasure_steps = Counter(
            "heatpool_writer_erasure_steps", "Steps of erasures done", ["step"], registry=registry
        )


class TrainerMetrics:
    """The trainer."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.messages = Counter(
            "heatpool_trainer_messages", "Messages seen, by fate", ["fate"], registry=registry
        )
        self.gap_messages = Counter(
            "heatpool_trainer_gap_messages",
            "Messages purged before the trainer saw them (their data are in the store)",
            registry=registry,
        )
        self.trainings = Counter(
            "heatpool_trainer_trainings", "Trainings by outcome", ["outcome"], registry=registry
        )
        self.training_seconds = Histogram(
            "heatpool_trainer_training_seconds",
            "Time of a training",
            buckets=(1, 5, 10, 30, 60, 120, 300, 900, 3600),
            registry=registry,
        )
        self.homes_quarantined = Gauge(
            "heatpool_trainer_homes_quarantined",
            "Homes too young for the last training of a model",
            ["model"],
            registry=registry,
        )
        self.homes_rejected = Gauge(
            "heatpool_trainer_homes_rejected",
            "Homes that the others' model rejected in the last training of a model",
            ["model"],
            registry=registry,
        )
        self.homes_forgotten = Counter(
            "heatpool_trainer_homes_forgotten",
            "Erased homes whose exported days were deleted",
            registry=registry,
        )


class ModelhubMetrics:
    """The hub."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.requests = Counter(
            "heatpool_modelhub_requests",
            "Requests by route and outcome (`ok`, `not_modified` or the refusal's code)",
            ["route", "code"],
            registry=registry,
        )
        self.request_seconds = Histogram(
            "heatpool_modelhub_request_seconds",
            "Time of a request",
            ["route"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.installations = Gauge(
            "heatpool_modelhub_installations", "Entries of the registry", registry=registry
        )
        self.releases = Gauge(
            "heatpool_modelhub_releases", "Models with a release", registry=registry
        )
        self.release_timestamp = Gauge(
            "heatpool_modelhub_release_timestamp_seconds",
            "When the release was made that homes with this model are handed out",
            ["model"],
            registry=registry,
        )
        self.malformed = Counter(
            "heatpool_modelhub_malformed_entries",
            "Entries of a bucket that could not be read",
            ["bucket"],
            registry=registry,
        )
        self.cache_bytes = Gauge(
            "heatpool_modelhub_cache_bytes", "Releases held in memory", registry=registry
        )
        self.releases_pending = Gauge(
            "heatpool_modelhub_releases_pending",
            "Releases named in the bucket whose file is not there or not right",
            registry=registry,
        )
        self.overflow = Counter(
            "heatpool_modelhub_overflow_entries",
            "Entries of a bucket that were not held, because memory for them is bounded",
            ["bucket"],
            registry=registry,
        )
        self.signatures = Counter(
            "heatpool_modelhub_signatures",
            "Requests that may be signed, by what their signature was",
            ["outcome"],  # good, unsigned, or the refusal's code
            registry=registry,
        )
        self.resyncs = Counter(
            "heatpool_modelhub_resyncs",
            "Times that the view of a bucket was read anew",
            ["bucket"],
            registry=registry,
        )


class CanaryMetrics:
    """`heatpoolctl canary`: a record sent the whole public way."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.flights = Counter(
            "heatpool_canary_flights",
            "Canaries by outcome",
            ["outcome"],  # visible, refused, unreachable, lost
            registry=registry,
        )
        self.up = Gauge(
            "heatpool_canary_up", "1 if the last canary became visible", registry=registry
        )
        self.accepted_seconds = Gauge(
            "heatpool_canary_accepted_seconds",
            "Until the edge said that the last canary is stored",
            registry=registry,
        )
        self.visible_seconds = Gauge(
            "heatpool_canary_visible_seconds",
            "Until a reader of the store saw the last canary that was seen",
            registry=registry,
        )
        self.success_timestamp = Gauge(
            "heatpool_canary_success_timestamp_seconds",
            "When a canary last became visible",
            registry=registry,
        )
