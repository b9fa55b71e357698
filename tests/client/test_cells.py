"""Cells to values: nothing is guessed."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heatpool_client.cells import is_equal, number


@given(st.text(max_size=20) | st.floats() | st.integers() | st.booleans() | st.none())
def test_a_cell_is_a_finite_number_a_state_empty_or_refused(cell: str | float | None) -> None:
    """Nothing else leaves `cells.number`."""
    try:
        value = number(cell, ".")
    except (ValueError, OverflowError):
        return
    assert value is None or math.isfinite(value)


@pytest.mark.parametrize(
    ("cell", "decimal", "value"),
    [
        ("1,5", ",", 1.5),
        ("-3", ",", -3.0),
        ("true", ".", True),
        ("OFF", ".", False),
        ("NaN", ".", None),
        (" n/a ", ".", None),
        (True, ".", True),
        (7, ".", 7),
    ],
)
def test_cells_mean_what_loggers_mean(cell: str | float, decimal: str, value: object) -> None:
    """Decimal commas where said so, states of EMS-ESP, gaps of pandas."""
    assert number(cell, decimal) == value


@pytest.mark.parametrize(
    ("cell", "decimal"),
    [
        ("1,5", "."),
        ("1.234,5", ","),
        ("1_000", "."),
        ("inf", "."),
        ("x", "."),
        ([1], "."),
        (10**400, "."),
    ],
)
def test_ambiguous_cells_are_refused(cell: object, decimal: str) -> None:
    """No guess between a decimal and a thousands mark."""
    with pytest.raises((ValueError, OverflowError)):
        number(cell, decimal)  # type: ignore[arg-type]  # also what is no cell


@pytest.mark.parametrize(
    ("cell", "wanted", "equal"),
    [
        ("0.0", "0", True),
        (" 1 ", "1.0", True),
        ("Heating", "heating", True),
        (None, "", True),
        (False, "false", True),
        (1, "1", True),
        ("", "0", False),
        ("nan", "nan", True),
        ("x", "0", False),
        ("1", "x", False),
    ],
)
def test_filters_compare_numbers_as_numbers(cell: object, wanted: str, *, equal: bool) -> None:
    """And texts without case."""
    assert is_equal(cell, wanted) is equal  # type: ignore[arg-type]  # parametrised
