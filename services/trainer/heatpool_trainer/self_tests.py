"""Inputs whose scores a client must reproduce before it activates the payload.

In: a finished detector. Out: one `SelfTest` per channel, computed by the compiled chain, so that a
client's plain Python checks the trainer and the trainer checks the client.
Guaranteed: states from usual to absurd, with missing values, at every corner of the reference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from heatpool_contract.detector import SelfTest
from heatpool_contract.detector_checks import SELF_TESTS_MIN
from heatpool_trainer import features, forest
from heatpool_trainer.features import Rows

if TYPE_CHECKING:
    from heatpool_contract.detector import Channel, Detector, Mode
    from heatpool_trainer.native import Floats

SEED: Final = 20_111  # any number; the year and month river's paper was written in
MISSING_SHARE: Final = 0.1
REACH_LOG10: Final = (-2.0, 1.0)  # from a hundredth to ten times of a target's usual range


def self_tests(detector: Detector) -> tuple[SelfTest, ...]:
    """Tests for every channel of the detector."""
    return tuple(
        _test(detector, mode, channel, number)
        for number, mode in enumerate(detector.modes)
        for channel in mode.channels
    )


def _test(detector: Detector, mode: Mode, channel: Channel, number: int) -> SelfTest:
    random = np.random.default_rng((SEED, number))
    conditioners = np.column_stack(
        [np.empty((SELF_TESTS_MIN, 0))]
        + [random.uniform(one.low, one.high, SELF_TESTS_MIN) for one in mode.conditioners]
    )
    targets = _targets(mode, conditioners, random)
    rows = Rows(np.arange(SELF_TESTS_MIN), conditioners, targets)
    vectors = features.residuals(mode, rows)
    scores = forest.scores(
        detector.structures, channel.forests, features.squashed(channel, vectors)
    )
    return SelfTest(
        mode=mode.name,
        channel=channel.name,
        vectors=np.hstack([conditioners, targets]).astype("<f8").tobytes(),
        scores=scores.astype("<f8").tobytes(),
    )


def _targets(mode: Mode, conditioners: Floats, random: np.random.Generator) -> Floats:
    basis = features.terms(mode, conditioners)
    columns = []
    for target in mode.targets:
        low, _, high = target.usual
        reach = 10.0 ** random.uniform(*REACH_LOG10, SELF_TESTS_MIN)
        away = reach * (high - low) * random.choice([-1.0, 1.0], SELF_TESTS_MIN)
        columns.append(basis @ np.array(target.coefficients) + away)
    targets = np.column_stack(columns)
    targets[random.random(targets.shape) < MISSING_SHARE] = np.nan
    return targets
