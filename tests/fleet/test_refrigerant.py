"""The saturation curve of propane."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heatpool_fleet.refrigerant import saturation_bar, saturation_celsius


@pytest.mark.parametrize(
    ("celsius", "bar"),
    [(-20.0, 2.445), (0.0, 4.745), (20.0, 8.365), (40.0, 13.694), (60.0, 21.168)],
)
def test_curve_meets_the_reference_equation(celsius: float, bar: float) -> None:
    """Values of the reference equation of state (Lemmon et al. 2009) are met within 0.1 %."""
    assert saturation_bar(np.array([celsius]))[0] == pytest.approx(bar, rel=0.001)


@given(st.floats(-39.9, 79.9))
def test_temperature_follows_from_pressure(celsius: float) -> None:
    """Curve and inverse undo each other."""
    bar = saturation_bar(np.array([celsius]))

    assert saturation_celsius(bar)[0] == pytest.approx(celsius, abs=1e-6)


@given(st.floats(-40.0, 80.0), st.floats(0.01, 20.0))
def test_curve_rises(celsius: float, more: float) -> None:
    """A higher temperature has a higher pressure."""
    pair = saturation_bar(np.array([celsius, min(celsius + more, 80.01)]))

    assert pair[0] < pair[1] or celsius + more > 80.0
