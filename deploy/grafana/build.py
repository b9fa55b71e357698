"""Grafana's dashboards from three tables: `make dashboards` writes them, a test compares.

In: the rows below. Out: `dashboards/*.json`. Guarantee: ids and places follow from the order, so that
a change of one panel is a change of its lines; the data source is a variable. Statistics over homes
are shown from 15 homes on (docs/decisions/0403).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final, NamedTuple

FOLDER: Final = Path(__file__).parent / "dashboards"
COLUMNS: Final = 24
HOMES_MIN: Final = 15
MODEL: Final = 'model=~"$model"'


class Panel(NamedTuple):
    """One panel: what it shows, why one looks at it, and its queries with their legends."""

    title: str
    description: str
    unit: str
    queries: tuple[tuple[str, str], ...]
    kind: str = "timeseries"
    width: int = 8


class Row(NamedTuple):
    """A heading and the panels below."""

    title: str
    panels: tuple[Panel, ...]


def stat(title: str, description: str, unit: str, query: str, width: int = 4) -> Panel:
    """One figure."""
    return Panel(title, description, unit, ((query, ""),), "stat", width)


def over_homes(metric: str) -> tuple[tuple[str, str], ...]:
    """Median and quartiles over homes of a daily value, from `HOMES_MIN` homes on."""
    daily = f"last_over_time(heatpool_daily_{metric}{{{MODEL}}}[2d])"
    enough = f"and on (model) (count by (model) ({daily}) >= {HOMES_MIN})"
    return tuple(
        (f"quantile by (model) ({share}, {daily}) {enough}", f"{{{{model}}}} {name}")
        for share, name in ((0.25, "p25"), (0.5, "median"), (0.75, "p75"))
    )


OPERATOR: Final = (
    Row(
        "At a glance",
        (
            stat(
                "Accepted records",
                "What loggers delivered and the stream took.",
                "cps",
                'sum(rate(heatpool_ingest_records_total{outcome="accepted"}[5m]))',
            ),
            stat(
                "Accepted share",
                "Of all records that arrived; the rest was left out with a reason.",
                "percentunit",
                'sum(rate(heatpool_ingest_records_total{outcome=~"accepted|duplicate"}[15m]))'
                " / sum(rate(heatpool_ingest_records_total[15m]))",
            ),
            stat(
                "Oldest unwritten",
                "Age of the oldest message that is not in the store yet.",
                "s",
                "max(heatpool_writer_oldest_unwritten_seconds)",
            ),
            stat(
                "Until visible",
                "The last canary: from the public door until a reader of the store saw it.",
                "s",
                "max(heatpool_canary_visible_seconds)",
            ),
            stat(
                "Store alarm",
                "1: samples may have been lost behind a success of the store.",
                "none",
                "max(heatpool_writer_store_alarm)",
            ),
            stat(
                "Dead letters, 24 h",
                "Messages that could not be processed and wait with their reason.",
                "none",
                "sum(increase(heatpool_writer_dead_letters_total[1d])) or vector(0)",
            ),
            stat(
                "Age of the oldest release",
                "Homes refuse a release after 90 days.",
                "s",
                "max(time() - heatpool_modelhub_release_timestamp_seconds)",
            ),
        ),
    ),
    Row(
        "Edge",
        (
            Panel(
                "Submissions by answer",
                "ok, duplicate, or the code of the refusal.",
                "reqps",
                (
                    (
                        'sum by (code) (rate(heatpool_ingest_requests_total{route="/api/v1/submit"}[5m]))',
                        "{{code}}",
                    ),
                ),
            ),
            Panel(
                "Records left out",
                "By reason; the owner sees the same code.",
                "cps",
                (
                    (
                        'sum by (outcome) (rate(heatpool_ingest_records_total{outcome!~"accepted|duplicate"}[5m]))',
                        "{{outcome}}",
                    ),
                ),
            ),
            Panel(
                "Time of a submission",
                "Live lane, its body's arrival included.",
                "s",
                tuple(
                    (
                        f'histogram_quantile({share}, sum by (le) (rate(heatpool_ingest_request_seconds_bucket{{route="/api/v1/submit"}}[5m])))',
                        name,
                    )
                    for share, name in ((0.5, "p50"), (0.99, "p99"))
                ),
            ),
            Panel(
                "Time by stage, p95",
                "decode is the processor, publish the disk of NATS.",
                "s",
                (
                    (
                        "histogram_quantile(0.95, sum by (le, stage) (rate(heatpool_ingest_stage_seconds_bucket[5m])))",
                        "{{stage}}",
                    ),
                ),
            ),
            Panel(
                "Bodies",
                "Decompressed bytes a second, and bytes in memory.",
                "bytes",
                (
                    ("sum(rate(heatpool_ingest_body_bytes_sum[5m]))", "a second"),
                    ("sum(heatpool_ingest_in_flight_bytes)", "in memory"),
                ),
            ),
            Panel(
                "Group commit and children",
                "Requests that shared a batch; children that had to be replaced.",
                "none",
                (
                    ("sum(heatpool_ingest_grouped_requests)", "grouped requests"),
                    ("sum(heatpool_ingest_workers_lost)", "children replaced"),
                    ("sum(heatpool_ingest_quota_entries)", "quota entries"),
                ),
            ),
        ),
    ),
    Row(
        "Stream and writer",
        (
            Panel(
                "Fill of TELEMETRY",
                "The writer purges from 80 %, the edge turns bulk away at 90 %.",
                "percentunit",
                (
                    ("max(heatpool_writer_stream_fill_ratio)", "writer"),
                    ("max(heatpool_ingest_stream_fill_ratio)", "edge"),
                ),
            ),
            Panel(
                "Messages by place",
                "Every message the stream ever took is in one of these places.",
                "none",
                (("max by (place) (heatpool_writer_stream_messages)", "{{place}}"),),
            ),
            Panel(
                "Behind",
                "Messages no writer has seen; written, but not yet known to be durable.",
                "none",
                (
                    ("max(heatpool_ingest_writer_pending_messages)", "not seen"),
                    ("sum(heatpool_writer_unacknowledged_messages)", "not yet durable"),
                ),
            ),
            Panel(
                "Samples by fate",
                "received = acknowledged + dead + erased + returned + in hand.",
                "cps",
                (("sum by (fate) (rate(heatpool_writer_samples_total[5m]))", "{{fate}}"),),
            ),
            Panel(
                "Where the writer's time goes",
                "post is the store, fold the processor, poll and wait are idle.",
                "percentunit",
                (("sum by (stage) (rate(heatpool_writer_loop_seconds_total[5m]))", "{{stage}}"),),
            ),
            Panel(
                "Batches",
                "Samples a batch (mean), time of an import (p95).",
                "none",
                (
                    (
                        "sum(rate(heatpool_writer_batch_samples_sum[5m])) / sum(rate(heatpool_writer_batch_samples_count[5m]))",
                        "samples a batch",
                    ),
                    (
                        "histogram_quantile(0.95, sum by (le) (rate(heatpool_writer_post_seconds_bucket[5m])))",
                        "import, s",
                    ),
                ),
            ),
            Panel(
                "Books",
                "All nought, or somebody has to look.",
                "none",
                (
                    ("max by (unit) (abs(heatpool_writer_ledger_difference))", "ledger {{unit}}"),
                    (
                        "max by (reason) (abs(heatpool_writer_store_difference_rows))",
                        "store {{reason}}",
                    ),
                    ("sum(heatpool_writer_rewinds_total)", "rewinds"),
                ),
            ),
            Panel(
                "Registry",
                "Entries of homes written, by outcome.",
                "cps",
                (
                    (
                        "sum by (outcome) (rate(heatpool_writer_registry_updates_total[5m]))",
                        "{{outcome}}",
                    ),
                ),
            ),
            Panel(
                "In hand",
                "Samples that a writer holds.",
                "none",
                (("sum(heatpool_writer_in_hand_samples)", "samples"),),
            ),
        ),
    ),
    Row(
        "Store",
        (
            Panel(
                "Rows in",
                "By protocol; vmimport is the writer.",
                "cps",
                (("sum by (type) (rate(vm_rows_inserted_total[5m]))", "{{type}}"),),
            ),
            Panel(
                "Rows thrown away",
                "Behind a 204: must be nought.",
                "none",
                (
                    ("sum(vm_rows_invalid_total)", "invalid"),
                    ("sum by (reason) (vm_rows_ignored_total)", "{{reason}}"),
                ),
            ),
            Panel(
                "Free disk",
                "The alert looks three days ahead.",
                "bytes",
                (("min(vm_free_disk_space_bytes)", "free"),),
            ),
            Panel(
                "Slow inserts",
                "Share of rows whose series was not in memory.",
                "percentunit",
                (
                    (
                        "sum(rate(vm_slow_row_inserts_total[5m])) / sum(rate(vm_rows_inserted_total[5m]))",
                        "slow",
                    ),
                ),
            ),
        ),
    ),
    Row(
        "Trainer and hub",
        (
            Panel(
                "Trainings",
                "By outcome since the start of the process.",
                "none",
                (("sum by (outcome) (heatpool_trainer_trainings_total)", "{{outcome}}"),),
            ),
            Panel(
                "Time of a training",
                "Mean over a day.",
                "s",
                (
                    (
                        "sum(rate(heatpool_trainer_training_seconds_sum[1d])) / sum(rate(heatpool_trainer_training_seconds_count[1d]))",
                        "mean",
                    ),
                ),
            ),
            Panel(
                "Age of releases",
                "By model.",
                "s",
                (
                    (
                        "time() - max by (model) (heatpool_modelhub_release_timestamp_seconds)",
                        "{{model}}",
                    ),
                ),
            ),
            Panel(
                "Requests of the hub",
                "By route.",
                "reqps",
                (("sum by (route) (rate(heatpool_modelhub_requests_total[5m]))", "{{route}}"),),
            ),
            Panel(
                "Time of the hub, p99",
                "By route; export and ranking wait for the store.",
                "s",
                (
                    (
                        "histogram_quantile(0.99, sum by (le, route) (rate(heatpool_modelhub_request_seconds_bucket[5m])))",
                        "{{route}}",
                    ),
                ),
            ),
            Panel(
                "Signatures",
                "good, unsigned, or the code of the refusal.",
                "reqps",
                (
                    (
                        "sum by (outcome) (rate(heatpool_modelhub_signatures_total[5m]))",
                        "{{outcome}}",
                    ),
                ),
            ),
            Panel(
                "Held in memory",
                "Entries of the registry, releases, bytes of releases.",
                "none",
                (
                    ("max(heatpool_modelhub_installations)", "installations"),
                    ("max(heatpool_modelhub_releases)", "models with a release"),
                    ("max(heatpool_modelhub_cache_bytes)", "bytes"),
                    ("max(heatpool_modelhub_releases_pending)", "releases without file"),
                ),
            ),
            Panel(
                "Readiness",
                "1 if the dependency is usable.",
                "none",
                (("min by (job, check) (heatpool_ready)", "{{job}} {{check}}"),),
            ),
            Panel(
                "Connections to NATS lost",
                "Since the start of each process.",
                "none",
                (("sum by (job) (heatpool_bus_reconnects_total)", "{{job}}"),),
            ),
        ),
    ),
)

FLEET: Final = (
    Row(
        "Who sends",
        (
            stat(
                "Homes, 24 h",
                "Distinct homes that delivered within a day.",
                "none",
                f"count(count by (installation) (count_over_time(heatpump_batch_samples{{{MODEL}}}[1d])))",
                6,
            ),
            stat(
                "Homes, 30 d",
                "Distinct homes that delivered within 30 days: who may be eligible.",
                "none",
                f"count(count by (installation) (count_over_time(heatpump_batch_samples{{{MODEL}}}[30d])))",
                6,
            ),
            stat(
                "Samples, 24 h",
                "Values that reached the store.",
                "none",
                f"sum(sum_over_time(heatpump_batch_samples{{{MODEL}}}[1d]))",
                6,
            ),
            stat(
                "Silent since yesterday",
                "Homes that delivered the day before and not today.",
                "none",
                f"(count(count by (installation) (count_over_time(heatpump_batch_samples{{{MODEL}}}[2d])))"
                f" - count(count by (installation) (count_over_time(heatpump_batch_samples{{{MODEL}}}[1d])))) or vector(0)",
                6,
            ),
            Panel(
                "Homes by model",
                "Delivered within a day.",
                "none",
                (
                    (
                        f"count by (model) (count by (model, installation) (count_over_time(heatpump_batch_samples{{{MODEL}}}[1d])))",
                        "{{model}}",
                    ),
                ),
                width=12,
            ),
            Panel(
                "Loggers by version",
                "Homes with each version of the logger, within a day.",
                "none",
                (
                    (
                        f"count by (version) (count by (version, installation) (count_over_time(heatpump_info{{{MODEL}}}[1d])))",
                        "{{version}}",
                    ),
                ),
                width=12,
            ),
        ),
    ),
    Row(
        "How good the data are",
        (
            Panel(
                "Samples a home and day",
                "Median over homes; a day of minutes with 11 fields has 15,840.",
                "none",
                (
                    (
                        f"quantile(0.5, sum by (installation) (sum_over_time(heatpump_batch_samples{{{MODEL}}}[1d])))",
                        "median",
                    ),
                ),
            ),
            Panel(
                "Records left out",
                "Share by reason.",
                "percentunit",
                (
                    (
                        (
                            'sum by (outcome) (rate(heatpool_ingest_records_total{outcome!~"accepted|duplicate"}[1h]))'
                            " / ignoring (outcome) group_left sum(rate(heatpool_ingest_records_total[1h]))"
                        ),
                        "{{outcome}}",
                    ),
                ),
            ),
            Panel(
                "Repeats",
                "Share of records that had been delivered before.",
                "percentunit",
                (
                    (
                        (
                            '(sum(rate(heatpool_ingest_records_total{outcome="duplicate"}[1h])) or vector(0))'
                            " / sum(rate(heatpool_ingest_records_total[1h]))"
                        ),
                        "repeats",
                    ),
                ),
            ),
            Panel(
                "Clocks",
                "Homes by the skew that they last showed.",
                "none",
                (("max by (band) (heatpool_ingest_clock_homes)", "{{band}}"),),
            ),
            Panel(
                "Clock skew",
                "Of loggers that say when they sent.",
                "cps",
                (
                    (
                        "sum by (le) (rate(heatpool_ingest_clock_skew_seconds_bucket[1h]))",
                        "up to {{le}} s",
                    ),
                ),
            ),
            Panel(
                "Dead letters by reason",
                "Since the start of the writers.",
                "none",
                (("sum by (reason) (heatpool_writer_dead_letters_total)", "{{reason}}"),),
            ),
        ),
    ),
)

COMMUNITY: Final = (
    Row(
        "The pool",
        (
            stat(
                "Homes",
                "Distinct homes within 30 days.",
                "none",
                f"count(count by (installation) (count_over_time(heatpump_batch_samples{{{MODEL}}}[30d]))) >= {HOMES_MIN}",
                8,
            ),
            stat(
                "Median COP",
                "Heat over electricity, yesterday, as the controllers report it (not calibrated meters).",
                "none",
                f"quantile(0.5, last_over_time(heatpool_daily_cop{{{MODEL}}}[2d]))"
                f" and on () (count(last_over_time(heatpool_daily_cop{{{MODEL}}}[2d])) >= {HOMES_MIN})",
                8,
            ),
            stat(
                "Models of heat pumps",
                "With at least 15 homes.",
                "none",
                "count(count by (model) (count by (model, installation) (count_over_time(heatpump_batch_samples[30d])))"
                f" >= {HOMES_MIN})",
                8,
            ),
        ),
    ),
    Row(
        "How they run",
        (
            Panel(
                "COP",
                "Daily, middle half of the homes.",
                "none",
                over_homes("cop"),
                width=12,
            ),
            Panel(
                "Flow temperature",
                "Daily mean, middle half of the homes.",
                "celsius",
                over_homes("temp_flow"),
                width=12,
            ),
            Panel(
                "Heat",
                "A home and day.",
                "kwatth",
                over_homes("heat_energy"),
                width=12,
            ),
            Panel(
                "Electricity",
                "A home and day.",
                "kwatth",
                over_homes("electric_energy"),
                width=12,
            ),
            Panel(
                "Outdoor temperature",
                "What the heat pumps had to cope with.",
                "celsius",
                over_homes("temp_outdoor"),
                width=12,
            ),
            Panel(
                "Age of the detector",
                "By model of heat pump.",
                "s",
                (
                    (
                        f"time() - max by (model) (heatpool_modelhub_release_timestamp_seconds{{{MODEL}}})",
                        "{{model}}",
                    ),
                ),
                width=12,
            ),
        ),
    ),
)

DASHBOARDS: Final = {
    "operator": ("heatpool: operation", OPERATOR, "now-6h"),
    "fleet": ("heatpool: fleet and data quality", FLEET, "now-7d"),
    "community": ("heatpool: community", COMMUNITY, "now-90d"),
}


def dashboard(uid: str) -> dict[str, object]:
    """One dashboard as Grafana imports it."""
    title, rows, since = DASHBOARDS[uid]
    panels: list[dict[str, object]] = []
    x = y = number = 0
    for row in rows:
        number += 1
        panels.append(
            {
                "id": number,
                "type": "row",
                "title": row.title,
                "collapsed": False,
                "gridPos": {"x": 0, "y": y, "w": COLUMNS, "h": 1},
                "panels": [],
            }
        )
        x, y = 0, y + 1
        for one in row.panels:
            height = 4 if one.kind == "stat" else 8
            if x + one.width > COLUMNS:
                x, y = 0, y + height
            number += 1
            panels.append(_panel(one, number, {"x": x, "y": y, "w": one.width, "h": height}))
            x += one.width
            if x == COLUMNS or one is row.panels[-1]:
                x, y = 0, y + height
    return {
        "uid": f"heatpool-{uid}",
        "title": title,
        "tags": ["heatpool"],
        "timezone": "browser",
        "schemaVersion": 39,
        "editable": False,
        "refresh": "1m",
        "time": {"from": since, "to": "now"},
        "templating": {"list": _variables(rows)},
        "panels": panels,
    }


def _panel(one: Panel, number: int, place: dict[str, int]) -> dict[str, object]:
    source = {"type": "prometheus", "uid": "${datasource}"}
    return {
        "id": number,
        "type": one.kind,
        "title": one.title,
        "description": one.description,
        "datasource": source,
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": one.unit, "min": None}, "overrides": []},
        "options": (
            {"reduceOptions": {"calcs": ["lastNotNull"]}, "textMode": "value"}
            if one.kind == "stat"
            else {"legend": {"displayMode": "list", "placement": "bottom"}}
        ),
        "targets": [
            {"refId": chr(ord("A") + index), "expr": query, "legendFormat": legend}
            for index, (query, legend) in enumerate(one.queries)
        ],
    }


def _variables(rows: tuple[Row, ...]) -> list[dict[str, object]]:
    found: list[dict[str, object]] = [
        {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Store"}
    ]
    if any(MODEL in query for row in rows for one in row.panels for query, _ in one.queries):
        found.append(
            {
                "name": "model",
                "type": "query",
                "label": "Heat pump",
                "datasource": {"type": "prometheus", "uid": "${datasource}"},
                "query": "label_values(heatpump_batch_samples, model)",
                "includeAll": True,
                "allValue": ".+",
                "multi": True,
                "refresh": 2,
            }
        )
    return found


def text(uid: str) -> str:
    """The file of one dashboard."""
    return json.dumps(dashboard(uid), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for name in DASHBOARDS:
        (FOLDER / f"{name}.json").write_text(text(name), encoding="utf-8")
