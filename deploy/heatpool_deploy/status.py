"""How the pool is: one look at the bus, answered from what is stored and from who is alive.

In: a connection (an operator's). Out: a `Report`. Guarantee: it only reads; what cannot be
read is an error, never a nought.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Final

import nats.errors
import nats.js.errors

from heatpool_chassis import buckets, bus, micro, reading
from heatpool_chassis.permissions import SERVICES, Role
from heatpool_contract import registry, release, subjects
from heatpool_contract.operators import ShownReleases
from heatpool_deploy.report import Alive, Flow, Homes, Release, Report, problems_of

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.js.api import StreamInfo
    from nats.js.client import JetStreamContext

_DAY_MS: Final = registry.DAY_MS


async def look(client: Client, now_ms: int) -> Report:
    """One look.

    Raises:
        BusUnavailableError: the bus does not answer.
    """
    js = client.jetstream(timeout=bus.CONTROL_TIMEOUT_S)
    try:
        statuses = await _statuses(client)
        homes = await _homes(client, now_ms)
        flow = await _flow(js, statuses, now_ms)
        releases = await _releases(client, now_ms)
        hubs = await _hubs(client)
    except (TimeoutError, nats.errors.Error) as error:
        raise bus.BusUnavailableError(f"not answered: {error or type(error).__name__}") from error
    alive = [
        Alive(
            one.service, one.instance, one.version, one.ready, one.stopping, one.up_s,
            tuple(sorted(name for name, ok in one.checks.items() if not ok)),
        )
        for one in sorted(statuses, key=lambda one: (one.service, one.instance))
    ]  # fmt: skip
    problems = problems_of(alive, statuses, flow, releases, hubs)
    return Report(now_ms, alive, homes, flow, releases, problems)


async def _statuses(client: Client) -> list[micro.Status]:
    return [
        micro.read_answer(reply, micro.Status)
        for service in SERVICES
        for reply in await micro.gather(client, micro.subject(service, "status"))
    ]


async def _hubs(client: Client) -> list[ShownReleases]:
    subject = micro.subject(Role.MODELHUB, "models")
    return [
        micro.read_answer(reply, ShownReleases) for reply in await micro.gather(client, subject)
    ]


async def _homes(client: Client, now_ms: int) -> Homes:
    active: Counter[str] = Counter()
    known = erased = samples = 0
    stream = f"KV_{subjects.KV_INSTALLATIONS}"
    async for message in reading.messages(client, stream, f"$KV.{subjects.KV_INSTALLATIONS}.>"):
        try:
            entry = registry.decode(message.data)
        except registry.MalformedEntryError:  # also the marker of a deletion
            continue
        known += 1
        erased += entry.erased
        samples += entry.samples
        if not entry.erased and registry.contributed_days(entry, now_ms):
            active[entry.model] += 1
    return Homes(active.total(), known, erased, samples, dict(sorted(active.items())))


async def _flow(js: JetStreamContext, statuses: list[micro.Status], now_ms: int) -> Flow:
    stream = await js.stream_info(subjects.STREAM_TELEMETRY)
    writer = await js.consumer_info(subjects.STREAM_TELEMETRY, subjects.DURABLE_WRITER)
    trainer = await js.consumer_info(subjects.STREAM_TELEMETRY, subjects.DURABLE_TRAINER)
    dead = await js.stream_info(subjects.STREAM_DEADLETTER, subjects_filter="deadletter.>")
    floor = writer.ack_floor.stream_seq if writer.ack_floor else 0
    unwritten = [
        one.figures["heatpool_writer_oldest_unwritten_seconds"]
        for one in statuses
        if "heatpool_writer_oldest_unwritten_seconds" in one.figures
    ]
    return Flow(
        stream_messages=stream.state.messages,
        stream_bytes=stream.state.bytes,
        stream_fill=_fill(stream),
        writer_pending=writer.num_pending or 0,
        writer_unacknowledged=writer.num_ack_pending or 0,
        oldest_unacknowledged_s=await _oldest_s(js, floor, now_ms),
        oldest_unwritten_s=max(unwritten, default=None),
        trainer_pending=trainer.num_pending or 0,
        dead_letters={
            subject.partition(".")[2]: count
            for subject, count in sorted((dead.state.subjects or {}).items())
        },
    )


def _fill(stream: StreamInfo) -> float:
    room = stream.config.max_bytes or -1
    return stream.state.bytes / room if room > 0 else 0.0


async def _oldest_s(js: JetStreamContext, floor: int, now_ms: int) -> float:
    """Age of the first message after those that are acknowledged for good."""
    try:
        message = await js.get_msg(
            subjects.STREAM_TELEMETRY, floor + 1, subject=subjects.SUBJECTS_TELEMETRY, next=True
        )
    except nats.js.errors.NotFoundError:
        return 0.0
    stored_ms = message.time.timestamp() * 1000 if message.time else now_ms
    return max(0.0, (now_ms - stored_ms) / 1000)


async def _releases(client: Client, now_ms: int) -> list[Release]:
    pointers = {
        key: release.decode_pointer(value)
        async for key, value in buckets.entries(client, subjects.KV_RELEASES)
    }
    reports = {
        key: release.decode_report(value)
        async for key, value in buckets.entries(client, subjects.KV_PROGRESS)
        if not key.startswith(release.news_key(""))
    }
    found = []
    for model in sorted(pointers.keys() | reports.keys()):
        pointer, report = pointers.get(model), reports.get(model)
        current = pointer.current if pointer else None
        found.append(
            Release(
                model=model,
                model_hash=current.model_hash if current else "",
                version=current.version if current else "",
                state=current.state if current else "none",
                age_days=_days(now_ms - current.created_ms) if current else None,
                expires_days=_days(current.expires_ms - now_ms) if current else None,
                canary_share=pointer.canary_share if pointer else 0.0,
                outcome=report.outcome if report else "",
                reasons=report.reasons if report else (),
                trained_days=_days(now_ms - report.at_ms) if report else None,
                figures=report.figures if report else {},
            )
        )
    return found


def _days(milliseconds: float) -> float:
    return round(milliseconds / _DAY_MS, 2)


def now_ms() -> int:
    """The clock, for the shell."""
    return round(time.time() * 1000)
