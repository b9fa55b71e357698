"""The story of the demo, stage by stage.

In: a running pool, the size of the fleet. Out: an `Outcome` to report. Guarantee: every figure is
asked of the programs that did the work: what was posted of the edge's answers, what was stored of
VictoriaMetrics and of the registry, the release of the hub, the scores of the client.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import httpx
import msgspec
import numpy as np

from heatpool_deploy import keys
from heatpool_fleet import posting
from heatpool_fleet.demo.client import HomeCommands, write_csv
from heatpool_fleet.demo.running import DemoError, metric, wait_for_release
from heatpool_fleet.demo.scores import auc, read_scores
from heatpool_fleet.faults import Fault, FaultKind
from heatpool_fleet.homes import make_homes
from heatpool_fleet.simulation import simulate

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from heatpool_deploy.stack import Stack
    from heatpool_fleet.demo.timing import Book
    from heatpool_fleet.recording import Recording

DAY_S: Final = 86_400.0
SCORED_DAYS: Final = 14.0  # a healthy week, then a week with the fault
LEARN_DAYS: Final = 10.0  # of its own history, from which the home learns its offset
DRAIN_S_MAX: Final = 240.0
MODEL: Final = "AERO SLM 6-17"
SLUG: Final = "aero_slm_6_17"
READINGS: Final = '{__name__=~"heatpump_.+",__name__!~"heatpump_(batch_samples|info)"}'


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Size of the demo."""

    homes: int
    days: float
    interval_s: float
    seed: int
    fault: FaultKind
    grade: float


class Sums(msgspec.Struct, frozen=True, kw_only=True):
    """Samples of all homes, counted at each station."""

    simulated: int
    accepted: int
    stored: int
    """As VictoriaMetrics counts them for a reader."""
    registered: int
    """As the registry says."""
    value_posted: float
    """Sum of all flow temperatures, as simulated."""
    value_stored: float
    """The same, queried back."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it."""

    sums: Sums
    update: dict[str, object]
    report: dict[str, object]
    scores: Path
    fault_from_s: float
    healthy_from_s: float
    auc: float
    over_healthy: float
    over_faulty: float


def tell(stack: Stack, plan: Plan, book: Book, progress: Progress) -> Outcome:
    """Run every stage.

    Raises:
        DemoError: a stage did not come to its end.
    """
    now_s = time.time() // 60 * 60
    history_from_s = now_s - (plan.days + SCORED_DAYS) * DAY_S
    healthy_from_s, fault_from_s = now_s - SCORED_DAYS * DAY_S, now_s - SCORED_DAYS / 2 * DAY_S
    with book.stage("simulate"), _shown(progress, "simulating homes"):
        homes = make_homes(plan.homes, plan.seed, MODEL)
        fault = Fault(plan.fault, plan.grade, fault_from_s)
        recordings = simulate(
            homes,
            history_from_s,
            plan.days + SCORED_DAYS,
            plan.interval_s,
            plan.seed,
            {homes[0].index: fault},
        )
    own, *others = recordings
    commands = HomeCommands(stack, MODEL, stack.state / "home")
    with book.stage("post"):
        accepted = _post(stack, commands, own, others, healthy_from_s, progress)
    with book.stage("write, and wait until it is durable"):
        _drain(stack, accepted, progress)
    simulated = [_until(one, healthy_from_s) for one in recordings]
    with book.stage("query back"):
        sums = _sums(stack, simulated, accepted)
    book.check(
        "samples simulated = accepted = stored = registered",
        held=sums.simulated == sums.accepted == sums.stored == sums.registered,
        found=f"{sums.simulated:,} / {sums.accepted:,} / {sums.stored:,} / {sums.registered:,}",
    )
    book.check(
        "sum of all flow temperatures posted = queried back",
        held=abs(sums.value_posted - sums.value_stored) < 1e-9 * sums.value_posted,
        found=f"{sums.value_posted:.3f} / {sums.value_stored:.3f}",
    )
    with book.stage("train, judge, sign and publish"), _shown(progress, "training the detector"):
        report = wait_for_release(stack, SLUG)
    with book.stage("check, download, verify and open"):
        update = commands.update()
    book.check(
        "the home has verified and opened a model",
        held=update.get("outcome") == "activated",
        found=update.get("outcome"),
    )
    with book.stage("score two weeks at home"), _shown(progress, "scoring at home"):
        weeks = (healthy_from_s, fault_from_s)
        area, over_healthy, over_faulty = _score(stack, commands, own, weeks)
    book.check(
        "the week with the fault scores higher than the healthy one (AUC at least 0.9)",
        held=area >= 0.9,  # noqa: PLR2004 - named in the text
        found=f"{area:.3f}",
    )
    book.check(
        "over the threshold: at most 5 % of the healthy week, at least 50 % of the faulty one",
        held=over_healthy <= 0.05 and over_faulty >= 0.5,  # noqa: PLR2004 - named in the text
        found=f"{over_healthy:.1%} / {over_faulty:.1%}",
    )
    return Outcome(
        sums=sums,
        update=update,
        report=report,
        scores=stack.state / "scores.csv",
        fault_from_s=fault_from_s,
        healthy_from_s=healthy_from_s,
        auc=area,
        over_healthy=over_healthy,
        over_faulty=over_faulty,
    )


