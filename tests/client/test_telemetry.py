"""What a logger calls: `record` keeps, never raises, never waits for the network."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import pytest
from simulators.hub import CONSENT_PATH, Hub, Reply, refusal
from simulators.publisher import NOW_S

from heatpool_client import consent
from heatpool_client.aio import AsyncTelemetry
from heatpool_client.clock import SYSTEM
from heatpool_client.telemetry import PENDING_MAX, Telemetry
from heatpool_contract.refusals import Refusal

if TYPE_CHECKING:
    from simulators.faketime import FakeTime

    from heatpool_client.config import Config
    from heatpool_client.home import Home
    from heatpool_client.pool import Pool


@pytest.fixture
def telemetry(
    home: Home, agreed: Config, environ: dict[str, str], fake_time: FakeTime
) -> Iterator[Telemetry]:
    """The library without its thread, on an installation that agreed."""
    assert agreed
    opened = Telemetry(home=home.root, environ=environ, clock=fake_time.clock(), background=False)
    yield opened
    opened.close()


def sent(hub: Hub) -> list[dict[str, object]]:
    """All records that the hub has."""
    return [dict(record) for one in hub.submissions for record in one.data]


def test_a_reading_is_kept_and_sent_later(telemetry: Telemetry, hub: Hub) -> None:
    """With its own time, or with now; nothing of it goes out before."""
    assert telemetry.record({"timestamp": NOW_S - 60, "temp_flow": 35.5, "on": True})
    assert telemetry.record({"temp_flow": 36})
    assert hub.requests == []
    done = telemetry.flush()
    assert done is not None
    assert (done.records, done.samples, done.waiting) == (2, 3, 0)
    assert sent(hub) == [
        {"timestamp": NOW_S - 60, "temp_flow": 35.5, "on": True},
        {"timestamp": NOW_S, "temp_flow": 36},
    ]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (math.nan, "value_out_of_range"),
        (math.inf, "value_out_of_range"),
        (10**400, "value_out_of_range"),
        (-(10**308), "value_out_of_range"),
        ("21.5", "value_not_numeric"),
        ([1], "value_not_numeric"),
        pytest.param(object(), "value_not_numeric", id="object"),
    ],
    ids=repr,
)
def test_a_bad_value_is_counted_and_the_rest_kept(
    telemetry: Telemetry, hub: Hub, pool: Pool, value: object, reason: str
) -> None:
    """The logger hears nothing of it."""
    assert telemetry.record({"good": 1.0, "bad": value})
    assert not telemetry.record({"bad": value})
    telemetry.flush()
    assert [one["good"] for one in sent(hub)] == [1.0]
    counts = pool.spool.waiting().counts
    assert (counts[reason], counts["record_without_values"]) == (2, 1)


@pytest.mark.parametrize(
    ("reading", "reason"),
    [
        (None, "not_a_mapping"),
        ([("a", 1)], "not_a_mapping"),
        ({}, "record_without_values"),
        ({"timestamp": "yesterday", "a": 1}, "timestamp_invalid"),
        ({"timestamp": NOW_S + 400, "a": 1}, "timestamp_in_future"),
        ({"timestamp": 0, "a": 1}, "timestamp_too_old"),
        ({"a": 1, "": 2, 3: 4}, "field_name_invalid"),
    ],
)
def test_a_bad_reading_is_counted(telemetry: Telemetry, reading: object, reason: str) -> None:
    """Under the code that the pool would use."""
    telemetry.record(reading)  # type: ignore[arg-type]  # what loggers do
    telemetry.record({"a": 1})
    telemetry.flush()
    assert telemetry._pool.spool.waiting().counts[reason] >= 1


class Hostile(Mapping[str, object]):
    """A mapping that breaks in the middle."""

    def __getitem__(self, key: str) -> object:
        """Break."""
        raise RuntimeError(key)

    def __iter__(self) -> Iterator[str]:
        """Break."""
        raise RuntimeError

    def __len__(self) -> int:
        """Lie."""
        return 1


def test_a_bug_stays_inside(telemetry: Telemetry) -> None:
    """Also a mapping that raises does not stop the logger."""
    assert not telemetry.record(Hostile())
    assert telemetry.health().counts == {"bug": 1}
    assert telemetry.record({"a": 1})


def test_a_clock_that_goes_back_is_counted(
    telemetry: Telemetry, fake_time: FakeTime, pool: Pool, hub: Hub
) -> None:
    """The reading is kept; one from before this program was made is not."""
    fake_time.now_s += 100
    telemetry.record({"a": 1})
    fake_time.now_s -= 50
    assert telemetry.record({"a": 2})
    now_s, fake_time.now_s = fake_time.now_s, 1000.0
    assert not telemetry.record({"a": 3})
    fake_time.now_s = now_s
    telemetry.flush()
    assert [one["a"] for one in sent(hub)] == [2, 1]
    counts = pool.spool.waiting().counts
    assert (counts["clock_went_back"], counts["clock_not_set"]) == (1, 1)


def test_nothing_is_kept_before_consent(
    home: Home, config: Config, environ: dict[str, str], fake_time: FakeTime
) -> None:
    """No file of readings, and health says why."""
    assert config
    with Telemetry(
        home=home.root, environ=environ, clock=fake_time.clock(), background=False
    ) as telemetry:
        assert not telemetry.record({"a": 1})
        assert telemetry.health().problem == "consent_missing"
    assert not home.spool.exists()


def test_withdrawing_elsewhere_counts_at_once(
    telemetry: Telemetry, home: Home, fake_time: FakeTime, hub: Hub, pool: Pool
) -> None:
    """The next reading is not kept; what waited is gone; nothing but the decision is sent."""
    telemetry.record({"a": 1})
    consent.withdraw(home, fake_time.now_s)
    assert not telemetry.record({"a": 2})
    assert telemetry.flush() is None
    assert hub.paths() == [CONSENT_PATH] * 2
    assert [one.event for one in hub.consents] == ["granted", "withdrawn"]
    assert pool.spool.waiting().records == 0


def test_do_not_track_counts_at_once(telemetry: Telemetry, environ: dict[str, str]) -> None:
    """Whenever the variable appears."""
    environ["DO_NOT_TRACK"] = "1"
    assert not telemetry.record({"a": 1})
    assert telemetry.health().problem == "do_not_track"


def test_a_logger_that_was_never_set_up_runs_on(
    tmp_path_factory: pytest.TempPathFactory, environ: dict[str, str]
) -> None:
    """No exception, no folder; health says what to do."""
    root = tmp_path_factory.mktemp("empty") / "home"
    telemetry = Telemetry(home=root, environ=environ, background=False)
    assert not telemetry.record({"a": 1})
    assert telemetry.health().problem == "consent_missing"
    telemetry.close()
    assert not root.exists()


def test_a_full_disk_is_bridged_in_memory(
    telemetry: Telemetry, home: Home, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Readings wait in memory, bounded and counted, and go to disk when it is there again."""
    assert telemetry.record({"a": -1})
    spool = telemetry._pool.spool
    path = spool.path
    monkeypatch.setattr(spool, "path", home.root / "missing" / "spool.db")
    for index in range(3):
        assert not telemetry.record({"a": index})
    assert telemetry.health().problem == "spool_unusable"
    assert telemetry.health().pending == 3
    monkeypatch.setattr(spool, "path", path)
    assert telemetry.record({"a": 3})
    assert telemetry.health().problem is None
    telemetry.flush()
    assert [one["a"] for one in sent(hub)] == [-1, 0, 1, 2, 3]
    assert telemetry._pending.maxlen == PENDING_MAX


