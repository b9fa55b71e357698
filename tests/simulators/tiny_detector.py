"""The smallest detector that scores: one field, one mode, one tree with one split.

For tests of what is around the detector. Values below 60 fall into the leaf where all 100 training
vectors are, others into an empty one; so `hot` readings score high at once.
"""

from __future__ import annotations

from array import array

import msgspec

from heatpool_contract.detector import (
    Channel,
    Detector,
    Field,
    Forest,
    Mode,
    OffsetRule,
    SelfTest,
    Source,
    Structure,
    Target,
    encode,
)
from heatpool_contract.detector_checks import ENGINE, SELF_TESTS_MIN
from heatpool_contract.scoring import Scorer

USUAL, HOT = 40.0, 90.0


def tiny(model: str = "aero_slm_6_17", state: str = "released") -> Detector:
    """The detector, with self-tests that hold."""
    channel = Channel(
        name="all",
        relative_to="fleet",
        imputed=(0.0,),
        centre=(0.0,),
        whitening=(1.0,),
        median=(0.0,),
        scale=(1.0,),
        squash=1.0,
        forests=(Forest(structure=0, window_size=100, r_mass=array("I", [100, 100, 0]).tobytes()),),
        smoothing_ms=0,
        threshold=0.5,
        debounce_ms=0,
    )
    mode = Mode(
        name="heating",
        label_en="heating",
        label_de="Heizen",
        targets=(
            Target(field="flow", residual="difference", coefficients=(60.0,), usual=(30, 40, 50)),
        ),
        channels=(channel,),
    )
    without_tests = Detector(
        engine=ENGINE,
        model=model,
        state="released" if state == "released" else "learning",
        homes=20,
        calibration_homes=16,
        trained_from_ms=0,
        trained_to_ms=1,
        interval_ms=60_000,
        spacing_ms_min=0,
        gap_ms_max=3_600_000,
        stride_ms=0,
        fields=(
            Field(
                name="flow",
                unit="°C",
                low=-50.0,
                high=150.0,
                sources=(Source(name="temp_flow"),),
                label_en="flow temperature",
                label_de="Vorlauftemperatur",
            ),
        ),
        derived=(),
        modes=(mode,),
        structures=(
            Structure(
                trees=1,
                height=1,
                features=1,
                feature=bytes([0]),
                threshold=array("d", [0.5]).tobytes(),
            ),
        ),
        offset=OffsetRule(span_ms_min=0, readings_min=0, block_readings=1),
        self_tests=(),
    )
    return msgspec.structs.replace(without_tests, self_tests=(_self_test(without_tests),))


def payload(model: str = "aero_slm_6_17", state: str = "released") -> bytes:
    """As it is sealed."""
    return encode(tiny(model, state))


def _self_test(detector: Detector) -> SelfTest:
    scorer = Scorer(detector)
    vectors = array("d", [20.0 + 2.5 * number for number in range(SELF_TESTS_MIN)])
    scores = array("d", [scorer.score_vector("heating", "all", [one]) for one in vectors])
    return SelfTest(
        mode="heating", channel="all", vectors=vectors.tobytes(), scores=scores.tobytes()
    )
