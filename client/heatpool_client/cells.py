"""Cells of anybody's table to values. Pure.

In: what stands in a cell. Out: a number or a state, or that it is empty. Guarantee: what comes out
is finite and within the contract's limit; what could be meant in two ways is refused, not guessed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from heatpool_contract.telemetry import VALUE_ABS_MAX

if TYPE_CHECKING:
    from heatpool_client.records import Cell
    from heatpool_client.submission import Number

_STATES: Final = {"true": True, "on": True, "false": False, "off": False}
_EMPTY: Final = ("", "nan", "null", "none", "na", "n/a", "-")


def number(cell: Cell, decimal: str) -> Number | None:
    """The value of a cell; None if it is empty.

    Raises:
        ValueError: neither a finite number nor a state.
    """
    if cell is None or isinstance(cell, bool):
        return cell
    if isinstance(cell, str):
        text = cell.strip()
        if text.lower() in _EMPTY:
            return None
        if (state := _STATES.get(text.lower())) is not None:
            return state
        if "_" in text or (decimal == "," and "." in text):  # float() takes 1_000 for 1000
            raise ValueError(text)
        cell = float(text.replace(",", ".") if decimal == "," else text)
    elif not isinstance(cell, float | int):
        raise ValueError("nested")  # noqa: TRY004 - a fault of the file, handled as such
    if not abs(float(cell)) <= VALUE_ABS_MAX:  # also NaN
        raise ValueError(cell)
    return cell


def is_equal(cell: Cell, wanted: str) -> bool:
    """`0.0` equals `0`; texts are compared as they are."""
    text = "" if cell is None else str(cell).strip()
    if text == wanted:
        return True
    try:
        return float(text) == float(wanted)
    except ValueError:
        return text.lower() == wanted.lower()
