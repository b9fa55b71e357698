"""The canary: one marked record, the whole public way, timed until a reader of the store sees it.

In: the edge's URL, a loggers' token, the store. Out: a `Flight`. Guarantee: what is measured is
what a home lives through (TLS front, edge, stream, writer, store), nothing is taken on trust: the
value that comes back is the random one that was sent. Its reserved model name keeps it out of the
registry, and so out of eligibility, statistics and training.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import httpx
import msgspec

from heatpool_chassis.victoria import StoreError
from heatpool_contract.identity import CANARY_MODEL, CANARY_SLUG, InstallationId

if TYPE_CHECKING:
    from collections.abc import Callable

    from heatpool_chassis.metrics import CanaryMetrics
    from heatpool_chassis.victoria import Victoria

HOME: Final = InstallationId("0ca0a270-0000-4000-8000-000000000000")
FIELD: Final = "canary"
POLL_S: Final = 0.1
POST_S_MAX: Final = 15.0
VISIBLE_S_MAX: Final = 60.0
"""A writer that was just restarted has taken up its work by then."""
_VERSION: Final = "canary"
_OK: Final = 200


class Flight(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one record."""

    outcome: str
    """`visible`, `refused` or `unreachable` (by the edge), `lost` (not seen in time)."""
    detail: str = ""
    accepted_s: float | None = None
    """Until the edge's 200: the record is in the stream."""
    visible_s: float | None = None
    """Until an export of the store shows it."""


class Way(msgspec.Struct, frozen=True):
    """Where the canary flies."""

    edge_url: str
    token: str
    ca_file: Path | None = None
    """For the front's certificate, unless it is a public one."""

    def __repr__(self) -> str:
        return f"Way({self.edge_url!r})"


async def fly(
    way: Way, store: Victoria, value: int, clock: Callable[[], float] = time.time
) -> Flight:
    """Send `value` once and wait until the store shows it."""
    sent_s = clock()
    begun_s = time.monotonic()
    body = {
        "installation_id": HOME,
        "heatpump_model": CANARY_MODEL,
        "version": _VERSION,
        "data": [{"timestamp": round(sent_s, 3), FIELD: value}],
    }
    headers = {"Authorization": f"Bearer {way.token}", "Content-Type": "application/json"}
    try:
        async with httpx.AsyncClient(verify=_trusted(way), timeout=POST_S_MAX) as http:
            answer = await http.post(
                f"{way.edge_url}/api/v1/submit", content=msgspec.json.encode(body), headers=headers
            )
    except httpx.HTTPError as error:
        return Flight(outcome="unreachable", detail=type(error).__name__)
    accepted_s = time.monotonic() - begun_s
    if answer.status_code != _OK:
        return Flight(outcome="refused", detail=f"{answer.status_code} {answer.text[:200]}")
    seen = await _seen(store, value, sent_s)
    visible_s = time.monotonic() - begun_s
    if not seen:
        return Flight(outcome="lost", detail="not seen in the store", accepted_s=accepted_s)
    return Flight(outcome="visible", accepted_s=accepted_s, visible_s=visible_s)


def record(metrics: CanaryMetrics, flight: Flight, now_s: float) -> None:
    """A flight to metrics."""
    metrics.flights.labels(flight.outcome).inc()
    metrics.up.set(flight.outcome == "visible")
    if flight.visible_s is not None:
        metrics.visible_seconds.set(flight.visible_s)
        metrics.success_timestamp.set(now_s)
    if flight.accepted_s is not None:
        metrics.accepted_seconds.set(flight.accepted_s)


def _trusted(way: Way) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=way.ca_file)


async def _seen(store: Victoria, value: int, sent_s: float) -> bool:
    """Poll an export: unlike a query it hides nothing that is young."""
    at_ms = round(sent_s * 1000)
    selector = f'heatpump_{FIELD}{{model="{CANARY_SLUG}"}}'
    deadline_s = time.monotonic() + VISIBLE_S_MAX
    while time.monotonic() < deadline_s:
        try:
            async for series in store.export(selector, at_ms - 1, at_ms + 1):
                if value in series.values:
                    return True
        except StoreError:  # it may be away for a moment: that is time that counts
            pass
        await asyncio.sleep(POLL_S)
    return False
