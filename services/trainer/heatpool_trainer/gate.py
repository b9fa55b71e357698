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
    from collections.abc import Collection

    from heatpool_contract.detector import Detector
    from heatpool_trainer.examination import Examination
    from heatpool_trainer.plan import Candidate

AT_MOST_BESIDE: Final = ("cycle_episodes_per_pump_week", "rule_homes_share")
AT_MOST: Final = frozenset(
    {"episodes_per_pump_week", "payload_bytes", "homes_rejected", "heaviest_home", *AT_MOST_BESIDE}
)
NEVER_ACCEPTED: Final = frozenset({"payload_bytes", "channels"})
"""An operator may say that a strange candidate is right, not that clients could use it."""
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
    homes_rejected_max: float = 0.1
    """Share of homes that the others' model rejects; of more, somebody has to look."""
    home_share_max: float = 0.2
    """Of one home in the masses."""
    auc_min: float = 0.75
    """Known faults against health, in homes that the candidate has not seen."""
    auc_loss_max: float = 0.02
    """Against the predecessor, which may have seen these homes."""
    agreement_min: float = 0.7
    """Rank correlation with the predecessor's scores. Simulated fleets: 0.95 after a day more or
    twice the homes; 0.81 for five homes with twelve days."""


class Passed(msgspec.Struct, frozen=True):
    """It may be released."""

    figures: tuple[GateFigure, ...]


class Refused(msgspec.Struct, frozen=True):
    """It may not."""

    reasons: tuple[str, ...]
    """Codes; the figures of the same name say how far off it is."""
    figures: tuple[GateFigure, ...]


def judge(
    candidate: Candidate,
    samples: int,
    policy: Policy,
    predecessor_homes: int = 0,
    examination: Examination | None = None,
    accepted: Collection[str] = (),
) -> Passed | Refused:
    """Hold a candidate against the policy.

    Args:
        candidate: as `rebuild` made it.
        samples: values it was made of.
        policy: the limits.
        predecessor_homes: homes in the release it would replace, 0 = none.
        examination: known faults in homes that the candidate has not seen.
        accepted: reasons that somebody has looked at; never what a client would refuse.
    """
    report = candidate.report
    channels = report.channels
    alarms = sum(one.episodes / one.pump_weeks for one in channels if one.pump_weeks > 0)
    homes, rejected = len(report.homes), len(report.homes_rejected)
    # Five homes have a fifth each; a channel of so few cannot raise an alarm.
    shares = [one.share_max for one in channels if one.homes * policy.home_share_max > 1.0]
    figures = [
        GateFigure("installations", float(homes), float(policy.installations_min)),
        GateFigure("samples", float(samples), float(policy.samples_min)),
        GateFigure("channels", float(len(channels)), 1.0),
        GateFigure("episodes_per_pump_week", alarms, policy.episodes_per_week_max),
        GateFigure("payload_bytes", float(len(candidate.payload)), float(policy.payload_bytes_max)),
        GateFigure(
            "gross_faults_seen", gross_faults_seen(candidate.detector), policy.gross_faults_seen_min
        ),
        GateFigure(
            "homes_of_predecessor",
            homes / predecessor_homes if predecessor_homes else 1.0,
            policy.homes_of_predecessor_min,
        ),
        GateFigure(
            "homes_rejected",
            rejected / max(1, homes, rejected),
            policy.homes_rejected_max,
        ),
        GateFigure("heaviest_home", max(shares, default=0.0), policy.home_share_max),
    ]
    figures += _beside(candidate, policy)
    if examination is not None:
        figures += _examined(examination, policy)
    reasons = [
        figure.name
        for figure in figures
        if (figure.value > figure.limit if figure.name in AT_MOST else figure.value < figure.limit)
    ]
    waived = [one for one in reasons if one in accepted and one not in NEVER_ACCEPTED]
    figures += [GateFigure(f"accepted.{one}", 1.0, 0.0) for one in waived]
    left = [one for one in reasons if one not in waived] + _client_refuses(candidate.payload)
    return Refused(tuple(left), tuple(figures)) if left else Passed(tuple(figures))


def _examined(examination: Examination, policy: Policy) -> list[GateFigure]:
    """Figures of the examination; what could not be tried has none."""
    figures = [GateFigure(f"auc.{one.scenario}", one.auc, 0.0) for one in examination.tried]
    if examination.auc is not None:
        figures.append(GateFigure("auc", examination.auc, policy.auc_min))
    if examination.auc_predecessor is not None and examination.auc is not None:
        change = examination.auc - examination.auc_predecessor
        figures.append(GateFigure("auc_change", change, -policy.auc_loss_max))
    if examination.agreement is not None:
        figures.append(GateFigure("agreement", examination.agreement, policy.agreement_min))
    return figures


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
