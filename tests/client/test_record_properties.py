"""`record` against whatever loggers hold: it never raises, and nothing is lost uncounted."""

from __future__ import annotations

import math
import threading
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from simulators.hub import Hub, Reply
from simulators.publisher import NOW_S

from heatpool_client.telemetry import Telemetry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulators.faketime import FakeTime

    from heatpool_client.config import Config
    from heatpool_client.home import Home


class Evil:
    """An object whose every conversion raises."""

    def __float__(self) -> float:
        """Break."""
        raise ZeroDivisionError

    def __hash__(self) -> int:
        """Be a key."""
        return 1


def endless() -> dict[str, object]:
    """A mapping that contains itself."""
    found: dict[str, object] = {"a": 1}
    found["self"] = found
    return found


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.builds(pow, st.just(-10), st.sampled_from([400, 5000])),  # too long to be printed
    st.floats(),
    st.sampled_from([math.nan, math.inf, -math.inf, 1e308, -0.0]),
    st.text(max_size=10),
    st.binary(max_size=10),
    st.decimals(allow_nan=True),
    st.fractions(),
    st.complex_numbers(),
    st.datetimes(),
    st.sampled_from(
        [Decimal("sNaN"), Fraction(1, 3), np.float32(1.5), np.int64(2), np.array([1, 2])]
    ),
    st.builds(Evil),
    st.builds(endless),
    st.builds(bytearray, st.binary(max_size=4)),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)
KEYS = st.one_of(
    st.text(max_size=70),
    st.sampled_from(["timestamp", "temp_flow", "Außen Temp", "", "\ud800", "a" * 5000]),
    st.integers(),
    st.binary(max_size=4),
    st.none(),
    st.builds(Evil),
)
READINGS = st.one_of(
    st.dictionaries(KEYS, VALUES, max_size=8),
    st.builds(endless),
    SCALARS,
    st.lists(st.tuples(KEYS, VALUES), max_size=3),
)


@pytest.fixture
def telemetry(
    home: Home, agreed: Config, environ: dict[str, str], fake_time: FakeTime
) -> Iterator[Telemetry]:
    """The library without its thread."""
    assert agreed
    opened = Telemetry(home=home.root, environ=environ, clock=fake_time.clock(), background=False)
    yield opened
    opened.close()


@given(
    readings=st.lists(READINGS, max_size=5),
    jump_s=st.sampled_from([0, 0, 0, 5, -5, 10**9, -(10**9)]),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
def test_record_never_raises_and_counts_what_it_leaves_out(
    telemetry: Telemetry, fake_time: FakeTime, readings: list[object], jump_s: int
) -> None:
    """Kept, or counted for a reason that has a name; also while the clock jumps."""
    fake_time.now_s = NOW_S + jump_s
    for reading in readings:
        before = counted(telemetry)
        kept = telemetry.record(reading)  # type: ignore[arg-type]  # what loggers do
        assert kept or counted(telemetry) > before
        assert "bug" not in telemetry.health().counts
    fake_time.now_s = NOW_S


def test_whatever_was_kept_is_sent(telemetry: Telemetry, hub: Hub) -> None:
    """Beside the worst of readings the good ones arrive."""
    worst: list[object] = [{"b": Evil(), Evil(): 1, "\ud800": 2}, endless(), None, Evil()]
    for number, reading in enumerate(worst):
        telemetry.record(reading)  # type: ignore[arg-type]  # what loggers do
        assert "bug" not in telemetry.health().counts
        assert telemetry.record({"a": number})
    telemetry.flush()
    assert [record["a"] for one in hub.submissions for record in one.data].count(3) == 1
    assert {record["a"] for one in hub.submissions for record in one.data} == {0, 1, 2, 3}


def test_record_does_not_wait_while_the_pool_does_not_answer(
    telemetry: Telemetry, hub: Hub
) -> None:
    """A sender hangs in another thread; readings are kept meanwhile."""
    hub.scripted.append(Reply(200, b"x" * 400, drip_s=0.01))
    telemetry.record({"a": 0})
    asked = threading.Event()
    usual = hub.answer

    def told(seen: object) -> Reply:
        asked.set()
        return usual(seen)  # type: ignore[arg-type]  # as it came

    hub.answer = told  # type: ignore[method-assign]  # a test listens
    sender = threading.Thread(target=telemetry.flush)
    sender.start()
    assert asked.wait(30)
    kept = [telemetry.record({"a": number}) for number in range(1, 20)]
    assert sender.is_alive(), "it answered before anything was recorded"
    assert all(kept)
    sender.join()


def counted(telemetry: Telemetry) -> int:
    """All counts, in memory and on disk."""
    spool = telemetry._pool.spool.waiting().counts
    return sum(telemetry.health().counts.values()) + sum(spool.values())
