"""What the owner is told and when: cooldown, severity, quiet hours; and the sending."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heatpool_client.alerts import (
    HELD_MAX,
    AlertState,
    Event,
    Policy,
    Severity,
    decide,
    is_quiet,
    release,
)
from heatpool_client.faults import ClientError, Fault
from heatpool_client.home import Home, write_private
from heatpool_client.notifying import AlertSettings, Notifier, read_settings

if TYPE_CHECKING:
    from pathlib import Path

    from simulators.hub import Hub

NIGHT = Policy(quiet_from="22:00", quiet_to="07:00")
NOON, MIDNIGHT = 12 * 60, 0


def event(at_s: float = 0.0, severity: Severity = "warning") -> Event:
    """Something happened."""
    return Event(kind="anomaly", severity=severity, at_s=at_s, title="Title", text="Text")


def test_one_kind_is_told_once_in_its_cooldown() -> None:
    """Unless it gets worse, or the clock jumped back."""
    state, sent = AlertState(), 0
    for at_s in (0, 60, 3600, 6 * 3600 - 1, 6 * 3600):
        state, due = decide(state, event(at_s), Policy(), NOON)
        sent += len(due)
    assert (sent, state.suppressed) == (2, 3)
    state, due = decide(state, event(6 * 3600 + 60, "alarm"), Policy(), NOON)
    assert len(due) == 1
    _, due = decide(state, event(100, "alarm"), Policy(), NOON)
    assert len(due) == 1


def test_what_is_not_severe_enough_is_not_told() -> None:
    """It is counted."""
    state, due = decide(AlertState(), event(), Policy(severity_min="alarm"), NOON)
    assert (due, state.suppressed, state.told) == ((), 1, {})


def test_quiet_hours_hold_all_but_alarms() -> None:
    """And tell the rest in the morning."""
    state, due = decide(AlertState(), event(), NIGHT, MIDNIGHT)
    assert due == ()
    state, due = decide(state, event(60, "alarm"), NIGHT, MIDNIGHT)
    assert len(due) == 1
    state, due = release(state, NIGHT, 7 * 60 - 1)
    assert due == ()
    state, due = release(state, NIGHT, 7 * 60)
    assert due == (event(),)
    assert release(state, NIGHT, 7 * 60) == (state, ())


def test_held_events_are_bounded() -> None:
    """The oldest go, counted."""
    state, policy = AlertState(), Policy(quiet_from="22:00", cooldown_s=0)
    for number in range(HELD_MAX + 5):
        state, _ = decide(state, event(number), policy, MIDNIGHT)
    assert (len(state.held), state.suppressed) == (HELD_MAX, 5)
    assert state.held[0].at_s == 5


@given(st.integers(0, 1439), st.integers(0, 1439), st.integers(0, 1439))
def test_quiet_hours_go_over_midnight(start: int, end: int, now: int) -> None:
    """As one walks from start to end around the clock."""
    policy = Policy(
        quiet_from=f"{start // 60:02}:{start % 60:02}", quiet_to=f"{end // 60:02}:{end % 60:02}"
    )
    quiet = set(range(start, end if end >= start else end + 1440))
    assert is_quiet(policy, now) == (now in quiet or now + 1440 in quiet)


def test_what_was_told_is_remembered_over_restarts(home: Home) -> None:
    """A restart is no reason to tell it again."""
    home.create()
    sent: list[Event] = []
    settings = AlertSettings()

    def send(one: Event) -> bool:
        sent.append(one)
        return True

    for at_s in (0.0, 60.0):
        notifier = Notifier(home, settings, send)
        notifier.tell(event(at_s))
    assert len(sent) == 1


def test_settings_hold_secrets(home: Home, tmp_path: Path) -> None:
    """A readable file is refused, addresses show in no repr, and unknown keys are errors."""
    assert tmp_path
    home.create()
    assert read_settings(home) == AlertSettings()
    text = b'urls = ["json://secret@localhost"]\n[policy]\nquiet_from = "22:00"\n'
    write_private(home.alerts, text)
    settings = read_settings(home)
    assert settings.policy.quiet_from == "22:00"
    assert "secret" not in repr(settings)
    write_private(home.alerts, text + b"quiet = 1\n")
    with pytest.raises(ClientError) as caught:
        read_settings(home)
    assert caught.value.code is Fault.CONFIG_INVALID
    home.alerts.chmod(0o644)
    with pytest.raises(ClientError) as caught:
        read_settings(home)
    assert caught.value.code is Fault.FILE_EXPOSED


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
def test_apprise_sends_to_its_addresses(home: Home, hub: Hub) -> None:
    """By its JSON service against a real server; an unknown address is an error."""
    home.create()
    address = hub.url.removeprefix("http://")
    notifier = Notifier(home, AlertSettings(urls=(f"json://{address}/alert",)))
    assert notifier.tell(event())
    (seen,) = hub.requests
    assert seen.path == "/alert"
    assert b"Title" in seen.body
    with pytest.raises(ClientError, match="address 1"):
        Notifier(home, AlertSettings(urls=("nothing://at-all",)))
