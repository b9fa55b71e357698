"""What may be released: every figure with its limit, every reason named."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from heatpool_contract.detector import encode
from heatpool_trainer.gate import Passed, Policy, Refused, gross_faults_seen, judge

if TYPE_CHECKING:
    from heatpool_trainer.plan import Candidate


def test_a_sound_candidate_passes_with_all_figures(candidate: Candidate) -> None:
    """The figures go into the release's provenance."""
    verdict = judge(candidate, candidate.report.samples, Policy())

    assert isinstance(verdict, Passed)
    assert {figure.name for figure in verdict.figures} >= {
        "installations",
        "samples",
        "episodes_per_pump_week",
        "gross_faults_seen",
    }


@pytest.mark.parametrize(
    ("policy", "reason"),
    [
        (Policy(installations_min=6), "installations"),
        (Policy(samples_min=10**9), "samples"),
        (Policy(payload_bytes_max=1_000), "payload_bytes"),
        (Policy(gross_faults_seen_min=1.1), "gross_faults_seen"),
    ],
)
def test_each_limit_refuses_alone(candidate: Candidate, policy: Policy, reason: str) -> None:
    """The reason is the figure's name."""
    verdict = judge(candidate, candidate.report.samples, policy)

    assert isinstance(verdict, Refused)
    assert verdict.reasons == (reason,)


def test_a_detector_that_nothing_excites_is_refused(candidate: Candidate) -> None:
    """Without false alarms, and without any other."""
    modes = tuple(
        msgspec.structs.replace(
            mode,
            channels=tuple(msgspec.structs.replace(c, threshold=2.0) for c in mode.channels),
        )
        for mode in candidate.detector.modes
    )
    deaf = msgspec.structs.replace(candidate.detector, modes=modes)

    assert gross_faults_seen(candidate.detector) == 1.0
    assert gross_faults_seen(deaf) == 0.0


def test_a_sudden_loss_of_homes_is_refused(candidate: Candidate) -> None:
    """Five homes where the predecessor had eleven."""
    verdict = judge(candidate, candidate.report.samples, Policy(), predecessor_homes=11)

    assert isinstance(verdict, Refused)
    assert verdict.reasons == ("homes_of_predecessor",)


def test_what_a_client_would_refuse_is_not_signed(candidate: Candidate) -> None:
    """Damaged, or scoring differently from what its own vectors promise."""
    test = candidate.detector.self_tests[0]
    other = msgspec.structs.replace(test, scores=test.scores[8:] + test.scores[:8])
    tests = (other, *candidate.detector.self_tests[1:])
    wrong = encode(msgspec.structs.replace(candidate.detector, self_tests=tests))

    reasons: list[str] = []
    for payload in (candidate.payload[:-1], wrong):
        verdict = judge(msgspec.structs.replace(candidate, payload=payload), 10**6, Policy())
        assert isinstance(verdict, Refused)
        reasons += verdict.reasons

    assert reasons == ["malformed_not_msgpack", "self_test"]


def test_too_many_alarms_on_unseen_homes_refuse(candidate: Candidate) -> None:
    """The promise on false alarms is the sum over all channels."""
    noisy = tuple(
        msgspec.structs.replace(channel, episodes=1, pump_weeks=10.0)
        for channel in candidate.report.channels
    )
    report = msgspec.structs.replace(candidate.report, channels=noisy)

    verdict = judge(msgspec.structs.replace(candidate, report=report), 10**6, Policy())

    assert isinstance(verdict, Refused)
    assert verdict.reasons == ("episodes_per_pump_week",)
