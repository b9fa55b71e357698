"""What the owner is told, and when. Pure.

In: events, the owner's policy, the time of day. Out: what to send now, what to hold. Guarantee: an
event of one kind is told once in its cooldown; in quiet hours only what is severe enough is sent,
the rest is held and told when they end; nothing is dropped uncounted.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec

Severity = Literal["info", "warning", "alarm"]
Kind = Literal["anomaly", "became_eligible", "no_longer_eligible", "cycle", "rule", "wear"]
_RANK: Final[dict[Severity, int]] = {"info": 0, "warning": 1, "alarm": 2}
HELD_MAX: Final = 20
_DAY_MIN: Final = 1440

TimeOfDay = Annotated[str, msgspec.Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something that the owner may want to hear."""

    kind: Kind
    severity: Severity
    at_s: float
    title: str
    text: str
    subject: str = ""
    """Which of several of the kind: a rule, a residual. Each has its own cooldown."""


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the owner wants to hear."""

    cooldown_s: Annotated[float, msgspec.Meta(ge=0, le=30 * 86_400)] = 6 * 3600.0
    """Between two events of one kind; a more severe one is told at once."""
    wear_cooldown_s: Annotated[float, msgspec.Meta(ge=0, le=366 * 86_400)] = 30 * 86_400.0
    """Between two events of wear: nothing that takes months needs saying twice a month."""
    severity_min: Severity = "info"
    quiet_from: TimeOfDay | None = None
    """Local time; None: no quiet hours."""
    quiet_to: TimeOfDay = "07:00"
    quiet_severity_min: Severity = "alarm"
    """Told also in quiet hours."""


class Told(msgspec.Struct, frozen=True):
    """What was told of one kind, and when."""

    at_s: float
    severity: Severity


class AlertState(msgspec.Struct, frozen=True, kw_only=True):
    """What is remembered between events."""

    told: dict[str, Told] = {}
    held: tuple[Event, ...] = ()
    """Waits for the end of the quiet hours."""
    suppressed: int = 0
    """By severity, cooldown, or because too many were held."""


def decide(
    state: AlertState, event: Event, policy: Policy, minute_of_day: int
) -> tuple[AlertState, tuple[Event, ...]]:
    """Take an event; what to send now.

    Args:
        state: what is remembered.
        event: has just happened.
        policy: the owner's.
        minute_of_day: local time at the event, 0 to 1439.
    """
    subject = f"{event.kind}/{event.subject}" if event.subject else event.kind
    known = state.told.get(subject)
    cooldown_s = policy.wear_cooldown_s if event.kind == "wear" else policy.cooldown_s
    too_low = _RANK[event.severity] < _RANK[policy.severity_min]
    cooling = (
        known is not None
        and 0 <= event.at_s - known.at_s < cooldown_s
        and _RANK[event.severity] <= _RANK[known.severity]
    )
    if too_low or cooling:
        return msgspec.structs.replace(state, suppressed=state.suppressed + 1), ()
    told = {**state.told, subject: Told(event.at_s, event.severity)}
    quiet = is_quiet(policy, minute_of_day)
    if quiet and _RANK[event.severity] < _RANK[policy.quiet_severity_min]:
        held = (*state.held, event)
        lost = max(0, len(held) - HELD_MAX)
        return AlertState(told=told, held=held[lost:], suppressed=state.suppressed + lost), ()
    return msgspec.structs.replace(state, told=told), (event,)


def release(
    state: AlertState, policy: Policy, minute_of_day: int
) -> tuple[AlertState, tuple[Event, ...]]:
    """What was held, if the quiet hours are over."""
    if not state.held or is_quiet(policy, minute_of_day):
        return state, ()
    return msgspec.structs.replace(state, held=()), state.held


def is_quiet(policy: Policy, minute_of_day: int) -> bool:
    """Whether it is quiet time; also over midnight."""
    if policy.quiet_from is None:
        return False
    start, end = _minutes(policy.quiet_from), _minutes(policy.quiet_to)
    return (minute_of_day - start) % _DAY_MIN < (end - start) % _DAY_MIN


def _minutes(text: str) -> int:
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)
