"""A pause: nothing is sent, nothing is lost, no clock makes it longer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from simulators.publisher import NOW_S

from heatpool_client.courier import send_waiting
from heatpool_client.pausing import PAUSE_S_MAX, PAUSED, pause, paused_until

if TYPE_CHECKING:
    from simulators.faketime import FakeTime
    from simulators.hub import Hub

    from heatpool_client.home import Home
    from heatpool_client.pool import Pool


def test_readings_wait_until_the_pause_is_over(pool: Pool, hub: Hub, fake_time: FakeTime) -> None:
    """Also for who asks to send at once; then they go by themselves."""
    pool.spool.append([(NOW_S * 1000, b'{"timestamp":1.0,"a":1}')])
    pause(pool.home, 3600, fake_time.now_s)
    for at_once in (False, True):
        done = send_waiting(pool, at_once=at_once)
        assert (done.problem, done.requests) == (PAUSED, 0)
    assert pool.spool.waiting().records == 1
    fake_time.now_s += 3600

    assert send_waiting(pool).requests == 1
    assert len(hub.submissions) == 1


def test_a_pause_ends_early_when_the_owner_says_so(home: Home) -> None:
    """Zero seconds are none."""
    home.create()
    assert paused_until(home, 0.0) is None
    pause(home, 60, 0.0)
    assert paused_until(home, 59.0) == 60.0
    pause(home, 0, 1.0)
    assert paused_until(home, 2.0) is None


@pytest.mark.parametrize(
    ("seconds", "now_s", "expected"),
    [
        (PAUSE_S_MAX * 2, 0.0, PAUSE_S_MAX),
        (3600.0, -PAUSE_S_MAX * 2, None),
    ],
)
def test_a_clock_that_jumped_does_not_make_it_longer(
    home: Home, seconds: float, now_s: float, expected: float | None
) -> None:
    """A month is the longest, however far the clock goes back."""
    home.create()
    pause(home, seconds, 0.0)
    assert paused_until(home, now_s) == expected


def test_a_damaged_pause_is_none(home: Home) -> None:
    """Sharing was agreed to."""
    home.create()
    home.paused.write_bytes(b"{")
    home.paused.chmod(0o600)
    assert paused_until(home, 0.0) is None
