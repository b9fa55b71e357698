"""What is wrong with an installation, and what to do about it.

In: the operator's settings. Out: `Finding`s, in the order in which to mend them. Guarantee: it
changes nothing, and one fault does not hide the others.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Final

import httpx
import msgspec
import nats.errors

from heatpool_chassis import bus, micro, provisioning
from heatpool_chassis.lifecycle import Lifecycle
from heatpool_chassis.permissions import SERVICES, Role
from heatpool_chassis.topology import Sizes, topology
from heatpool_chassis.victoria import StoreError, Victoria
from heatpool_contract import subjects
from heatpool_deploy.connection import store_urls

if TYPE_CHECKING:
    from collections.abc import Callable

    from nats.aio.client import Client

    from heatpool_deploy.connection import Settings

NATS_OLDEST: Final = (2, 12, 1)  # the first with atomic batches that hold
SKEW_S_MAX: Final = 5.0  # the edge refuses what is five minutes ahead; clocks drift apart slowly
EDGE_S_MAX: Final = 10.0
_SERVER_FAULT: Final = 500


class Finding(msgspec.Struct, frozen=True):
    """One check."""

    check: str
    ok: bool
    found: str
    advice: str = ""


async def examine(settings: Settings, clock: Callable[[], float]) -> list[Finding]:
    """All checks."""
    return [
        *await _bus(settings),
        *await _store(settings, clock),
        *await _edge(settings),
    ]


async def _bus(settings: Settings) -> list[Finding]:
    identity = bus.Identity(settings.nats_seed or "", settings.nats_ca)
    try:
        client = await bus.connect(
            Lifecycle(Role.OPERATOR), settings.nats_url, identity, buffered=True
        )
    except bus.BusError as error:
        advice = "is nats-server up, and HEATPOOL_CTL_NATS_URL and _NATS_SEED_FILE right?"
        return [Finding("bus", ok=False, found=str(error), advice=advice)]
    try:
        return [_version(client), await _topology(client), *await _services(client)]
    except (bus.BusError, nats.errors.Error, TimeoutError) as error:
        found = str(error) or type(error).__name__
        advice = "is JetStream on, and this seed the operator's?"
        return [Finding("bus", ok=False, found=found, advice=advice)]
    finally:
        await client.close()


def _version(client: Client) -> Finding:
    version = client.connected_server_version
    ok = (version.major, version.minor, version.patch) >= NATS_OLDEST
    return Finding("nats-server", ok, str(version), "" if ok else "2.12.1 or newer is needed")


async def _topology(client: Client) -> Finding:
    """Against what stands there: sizes are the operator's choice."""
    js = client.jetstream(timeout=bus.CONTROL_TIMEOUT_S)
    there = await provisioning.stream_config(js, subjects.STREAM_TELEMETRY)
    sizes = Sizes()
    if there is not None:
        sizes = Sizes(
            replicas=there.num_replicas or 1,
            telemetry_bytes_max=there.max_bytes or sizes.telemetry_bytes_max,
        )
    changes = await provisioning.changes(client, topology(sizes))
    kept = [
        change
        for change in changes
        if not change.settings or any(one.name != "max_bytes" for one in change.settings)
    ]
    found = "; ".join(map(str, kept)) or "as the code wants it"
    return Finding("streams", not kept, found, "`heatpoolctl provision`" if kept else "")


async def _services(client: Client) -> list[Finding]:
    findings = []
    for service in SERVICES:
        answers = [
            micro.read_answer(reply, micro.Status)
            for reply in await micro.gather(client, micro.subject(service, "status"))
        ]
        failing = sorted({name for one in answers for name, ok in one.checks.items() if not ok})
        denied = sum(one.figures.get("heatpool_bus_denied_total", 0) for one in answers)
        found = f"{len(answers)} alive" + (f", not ready: {', '.join(failing)}" if failing else "")
        advice = ""
        if not answers:
            advice = "start it, and look at its log"
        elif denied:
            found += f", {denied:.0f} requests refused"
            advice = "`heatpoolctl init` and reload nats-server"
        elif failing:
            advice = "its log says why"
        findings.append(Finding(service, not advice, found, advice))
    return findings


async def _store(settings: Settings, clock: Callable[[], float]) -> list[Finding]:
    if not settings.victoria_url:
        return [Finding("store", ok=False, found="not set", advice="HEATPOOL_CTL_VICTORIA_URL")]
    async with Victoria(store_urls(settings)) as store:
        try:
            flags = await store.metrics()
            there_s = (await store.query("time()"))[0].value[0]
            skew_s = float(there_s) - clock()
        except StoreError as error:
            return [Finding("store", ok=False, found=str(error), advice="is VictoriaMetrics up?")]
    findings = [
        Finding("store", ok=True, found="answers"),
        Finding(
            "clock",
            abs(skew_s) <= SKEW_S_MAX,
            f"the store's is {skew_s:+.1f} s ahead",
            "" if abs(skew_s) <= SKEW_S_MAX else "let NTP set both clocks",
        ),
    ]
    free = [value for name, value in flags.items() if name.startswith("vm_free_disk_space_bytes")]
    if free:
        short = min(free) < FREE_BYTES_MIN
        advice = "make room: below it the store takes no more" if short else ""
        findings.append(Finding("disk", not short, f"{min(free) / 1e9:.1f} GB free", advice))
    return findings


FREE_BYTES_MIN: Final = 2_000_000_000
"""VictoriaMetrics turns read-only at 10 MB; merges of a month need about this much."""


async def _edge(settings: Settings) -> list[Finding]:
    if not settings.edge_url:
        return [Finding("edge", ok=True, found="HEATPOOL_CTL_EDGE_URL not set: not asked")]
    advice = "is the front up, its certificate valid (HEATPOOL_CTL_EDGE_CA), its name resolvable?"
    try:
        context = ssl.create_default_context(cafile=settings.edge_ca)
        async with httpx.AsyncClient(verify=context, timeout=EDGE_S_MAX) as http:
            answer = await http.get(f"{settings.edge_url}/api/v1/submit")
    except (httpx.HTTPError, OSError) as error:
        return [Finding("edge", ok=False, found=type(error).__name__, advice=advice)]
    ok = answer.status_code < _SERVER_FAULT  # 405: it is there, and wants a POST
    return [Finding("edge", ok, f"status {answer.status_code}", "" if ok else advice)]