def _post(
    stack: Stack,
    commands: HomeCommands,
    own: Recording,
    others: list[Recording],
    until_s: float,
    progress: Progress,
) -> int:
    """One home sends with the client, the others as loggers that never heard of it."""
    commands.init()
    file = stack.state / "history.csv"
    records = write_csv(own, file, float(own.timestamps_s[0]), until_s)
    task = progress.add_task("posting records", total=records * (len(others) + 1))
    target = posting.Target(stack.ingest_url, stack.secret(keys.TOKEN), concurrency=2)
    counts = asyncio.run(
        posting.post(
            (_until(one, until_s) for one in others),
            target,
            lambda count: progress.advance(task, count.records),
        )
    )
    if counts.rejected or counts.duplicates:
        raise DemoError(f"the edge rejected {counts.rejected} records of the fleet")
    sent = commands.replay(file)
    progress.advance(task, records)
    return counts.samples + int(str(sent["samples_accepted"]))


def _drain(stack: Stack, samples: int, progress: Progress) -> None:
    task = progress.add_task("writing, durable samples", total=samples)
    deadline = time.monotonic() + DRAIN_S_MAX
    while True:
        durable = metric(stack, "writer", 'heatpool_writer_samples_total{fate="durable"}')
        progress.update(task, completed=durable)
        if durable >= samples:
            return
        if time.monotonic() > deadline:
            raise DemoError(f"the writer made {durable:.0f} of {samples} samples durable")
        time.sleep(0.3)


def _sums(stack: Stack, recordings: list[Recording], accepted: int) -> Sums:
    headers = {"Authorization": f"Bearer {stack.secret(keys.OPERATOR_TOKEN)}"}
    status = httpx.get(f"{stack.modelhub_url}/api/v1/status", headers=headers).json()
    flows = [
        column.sum()
        for one in recordings
        for name, column in one.columns.items()
        if name == "temp_flow"
    ]
    return Sums(
        simulated=sum(one.samples for one in recordings),
        accepted=accepted,
        stored=round(_query(stack, f"sum(count_over_time({READINGS}[340d]))")),
        registered=int(status["samples"]),
        value_posted=float(np.sum(flows)),
        value_stored=_query(stack, "sum(sum_over_time(heatpump_temp_flow[340d]))"),
    )


def _query(stack: Stack, expression: str) -> float:
    httpx.get(f"{stack.victoria_url}/internal/force_flush").raise_for_status()
    answer = httpx.get(
        f"{stack.victoria_url}/api/v1/query",
        params={"query": expression, "nocache": "1"},
        timeout=60,
    ).json()
    result = answer["data"]["result"]
    return float(result[0]["value"][1]) if result else 0.0


def _score(
    stack: Stack, commands: HomeCommands, own: Recording, weeks: tuple[float, float]
) -> tuple[float, float, float]:
    """AUC of the faulty against the healthy week; shares of both over the threshold."""
    healthy_from_s, fault_from_s = weeks
    file, scores = stack.state / "present.csv", stack.state / "scores.csv"
    first_s = max(healthy_from_s - LEARN_DAYS * DAY_S, float(own.timestamps_s[0]))
    write_csv(own, file, first_s, np.inf)
    commands.score(file, scores)
    table = read_scores(scores)
    healthy = table.between(healthy_from_s, fault_from_s)
    faulty = table.between(fault_from_s, np.inf)
    if not healthy.smoothed.size or not faulty.smoothed.size:
        raise DemoError("nothing was scored")
    return (
        auc(healthy.smoothed, faulty.smoothed),
        float(healthy.over.mean()),
        float(faulty.over.mean()),
    )


def _until(recording: Recording, until_s: float) -> Recording:
    """The part of a recording that is history."""
    end = int(np.searchsorted(recording.timestamps_s, until_s))
    return msgspec.structs.replace(
        recording,
        timestamps_s=recording.timestamps_s[:end],
        columns={name: column[:end] for name, column in recording.columns.items()},
    )


class _shown:  # noqa: N801 - used as a statement
    """A spinner for a stage without a measure of progress."""

    def __init__(self, progress: Progress, text: str) -> None:
        self._progress = progress
        self._text = text
        self._task: TaskID | None = None

    def __enter__(self) -> None:
        self._task = self._progress.add_task(self._text, total=None)

    def __exit__(self, *_error: object) -> None:
        if self._task is not None:
            self._progress.update(self._task, total=1, completed=1)
