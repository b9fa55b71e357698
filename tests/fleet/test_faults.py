"""Faults: sizes on the test stand as the literature has them, and how they are spelled."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heatpool_fleet.chance import DAY_S
from heatpool_fleet.cycle import settled
from heatpool_fleet.faults import (
    CURVES,
    GRADE_MAX,
    HEALTHY,
    SENSOR_FAULTS,
    Effects,
    Fault,
    FaultKind,
    FaultSpellingError,
    check_fault,
    effects,
    parse_fault,
)
from heatpool_fleet.homes import machines, make_homes

JANUARY_S = 1_768_003_200.0
HOMES = make_homes(40, 6)


class Change(NamedTuple):
    """A faulty machine against the same sound one, at fixed speed."""

    heat: float
    power: float
    cop: float
    low_kelvin: float
    high_kelvin: float


def on_the_stand(kind: FaultKind, grade: float) -> Change:
    """Median change over forty machines at 60 Hz, 1.7 degC outdoors, 35 degC flow."""
    ones = np.ones(len(HOMES))
    points = [
        settled(machines(HOMES), effects([fault] * len(HOMES)), 60.0 * ones, 1.7 * ones, 35 * ones)
        for fault in (None, Fault(kind, grade, 0.0))
    ]
    sound, faulty = points
    heat = float(np.median(faulty.heat_watts / sound.heat_watts))
    power = float(np.median(faulty.compressor_watts / sound.compressor_watts))
    return Change(
        heat - 1.0,
        power - 1.0,
        heat / power - 1.0,
        float(np.median(faulty.evaporating_celsius - sound.evaporating_celsius)),
        float(np.median(faulty.condensing_celsius - sound.condensing_celsius)),
    )


@pytest.mark.parametrize(
    ("grade", "heat", "cop"), [(0.1, -0.026, -0.017), (0.2, -0.105, -0.083), (0.3, -0.236, -0.201)]
)
def test_undercharge_costs_what_nist_measured(grade: float, heat: float, cop: float) -> None:
    """NIST TN 1848, heating at 1.7 degC; evaporating pressure falls."""
    change = on_the_stand(FaultKind.UNDERCHARGE, grade)

    assert change.heat == pytest.approx(heat, abs=0.01)
    assert change.cop == pytest.approx(cop, abs=0.01)
    assert change.low_kelvin < -0.5


@pytest.mark.parametrize(
    ("grade", "power", "cop"), [(0.1, 0.016, -0.016), (0.2, 0.069, -0.065), (0.3, 0.16, -0.139)]
)
def test_overcharge_costs_what_nist_measured(grade: float, power: float, cop: float) -> None:
    """NIST TN 1848; condensing pressure rises."""
    change = on_the_stand(FaultKind.OVERCHARGE, grade)

    assert change.power == pytest.approx(power, abs=0.012)
    assert change.cop == pytest.approx(cop, abs=0.012)
    assert change.high_kelvin > 0.4


@pytest.mark.parametrize(
    ("kind", "grade", "cop", "tolerance"),
    [
        (FaultKind.CONDENSER_FOULING, 0.25, -0.06, 0.015),
        (FaultKind.CONDENSER_FOULING, 0.5, -0.21, 0.03),
        (FaultKind.RESTRICTION, 0.1, -0.024, 0.01),
        (FaultKind.RESTRICTION, 0.2, -0.106, 0.012),
        (FaultKind.RESTRICTION, 0.3, -0.228, 0.015),
        (FaultKind.NONCONDENSABLES, 0.1, -0.009, 0.005),
        (FaultKind.NONCONDENSABLES, 0.3, -0.030, 0.006),
        (FaultKind.NONCONDENSABLES, 0.6, -0.064, 0.008),
        (FaultKind.EVAPORATOR_FOULING, 0.25, -0.07, 0.015),
        (FaultKind.VALVE_LEAK, 0.1, -0.06, 0.015),
    ],
)
def test_other_faults_cost_what_their_source_says(
    kind: FaultKind, grade: float, cop: float, tolerance: float
) -> None:
    """Loss of COP at fixed speed: NREL 65030 and 70136, the R290 study, NIST SP 1087."""
    assert on_the_stand(kind, grade).cop == pytest.approx(cop, abs=tolerance)


def test_pressures_move_as_the_books_say() -> None:
    """Fouled evaporator: low side falls. Fouled condenser: high side rises. Leak: they approach."""
    assert on_the_stand(FaultKind.EVAPORATOR_FOULING, 0.4).low_kelvin < -3.0
    assert on_the_stand(FaultKind.CONDENSER_FOULING, 0.4).high_kelvin > 5.0
    leak = on_the_stand(FaultKind.VALVE_LEAK, 0.4)
    assert leak.low_kelvin > 1.0
    assert leak.high_kelvin < 0.0


@pytest.mark.parametrize("kind", sorted(CURVES))
def test_grade_zero_is_healthy_and_more_is_worse(kind: FaultKind) -> None:
    """At grade 0 nothing changes; every factor moves steadily away from healthy with the grade."""
    grades = np.linspace(0.0, GRADE_MAX[kind], 7)
    rows = [effects([Fault(kind, float(grade), 0.0)]) for grade in grades]

    for name in Effects.__struct_fields__:
        distance = [abs(float(getattr(row, name)[0]) - getattr(HEALTHY, name)) for row in rows]
        assert distance[0] == 0.0
        assert distance == sorted(distance)
    assert {curve.effect for curve in CURVES[kind]} <= set(Effects.__struct_fields__)


@given(
    st.sampled_from(sorted(CURVES)), st.integers(0, 1_000), st.integers(0, 4_000), st.floats(0, 2e9)
)
def test_spelling_is_read_as_written(
    kind: FaultKind, thousandths: int, tenths_of_days: int, start_s: float
) -> None:
    """KIND:GRADE@DAYSd gives kind, grade and the onset counted from the start."""
    grade = GRADE_MAX[kind] * thousandths / 1_000.0
    fault = parse_fault(f"{kind}:{grade:.6f}@{tenths_of_days / 10}d", start_s)

    assert fault.kind is kind
    assert fault.grade == pytest.approx(grade, abs=1e-6)
    assert fault.onset_s == start_s + tenths_of_days / 10 * DAY_S


def test_sensor_faults_name_their_sensor() -> None:
    """KIND.SENSOR:GRADE@DAYSd, also with a negative grade."""
    fault = parse_fault("sensor_offset.temp_return:-1.5@28d", 1_000.0)

    assert fault == Fault(FaultKind.SENSOR_OFFSET, -1.5, 1_000.0 + 28 * DAY_S, "temp_return")
    assert set(FaultKind) == set(CURVES) | SENSOR_FAULTS


@pytest.mark.parametrize(
    "text",
    [
        "",
        "undercharge",
        "undercharge:0.3",
        "undercharge:0.3@28",
        "undercharge:0.3@28d\n",
        "undercharge:nan@28d",
        "undercharge:0.31@28d",
        "undercharge:-0.1@28d",
        "undercharge.temp_flow:0.3@28d",
        "sensor_offset:1@28d",
        "sensor_offset.temp_flow:99999@1d",
        "gremlins:1@28d",
    ],
)
def test_other_spellings_are_refused(text: str) -> None:
    """Unknown kinds, grades beyond the sources, missing parts."""
    with pytest.raises(FaultSpellingError):
        parse_fault(text, 0.0)


def test_grade_that_is_no_number_is_refused() -> None:
    """NaN is in no range."""
    with pytest.raises(FaultSpellingError):
        check_fault(Fault(FaultKind.UNDERCHARGE, float("nan"), 0.0))
