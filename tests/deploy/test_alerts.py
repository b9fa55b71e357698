"""Every alert fires for its fault and for no other, in vmalert of Debian over a real store."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
import yaml
from alert_cases import DAY_S, FAULTS, HEALTH, Age, Level, Rate, Silent

from heatpool_chassis.victoria import Victoria, VictoriaUrls

if TYPE_CHECKING:
    from servers import VictoriaServer

RULES = Path(__file__).parent.parent.parent / "deploy" / "vmalert" / "rules.yaml"
RUNBOOKS = Path(__file__).parent.parent.parent / "docs" / "operations" / "alerts.md"
STEP_S = 60.0
FAULT_S = 4 * 3600.0
WINDOW_S = 8 * 3600.0  # the fault, and time to forget it
LAST = ("HeatpoolTrainingFails",)  # looks back a day
ALONG = {  # what a fault brings with it
    "HeatpoolNoIngest": {"HeatpoolRecordsRejected"},
}
LABEL = re.compile(r'(\w+)="([^"]*)"')


class Rule(msgspec.Struct):
    """One alert of the file."""

    alert: str
    expr: str
    labels: dict[str, str]
    annotations: dict[str, str]


def _rules() -> list[Rule]:
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return [msgspec.convert(rule, Rule) for group in groups for rule in group["rules"]]


def _order() -> list[str]:
    return [name for name in FAULTS if name not in LAST] + list(LAST)


def _line(name: str, began_s: float) -> bytes:
    """One series over all windows, as an import line."""
    metric, _, labels = name.partition("{")
    values, times, total = [], [], 0.0
    steps = int((WINDOW_S * len(FAULTS) + DAY_S) / STEP_S)
    for step in range(steps):
        now_s = began_s - DAY_S + step * STEP_S
        window, since_s = divmod(now_s - began_s, WINDOW_S)
        faulty = now_s >= began_s and since_s < FAULT_S
        fault = FAULTS[_order()[int(window)]] if faulty else {}
        match fault.get(name, HEALTH[name]):
            case Rate(per_s):
                total += per_s * STEP_S
                value = total
            case Level(level, per_s):
                value = level + per_s * since_s
            case Age(age_s, stands):
                value = now_s - (since_s if stands else age_s)
            case Silent():
                continue
        values.append(value)
        times.append(round(now_s * 1000))
    return msgspec.json.encode(
        {
            "metric": {"__name__": metric, **dict(LABEL.findall(labels))},
            "values": values,
            "timestamps": times,
        }
    )


def _replay(url: str, began_s: float) -> None:
    end_s = began_s + WINDOW_S * len(FAULTS)
    program = shutil.which("vmalert")
    assert program is not None
    subprocess.run(
        [
            program,
            f"-rule={RULES}",
            f"-datasource.url={url}",
            f"-remoteWrite.url={url}",
            "-remoteWrite.flushInterval=100ms",
            "-datasource.queryStep=30s",  # else it steps by its default, five minutes
            "-replay.rulesDelay=0s",
            "-replay.disableProgressBar",
            "-replay.maxDatapointsPerQuery=10000",
            f"-replay.timeFrom={datetime.fromtimestamp(began_s, UTC).isoformat()}",
            f"-replay.timeTo={datetime.fromtimestamp(end_s, UTC).isoformat()}",
            "-loggerLevel=ERROR",
        ],
        check=True,
        timeout=100,
    )


@pytest.mark.slow  # vmalert goes through ten days of 30 rules
@pytest.mark.timeout(120)
async def test_every_alert_fires_for_its_fault_and_for_no_other(
    own_victoria: VictoriaServer,
) -> None:
    """One window a fault: what fires in it is the alert of that name and what it brings along."""
    began_s = time.time() // STEP_S * STEP_S - WINDOW_S * len(FAULTS)
    fired: dict[str, set[str]] = {name: set() for name in FAULTS}
    url = own_victoria.url
    async with Victoria(VictoriaUrls(url, url, url)) as store:
        await store.import_lines([_line(name, began_s) for name in HEALTH])
        await store.force_flush()
        _replay(url, began_s)
        await store.force_flush()
        selector = 'ALERTS{alertstate="firing"}'
        end_ms = round(time.time() * 1000)
        async for series in store.export(selector, round(began_s * 1000), end_ms):
            for at_ms in series.timestamps:
                window = min(int((at_ms / 1000 - began_s) / WINDOW_S), len(FAULTS) - 1)
                fired[_order()[window]].add(series.metric["alertname"])

    assert fired == {name: {name} | ALONG.get(name, set()) for name in FAULTS}


def test_every_alert_has_its_fault_its_text_and_its_page() -> None:
    """The rules, the table of faults and the runbooks name the same alerts."""
    rules = {rule.alert: rule for rule in _rules()}
    pages = re.findall(r"^## (Heatpool\w+)$", RUNBOOKS.read_text("utf-8"), re.MULTILINE)

    assert set(rules) == set(FAULTS)
    assert sorted(pages) == sorted(rules)
    for name, rule in rules.items():
        assert rule.labels["severity"] in {"page", "ticket"}
        assert rule.annotations["summary"]
        assert rule.annotations["runbook_url"].endswith(f"#{name.lower()}")


def test_every_series_of_a_fault_is_one_of_health() -> None:
    """A misspelt series in the table would test nothing."""
    assert {series for fault in FAULTS.values() for series in fault} <= set(HEALTH)
