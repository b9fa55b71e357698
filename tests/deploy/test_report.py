"""What of a pool is a problem: each limit, on both sides of it."""

from __future__ import annotations

import msgspec
import pytest

from heatpool_chassis.micro import Status
from heatpool_contract.operators import ShownRelease, ShownReleases
from heatpool_deploy.report import Alive, Flow, Release, problems_of

SERVICES = ("ingest", "writer", "trainer", "modelhub")
ALIVE = [
    Alive(name, "id", "0.1.0", ready=True, stopping=False, up_s=9.0, failing=())
    for name in SERVICES
]
FLOW = Flow(
    stream_messages=10,
    stream_bytes=1000,
    stream_fill=0.8,
    writer_pending=0,
    writer_unacknowledged=0,
    oldest_unacknowledged_s=120.0,
    oldest_unwritten_s=1.0,
    trainer_pending=0,
    dead_letters={},
)
RELEASE = Release(
    model="aero",
    model_hash="aa",
    version="v1",
    state="released",
    age_days=45.0,
    expires_days=45.0,
    canary_share=1.0,
    outcome="released",
    reasons=(),
    trained_days=1.0,
    figures={},
)
SHOWN = ShownRelease(
    model="aero", model_hash="aa", version="v1", epoch=1, seq=1, state="released", canary_share=1
)
HUB = ShownReleases(instance="hub:1", releases=[SHOWN], pending=0)


def status(**figures: float) -> Status:
    """Of a writer, with these figures."""
    return Status(
        service="writer",
        instance="id",
        version="0.1.0",
        ready=True,
        stopping=False,
        checks={},
        up_s=1.0,
        figures=figures,
    )


def test_a_pool_at_its_limits_has_no_problem() -> None:
    """Everything allowed, and a stopping process beside a ready one."""
    leaving = msgspec.structs.replace(ALIVE[1], ready=False, stopping=True, failing=("nats",))

    assert problems_of([*ALIVE, leaving], [status()], FLOW, [RELEASE], [HUB]) == []


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"oldest_unacknowledged_s": 121.0}, "a message waits 121 s to be stored"),
        ({"stream_fill": 0.85}, "TELEMETRY is 85% full"),
        ({"dead_letters": {"a": 2, "b": 1}}, "3 dead letters: `dlq list`"),
    ],
)
def test_what_is_late_or_full_or_dead_is_said(changed: dict[str, object], problem: str) -> None:
    """One sentence each, with the figure."""
    flow = msgspec.structs.replace(FLOW, **changed)

    assert problems_of(ALIVE, [], flow, [RELEASE], [HUB]) == [problem]


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"age_days": 46.0}, "aero: the release is 46 days old"),
        (
            {"outcome": "refused", "reasons": ("alarm rate", "recall")},
            "aero: last training refused: alarm rate; recall",
        ),
        ({"model_hash": "bb"}, "hub hub:1 does not hand out the current release of aero"),
    ],
)
def test_what_is_wrong_with_a_release_is_said(changed: dict[str, object], problem: str) -> None:
    """Too old, refused by the gate, or not what a hub hands out."""
    release = msgspec.structs.replace(RELEASE, **changed)

    assert problems_of(ALIVE, [], FLOW, [release], [HUB]) == [problem]


def test_a_model_without_a_release_is_no_problem_of_the_hub() -> None:
    """Cold start: nothing to hand out."""
    young = msgspec.structs.replace(
        RELEASE, model_hash="", age_days=None, expires_days=None, outcome="too_small"
    )
    empty = msgspec.structs.replace(HUB, releases=[])

    assert problems_of(ALIVE, [], FLOW, [young], [empty]) == []


@pytest.mark.parametrize(
    "name",
    [
        "heatpool_writer_store_alarm",
        'heatpool_writer_poison_breaker{model="aero"}',
        'heatpool_writer_ledger_difference{unit="samples"}',
        "heatpool_bus_denied_total",
    ],
)
def test_a_gauge_that_must_be_nought_is_named_with_its_process(name: str) -> None:
    """With labels or without, whatever the sign."""
    good, bad = status(**{name: 0.0}), status(**{name: -2.0})

    assert problems_of(ALIVE, [good], FLOW, [], []) == []
    (problem,) = problems_of(ALIVE, [bad], FLOW, [], [])
    assert problem.startswith("writer id: ")
    assert problem.endswith(f"({name} = -2)")


def test_silent_and_unready_processes_are_named() -> None:
    """A service nobody answers for; a process with what keeps it."""
    unready = msgspec.structs.replace(ALIVE[0], ready=False, failing=("nats", "registry"))

    assert problems_of([unready, *ALIVE[2:]], [], FLOW, [], []) == [
        "writer: no process answers",
        "ingest id: not ready (nats, registry)",
    ]