def test_many_threads_lose_nothing(telemetry: Telemetry, hub: Hub) -> None:
    """Eight threads, a sender between them."""

    def work(number: int) -> None:
        for index in range(25):
            telemetry.record({f"t{number}": index})

    threads = [threading.Thread(target=work, args=[i]) for i in range(8)]
    for thread in threads:
        thread.start()
    telemetry.flush()
    for thread in threads:
        thread.join()
    telemetry.flush()
    assert sum(len(record) - 1 for record in sent(hub)) == 200


def test_the_thread_sends_and_close_flushes(
    home: Home, agreed: Config, environ: dict[str, str], hub: Hub
) -> None:
    """With real time: what was recorded last is stored when `close` returns."""
    assert agreed
    with Telemetry(home=home.root, environ=environ, clock=SYSTEM) as telemetry:
        telemetry.record({"a": 1})
    assert [one["a"] for one in sent(hub)] == [1]


def test_the_thread_sends_and_updates_by_itself(
    home: Home, agreed: Config, environ: dict[str, str], hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody calls `flush`; the update is the daily one, its failure only a log line."""
    assert agreed
    monkeypatch.setattr("heatpool_client.telemetry.FIRST_S", 0.01)
    telemetry = Telemetry(home=home.root, environ=environ)
    telemetry.record({"a": 1})
    deadline_s = time.monotonic() + 10
    while "/api/v1/model/check" not in hub.paths() and time.monotonic() < deadline_s:
        time.sleep(0.01)
    telemetry.close()
    assert [one["a"] for one in sent(hub)] == [1]
    assert "/api/v1/model/check" in hub.paths()


def test_close_does_not_wait_for_a_server_that_hangs(
    home: Home, agreed: Config, environ: dict[str, str], hub: Hub, pool: Pool
) -> None:
    """The readings stay in the spool."""
    assert agreed
    hub.scripted.append(Reply(200, b"x" * 100, drip_s=0.01))
    telemetry = Telemetry(home=home.root, environ=environ, clock=SYSTEM, background=False)
    telemetry.record({"a": 1})
    telemetry.close(timeout_s=0.2)
    assert pool.spool.waiting().records == 1
    for thread in threading.enumerate():
        if thread.name == "heatpool-close":
            thread.join()


async def test_the_asyncio_variant(telemetry: Telemetry, hub: Hub) -> None:
    """The same, awaited."""
    async with AsyncTelemetry(telemetry) as logger:
        assert await logger.record({"a": 1})
        done = await logger.flush()
    assert done is not None
    assert (done.records, len(hub.submissions)) == (1, 1)


def test_failures_are_told_in_health(telemetry: Telemetry, hub: Hub) -> None:
    """And forgotten after the next success."""
    telemetry.record({"a": 1})
    hub.scripted.append(refusal(Refusal.BUS_UNAVAILABLE, retry_after_s=60))
    telemetry.flush()
    assert telemetry.health().problem == "unreachable"
    telemetry.flush()
    assert telemetry.health().problem is None
