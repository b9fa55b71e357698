"""The refrigeration cycle obeys thermodynamics at any sensible point."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heatpool_fleet.cycle import HZ_MAX, HZ_MIN, Point, settled
from heatpool_fleet.faults import effects
from heatpool_fleet.homes import machines, make_homes
from heatpool_fleet.refrigerant import KELVIN

HOMES = make_homes(8, 5)
MACHINES = machines(HOMES)
SOUND = effects([None] * len(HOMES))


def at(hertz: float, outdoor: float, flow: float) -> Point:
    """The steady state of eight sound machines."""
    ones = np.ones(len(HOMES))
    return settled(MACHINES, SOUND, hertz * ones, outdoor * ones, flow * ones)


@given(st.floats(float(HZ_MIN), float(HZ_MAX)), st.floats(-20.0, 20.0), st.floats(25.0, 58.0))
def test_no_machine_beats_carnot(hertz: float, outdoor: float, flow: float) -> None:
    """COP stays below Carnot's between the water and the air, and above electric heating."""
    point = at(hertz, outdoor, flow)
    cop = point.heat_watts / point.compressor_watts

    assert np.all(cop < (flow + KELVIN) / (flow - outdoor))
    assert np.all(cop > 1.0)


@given(st.floats(float(HZ_MIN), float(HZ_MAX)), st.floats(-20.0, 20.0), st.floats(25.0, 58.0))
def test_heat_flows_downhill_in_the_exchangers(hertz: float, outdoor: float, flow: float) -> None:
    """The evaporator is colder than the air, the condenser warmer than the leaving water."""
    point = at(hertz, outdoor, flow)

    assert np.all(point.evaporating_celsius < outdoor)
    assert np.all(point.condensing_celsius > flow - 0.01)


@given(st.floats(25.0, 90.0), st.floats(-15.0, 15.0), st.floats(28.0, 50.0))
def test_harder_conditions_cost_efficiency(hertz: float, outdoor: float, flow: float) -> None:
    """Colder air and hotter water lower the COP; more speed gives more heat."""

    def cop(point: Point) -> np.ndarray:
        return point.heat_watts / point.compressor_watts

    here = at(hertz, outdoor, flow)
    assert np.all(cop(at(hertz, outdoor - 3.0, flow)) < cop(here))
    assert np.all(cop(at(hertz, outdoor, flow + 3.0)) < cop(here))
    assert np.all(at(hertz + 5.0, outdoor, flow).heat_watts > here.heat_watts)


@pytest.mark.parametrize(
    ("outdoor", "flow", "low", "high"),
    [(7.0, 35.0, 4.0, 5.6), (2.0, 35.0, 3.3, 4.8), (-7.0, 35.0, 2.5, 3.7), (7.0, 55.0, 2.4, 3.5)],
)
def test_standard_points_are_those_of_data_sheets(
    outdoor: float, flow: float, low: float, high: float
) -> None:
    """At the points of EN 14511 the median machine has the COP that data sheets print."""
    point = at(55.0, outdoor, flow)

    assert low < np.median(point.heat_watts / point.compressor_watts) < high


def test_rated_heat_is_met_at_the_rated_point() -> None:
    """At A-7/W35 and full speed the machine yields its rated heat."""
    point = at(float(HZ_MAX), -7.0, 35.0)

    assert point.heat_watts / MACHINES.rated_watts == pytest.approx(np.ones(len(HOMES)), rel=0.08)
