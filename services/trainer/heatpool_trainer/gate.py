"""PURE: may this candidate be released?

In: a candidate, how much data it is made of, a policy. Out: `Passed` or `Refused`, both with every
figure that was looked at and its limit. Guarantee: a refusal names all its reasons; nothing is
signed that a client would refuse, because the client's own checks are among the gate's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from heatpool_contract.channel_scoring import CompiledChannel
from heatpool_contract.detector import decode
from heatpool_contract.detector_checks import MalformedDetector
from heatpool_contract.manifest import GateFigure
from heatpool_contract.self_testing import self_test

if TYPE_CHECKING:
    from heatpool_contract.detector import Detector
    from heatpool_trainer.plan import Candidate

AT_MOST_BESIDE: Final = ("cycle_episodes_per_pump_week", "rule_homes_share")
GROSS_DEVIATIONS: Final = 1_000.0  # from what the other features let expect: a broken sensor


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What a release has to meet."""

    installations_min: int = 5
    samples_min: int = 10_000
    episodes_per_week_max: float = 0.25
    """False alarms of a pump on homes the scoring model has not seen, over all channels."""
    cycle_episodes_per_week_max: float = 0.125
    """Of the channel of the days, as above; each channel has a budget of its own."""
    rule_homes_share_max: float = 0.05
    """Of healthy homes that break any one of the hard rules."""
    payload_bytes_max: int = 16 * 1024 * 1024
    """Inflated; a Raspberry Pi holds it in memory."""
    gross_faults_seen_min: float = 0.5
    """Share of single features, taken far off, that lift a channel's score over its threshold."""
    homes_of_predecessor_min: float = 0.5
    """Share of the predecessor's homes; a sudden loss is an accident or an attack."""


class Passed(msgspec.Struct, frozen=True):
    """It may be released."""

    figures: tuple[GateFigure, ...]


class Refused(msgspec.Struct, frozen=True):
    """It may not."""

    reasons: tuple[str, ...]
    """Codes; the figures of the same name say how far off it is."""
    figures: tuple[GateFigure, ...]


def judge(
    candidate: Candidate, samples: int, policy: Policy, predecessor_homes: int = 0
) -> Passed | Refused:
    """Hold a candidate against the policy.

    Args:
        candidate: as `rebuild` made it.
        samples: values it was made of.
        policy: the limits.
        predecessor_homes: homes in the release it would replace, 0 = none.
    """
    report = candidate.report
    channels = report.channels
    alarms = sum(one.episodes / one.pump_weeks for one in channels if one.pump_weeks > 0)
    figures = (
        GateFigure("installations", float(len(report.homes)), float(policy.installations_min)),
        GateFigure("samples", float(samples), float(policy.samples_min)),
        GateFigure("channels", float(len(channels)), 1.0),
        GateFigure("episodes_per_pump_week", alarms, policy.episodes_per_week_max),
        GateFigure("payload_bytes", float(len(candidate.payload)), float(policy.payload_bytes_max)),
        GateFigure(
            "gross_faults_seen", gross_faults_seen(candidate.detector), policy.gross_faults_seen_min
        ),
        GateFigure(
            "homes_of_predecessor",
            len(report.homes) / predecessor_homes if predecessor_homes else 1.0,
            policy.homes_of_predecessor_min,
        ),
        *_beside(candidate, policy),
    )
    at_most = {"episodes_per_pump_week", "payload_bytes", *AT_MOST_BESIDE}
    reasons = [
        figure.name
        for figure in figures
        if (figure.value > figure.limit if figure.name in at_most else figure.value < figure.limit)
    ]
    reasons += _client_refuses(candidate.payload)
    return Refused(tuple(reasons), figures) if reasons else Passed(figures)


def _beside(candidate: Candidate, policy: Policy) -> tuple[GateFigure, ...]:
    """What the other channels are held against, each by itself; nothing where there is none."""
    report, detector = candidate.report, candidate.detector
    alarms = sum(one.episodes / one.pump_weeks for one in report.cycle if one.pump_weeks > 0)
    share = max((one.homes_raised / one.homes for one in detector.rules), default=0.0)
    limits = (
        (bool(report.cycle), policy.cycle_episodes_per_week_max, alarms),
        (bool(detector.rules), policy.rule_homes_share_max, share),
    )
    figures = [
        GateFigure(name, value, limit)
        for name, (present, limit, value) in zip(AT_MOST_BESIDE, limits, strict=True)
        if present
    ]
    if detector.rules:
        figures.append(GateFigure("hard_rules", float(len(detector.rules)), 1.0))
    figures += [
        GateFigure(f"rule_left_out.{one.rule}", one.homes_raised / one.homes, 0.0)
        for one in report.rules
        if one.homes and not one.released
    ]
    if detector.wear is not None:
        figures.append(GateFigure("wear_residuals", float(len(detector.wear.targets)), 1.0))
    return tuple(figures)


def gross_faults_seen(detector: Detector) -> float:
    """Share of features that, far off alone, lift a channel's raw score over its threshold.

    Taken to the side on which it shows more. A detector that nothing excites raises no false alarm
    either, so the alarm rate alone would let it pass.
    """
    seen = []
    for mode in detector.modes:
        for channel in mode.channels:
            compiled = CompiledChannel(channel, detector.structures)
            for feature in range(len(mode.targets)):
                size = GROSS_DEVIATIONS * compiled.deviation(feature)
                scores = []
                for offset in (-size, size):
                    vector = [*channel.imputed]
                    vector[feature] += offset
                    scores.append(compiled.score(vector))
                seen.append(max(scores) >= channel.threshold)
    return sum(seen) / len(seen) if seen else 0.0


def _client_refuses(payload: bytes) -> list[str]:
    """Why a client would not activate the payload: malformed, or scores of its own differ."""
    try:
        detector = decode(payload)
    except MalformedDetector as error:
        return [f"malformed_{error.code}"]
    return [] if self_test(detector) is None else ["self_test"]
