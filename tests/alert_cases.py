"""What a pool's metrics look like in health, and what each alert's fault makes of them: a table."""

from __future__ import annotations

from typing import Final

import msgspec

DAY_S: Final = 86_400.0


class Rate(msgspec.Struct, frozen=True):
    """A counter that grows by so much a second."""

    per_s: float


class Level(msgspec.Struct, frozen=True):
    """A gauge: so much, and so much more a second since the fault began."""

    value: float
    per_s: float = 0.0


class Age(msgspec.Struct, frozen=True):
    """A time stamp, always so old; or, if it stands, as old as the fault."""

    age_s: float
    stands: bool = False


class Silent(msgspec.Struct, frozen=True):
    """No value at all."""


Signal = Rate | Level | Age | Silent

HEALTH: Final[dict[str, Signal]] = {
    'up{job="heatpool-writer",instance="w"}': Level(1),
    'heatpool_ready{job="heatpool-writer",instance="w",check="store"}': Level(1),
    'heatpool_bus_reconnects_total{job="heatpool-writer",instance="w"}': Rate(0),
    'heatpool_ingest_records_total{outcome="accepted"}': Rate(10),
    'heatpool_ingest_records_total{outcome="value_not_finite"}': Rate(0.01),
    'heatpool_ingest_requests_total{route="/api/v1/submit",code="ok"}': Rate(1),
    'heatpool_ingest_requests_total{route="/api/v1/submit",code="overloaded"}': Rate(0.001),
    'heatpool_ingest_clock_homes{band="within_5s"}': Level(100),
    'heatpool_ingest_clock_homes{band="beyond"}': Level(1),
    'heatpool_ingest_request_seconds_bucket{route="/api/v1/submit",lane="live",le="0.5"}': Rate(1),
    'heatpool_ingest_request_seconds_bucket{route="/api/v1/submit",lane="live",le="10"}': Rate(1),
    'heatpool_ingest_request_seconds_bucket{route="/api/v1/submit",lane="live",le="+Inf"}': Rate(1),
    "heatpool_canary_success_timestamp_seconds": Age(60),
    "heatpool_canary_visible_seconds": Level(3),
    'heatpool_writer_stream_fill_ratio{instance="w"}': Level(0.2),
    'heatpool_ingest_writer_pending_messages{instance="i"}': Level(10),
    'heatpool_writer_oldest_unwritten_seconds{instance="w"}': Level(2),
    'heatpool_writer_store_alarm{instance="w"}': Level(0),
    'heatpool_writer_ledger_difference{instance="w",unit="samples"}': Level(0),
    'heatpool_writer_stream_messages{instance="w",place="vanished"}': Level(0),
    'heatpool_writer_dead_letters_total{instance="w",reason="frame_unreadable"}': Rate(0),
    'heatpool_writer_poison_breaker{instance="w",model="aero_slm"}': Level(0),
    'heatpool_writer_rewinds_total{instance="w"}': Rate(0),
    'vm_rows_invalid_total{type="vmimport"}': Rate(0),
    'vm_rows_ignored_total{reason="big_timestamp"}': Rate(0),
    'vm_free_disk_space_bytes{path="/data"}': Level(50e9),
    "vm_slow_row_inserts_total": Rate(1),
    'vm_rows_inserted_total{type="vmimport"}': Rate(1000),
    'heatpool_trainer_trainings_total{outcome="released"}': Rate(0.0001),
    'heatpool_trainer_trainings_total{outcome="failed"}': Rate(0),
    'heatpool_modelhub_releases_pending{instance="h"}': Level(0),
    'heatpool_modelhub_request_seconds_bucket{route="check",le="0.1"}': Rate(1),
    'heatpool_modelhub_request_seconds_bucket{route="check",le="5"}': Rate(1),
    'heatpool_modelhub_request_seconds_bucket{route="check",le="+Inf"}': Rate(1),
    'heatpool_modelhub_signatures_total{outcome="good"}': Rate(1),
    'heatpool_modelhub_signatures_total{outcome="signature_wrong"}': Rate(0.001),
    'heatpool_loop_beat_timestamp_seconds{job="heatpool-writer",instance="w"}': Age(1),
    'heatpool_modelhub_release_timestamp_seconds{instance="h",model="aero_slm"}': Age(10 * DAY_S),
    **{
        f'heatpump_batch_samples{{installation="{home:032x}",model="aero_slm"}}': Level(60)
        for home in range(10)
    },
}
FAULTS: Final[dict[str, dict[str, Signal]]] = {
    "HeatpoolProcessDown": {'up{job="heatpool-writer",instance="w"}': Level(0)},
    "HeatpoolNotReady": {
        'heatpool_ready{job="heatpool-writer",instance="w",check="store"}': Level(0)
    },
    "HeatpoolLoopStuck": {
        'heatpool_loop_beat_timestamp_seconds{job="heatpool-writer",instance="w"}': Age(
            0, stands=True
        )
    },
    "HeatpoolBusFlapping": {
        'heatpool_bus_reconnects_total{job="heatpool-writer",instance="w"}': Rate(0.02)
    },
    "HeatpoolNoIngest": {'heatpool_ingest_records_total{outcome="accepted"}': Rate(0)},
    "HeatpoolSubmissionsTurnedAway": {
        'heatpool_ingest_requests_total{route="/api/v1/submit",code="overloaded"}': Rate(0.2)
    },
    "HeatpoolRecordsRejected": {
        'heatpool_ingest_records_total{outcome="value_not_finite"}': Rate(5)
    },
    "HeatpoolClocksWrong": {'heatpool_ingest_clock_homes{band="beyond"}': Level(30)},
    "HeatpoolEdgeSlow": {
        'heatpool_ingest_request_seconds_bucket{route="/api/v1/submit",lane="live",le="0.5"}': (
            Rate(0.9)
        )
    },
    "HeatpoolCanaryLost": {"heatpool_canary_success_timestamp_seconds": Age(0, stands=True)},
    "HeatpoolCanarySlow": {"heatpool_canary_visible_seconds": Level(45)},
    "HeatpoolStreamNearLimit": {'heatpool_writer_stream_fill_ratio{instance="w"}': Level(0.9)},
    "HeatpoolWriterLag": {'heatpool_ingest_writer_pending_messages{instance="i"}': Level(9000)},
    "HeatpoolWriterOldest": {'heatpool_writer_oldest_unwritten_seconds{instance="w"}': Level(600)},
    "HeatpoolStoreAlarm": {'heatpool_writer_store_alarm{instance="w"}': Level(1)},
    "HeatpoolLedgerDifference": {
        'heatpool_writer_ledger_difference{instance="w",unit="samples"}': Level(-4)
    },
    "HeatpoolMessagesVanished": {
        'heatpool_writer_stream_messages{instance="w",place="vanished"}': Level(2)
    },
    "HeatpoolDeadLetters": {
        'heatpool_writer_dead_letters_total{instance="w",reason="frame_unreadable"}': Rate(0.01)
    },
    "HeatpoolPoisonBreaker": {
        'heatpool_writer_poison_breaker{instance="w",model="aero_slm"}': Level(1)
    },
    "HeatpoolStoreRestarts": {'heatpool_writer_rewinds_total{instance="w"}': Rate(0.01)},
    "HeatpoolRowsInvalid": {'vm_rows_invalid_total{type="vmimport"}': Rate(0.1)},
    "HeatpoolRowsIgnored": {'vm_rows_ignored_total{reason="big_timestamp"}': Rate(0.1)},
    "HeatpoolDiskRunsOut": {'vm_free_disk_space_bytes{path="/data"}': Level(50e9, -1e6)},
    "HeatpoolSlowInserts": {"vm_slow_row_inserts_total": Rate(500)},
    "HeatpoolTrainingFails": {'heatpool_trainer_trainings_total{outcome="failed"}': Rate(0.001)},
    "HeatpoolModelStale": {
        'heatpool_modelhub_release_timestamp_seconds{instance="h",model="aero_slm"}': Age(
            60 * DAY_S
        )
    },
    "HeatpoolReleaseBroken": {'heatpool_modelhub_releases_pending{instance="h"}': Level(1)},
    "HeatpoolHubSlow": {
        'heatpool_modelhub_request_seconds_bucket{route="check",le="0.1"}': Rate(0.9)
    },
    "HeatpoolSignaturesRefused": {
        'heatpool_modelhub_signatures_total{outcome="signature_wrong"}': Rate(0.5)
    },
    "HeatpoolFleetSilent": {
        f'heatpump_batch_samples{{installation="{home:032x}",model="aero_slm"}}': Silent()
        for home in range(4)
    },
}
