"""One training by hand, with its progress on the terminal.

In: settings, a model. Out: its report on the terminal and in KV, a release if it passes. Guarantee:
as in the service: only with the model's lease, so never beside another training of it.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from heatpool_chassis import bus
from heatpool_chassis.lifecycle import Lifecycle
from heatpool_contract import release
from heatpool_trainer import news as newsroom
from heatpool_trainer.bulletin import blank
from heatpool_trainer.consumer import TELL_S, ended
from heatpool_trainer.wiring import wire

if TYPE_CHECKING:
    from heatpool_contract.release import News, TrainingReport
    from heatpool_trainer.settings import Settings
    from heatpool_trainer.training import Progress as Told
    from heatpool_trainer.wiring import Ports


async def train_by_hand(settings: Settings, model: str, accepted: tuple[str, ...]) -> str:
    """Train; the outcome.

    Raises:
        BusError: NATS is away, or another trainer has the model.
    """
    life = Lifecycle("trainer")  # its rights on the bus are those of the service
    identity = bus.Identity(settings.nats_seed or "", settings.nats_ca)
    client = await bus.connect(life, settings.nats_url, identity, buffered=True)
    console = Console()
    try:
        with TemporaryDirectory(prefix="heatpool-trainer-") as folder:
            holder = f"{socket.gethostname()}:by-hand:{os.getpid()}"
            ports = await wire(client, settings, Path(folder), holder)
            if not await ports.bulletin.acquire(model, _now_ms()):
                raise bus.BusUnavailableError(f"{model} is being trained by another trainer")
            try:
                report = await _shown(ports, model, accepted, console)
            finally:
                await ports.bulletin.give_back(model)
    finally:
        await bus.close(client)
    console.print(_table(report))
    return report.outcome


async def _shown(
    ports: Ports, model: str, accepted: tuple[str, ...], console: Console
) -> TrainingReport:
    item = (await ports.bulletin.read()).get(model) or blank(model)
    item = msgspec.structs.replace(item, accepted=accepted)
    began_ms, began_s = _now_ms(), time.monotonic()
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    with Progress(*columns, TimeElapsedColumn(), console=console) as bars:
        bar = bars.add_task("begin", total=1.0)

        def told(progress: Told) -> None:
            bars.update(bar, description=progress.stage, completed=progress.share)

        work = asyncio.create_task(ports.attempts.attempt(item, began_ms, told))
        try:
            while not work.done():
                await ports.bulletin.acquire(model, _now_ms())
                await asyncio.wait({work}, timeout=TELL_S)
        finally:
            await ended(work)
        report = work.result()
    report = msgspec.structs.replace(report, took_s=round(time.monotonic() - began_s, 3))
    await ports.reports.put(model, release.encode(report))

    def after(current: News) -> News:
        failed = report.outcome == "failed"
        return newsroom.after_training(item, current, began_ms, failed=failed)

    await ports.bulletin.change(model, after)
    return report


def _table(report: TrainingReport) -> Table:
    table = Table(f"{report.model}: {report.outcome}", "", show_lines=False)
    table.add_row("reasons", ", ".join(report.reasons))
    table.add_row("release", report.version or "")
    table.add_row("homes", str(report.installations))
    table.add_row("in quarantine", str(report.homes_quarantined))
    table.add_row("rejected", " ".join(report.homes_rejected))
    table.add_row("samples", f"{report.samples:,}")
    table.add_row("took", f"{report.took_s:.1f} s")
    for name, value in report.figures.items():
        table.add_row(name, f"{value:.4g}")
    return table


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
